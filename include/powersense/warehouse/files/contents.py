"""What a file has brought into a ledger before, and which of its values a newer content no longer holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.warehouse import landing_log
from powersense.warehouse.ledger import Ledger
from powersense.warehouse.reads import read_frame
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class ContentLanding:
    """One landing of a file; fields as in landing_log.Landing and its Extent."""

    seq: int
    is_stored: bool
    landing_id: str
    batch_id: str
    row_count: int
    metrics: Sequence[str]
    places: Sequence[str]
    vintages: Sequence[str]
    publishers: Sequence[str]
    observed_from: datetime
    observed_to: datetime
    retrieved_to: datetime


def landings_of_file(client: Client, prefix: str, *, ledger: Ledger) -> list[ContentLanding]:
    """Return the landings of a file's contents, oldest first.

    Args:
        client: a writer's client.
        prefix: what the names of all batches of the file begin with.
        ledger: the tables.
    """
    parameters = ledger.names | {"prefix": prefix}
    rows = client.query(statement("content_landings"), parameters=parameters).result_rows
    return [ContentLanding(*row) for row in rows]


def lost_landings(client: Client, landings: Iterable[ContentLanding], *, ledger: Ledger) -> list[ContentLanding]:
    """Return the landings that nobody has stored, and nobody can any more: their rows have expired."""
    waiting = [landing for landing in landings if not landing.is_stored and landing.row_count]
    if not waiting:
        return []
    rows = client.query(
        "SELECT landing_id, count() FROM {landing_table:Identifier} "
        "WHERE landing_id IN {landing_ids:Array(String)} GROUP BY landing_id",
        parameters=ledger.names | {"landing_ids": [landing.landing_id for landing in waiting]},
    ).result_rows
    left = dict(rows)
    return [landing for landing in waiting if left.get(landing.landing_id, 0) < landing.row_count]


def metrics_brought(
    client: Client, prefix: str, *, places: Collection[str], vintages: Collection[str], ledger: Ledger
) -> set[str]:
    """Return the metrics that batches of this prefix have landed for any of the places and vintages."""
    parameters = ledger.names | {"prefix": prefix, "places": sorted(places), "vintages": sorted(vintages)}
    return set(client.query(statement("content_metrics"), parameters=parameters).first_row[0])


def keys_to_withdraw(
    client: Client, earlier: Iterable[ContentLanding], *, prefix: str, batch_ids: Sequence[str], ledger: Ledger
) -> pd.DataFrame:
    """Return the keys whose latest value came from the file's earlier contents, and which its newest content lacks.

    A key that anything else has given a later version is none of the file's any more.

    Args:
        client: a writer's client.
        earlier: landings of the file's contents; they bound what is read.
        prefix: of all batches of the file.
        batch_ids: batches of the newest content, all landed.
        ledger: the tables.

    Returns:
        Columns metric, the ledger's place, observed_at (UTC), vintage, publisher; one metric is read at a time.
    """
    import pandas as pd

    bounds = [landing for landing in earlier if landing.row_count]
    newest = landing_log.of_batches(client, batch_ids, ledger=ledger)
    landing_ids = [landing.extent.landing_id for of_one in newest.values() for landing in of_one]
    found: list[pd.DataFrame] = []
    for metric in sorted({metric for landing in bounds for metric in landing.metrics}):
        of_metric = [landing for landing in bounds if metric in landing.metrics]
        parameters = ledger.names | {
            "metric": metric,
            "places": sorted({place for landing in of_metric for place in landing.places}),
            "vintages": sorted({vintage for landing in of_metric for vintage in landing.vintages}),
            "publishers": sorted({publisher for landing in of_metric for publisher in landing.publishers}),
            "observed_from": min(landing.observed_from for landing in of_metric),
            "observed_to": max(landing.observed_to for landing in of_metric),
            "prefix": prefix,
            "landing_ids": landing_ids,
        }
        found.append(read_frame(client, "withdrawn_keys", parameters, instants=("observed_at",)))
    columns = ["metric", "place", "observed_at", "vintage", "publisher"]
    whole = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    return whole.rename(columns={"place": ledger.place})
