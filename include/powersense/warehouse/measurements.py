"""The versioned writer: a landed batch becomes versions in its ledger, numbered inside ClickHouse.

Safe under concurrent writers, retries and kills, without locks: docs/adr/0002-versioned-writer-without-locks.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from powersense.errors import LandingError
from powersense.warehouse import landing_log
from powersense.warehouse.landing_log import Extent, Landing
from powersense.warehouse.ledger import MEASUREMENTS, Ledger
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

# Rows numbered in one statement: bounds the server's memory to a few hundred MB, and is far above a five-minute batch.
ROWS_PER_STATEMENT = 1_000_000
# From this size on, asking whether anything is stored in the range costs less than joining with nothing, and merging
# what comes sorted by its primary key less than hashing it; below, it is the other way round.
BULK_ROWS = 100_000
_BULK_JOIN = {"join_algorithm": "full_sorting_merge", "optimize_read_in_order": 1}
# A small batch costs planning rather than reading: a second thread would only have to be started.
_SMALL_JOIN = {"join_algorithm": "hash", "optimize_read_in_order": 0, "max_threads": 1}


@dataclass(frozen=True)
class StoreCounts:
    """What a batch came to, the same however often it is stored.

    Attributes:
        rows_seen: rows of the batch's last landing.
        new: series keys that got their first value from the batch.
        revised: versions that replaced an earlier one.
        unchanged: all other rows: equal to what was stored, absent as before, or overtaken by a later retrieval.
        newest_observed_at: newest instant with a value in the last landing, UTC; None where no row has a value.
    """

    rows_seen: int
    new: int
    revised: int
    unchanged: int
    newest_observed_at: datetime | None


def store_batch(client: Client, batch_id: str, *, ledger: Ledger = MEASUREMENTS) -> StoreCounts:
    """Number a landed batch against what is stored, and count what it changed.

    A version is stored where the value differs from the latest one, to and from NULL included; a first NULL is not.
    The latest retrieval wins: a retry of an older batch never takes back a newer value. Storing a batch again changes
    nothing.

    Args:
        client: a writer's client.
        batch_id: a batch that `landing.land` has landed.
        ledger: the tables that it landed for.

    Raises:
        LandingError: the batch has not landed, or so long ago that its rows have expired.
    """
    return store_batches(client, [batch_id], ledger=ledger)[batch_id]


def store_batches(client: Client, batch_ids: Sequence[str], *, ledger: Ledger = MEASUREMENTS) -> dict[str, StoreCounts]:
    """Number several landed batches, one after another in the order they landed, as `store_batch` does one.

    Returns:
        The counts by batch.

    Raises:
        LandingError: a batch has not landed, or its rows have expired; those before it stay stored.
    """
    landings = landing_log.of_batches(client, batch_ids, ledger=ledger)
    waiting = [one for of_one in landings.values() for one in of_one if not one.is_stored]
    stored: set[int] = set()
    for landing in sorted(waiting, key=lambda one: one.seq):
        _store_after_its_predecessors(client, landing, stored, ledger=ledger)
    landing_log.mark_stored(client, stored, ledger=ledger)
    versions = _count(client, landings, ledger=ledger)
    return {batch_id: _counts(landings[batch_id][-1].extent, *versions[batch_id]) for batch_id in batch_ids}


def _counts(last: Extent, new: int, revised: int) -> StoreCounts:
    return StoreCounts(
        rows_seen=last.row_count,
        new=new,
        revised=revised,
        unchanged=max(last.row_count - new - revised, 0),
        newest_observed_at=last.newest_observed_at,
    )


def _store_after_its_predecessors(client: Client, landing: Landing, stored: set[int], *, ledger: Ledger) -> None:
    """Store a landing once every earlier one that overlaps it is stored, storing those whose writer has not.

    Places of what it stores go to `stored`; until they are marked, another writer may do the same work again, in vain.
    """
    before, rows_left = landing_log.around(client, landing, ledger=ledger)
    for other in before:
        if not other.is_stored and other.seq not in stored:
            logger.info("storing landing %d of batch %r on its writer's behalf", other.seq, other.extent.batch_id)
            try:
                _store_after_its_predecessors(client, other, stored, ledger=ledger)
            except LandingError as error:
                logger.warning("passing over landing %d: %s", other.seq, error)
    if rows_left < landing.extent.row_count:
        raise LandingError(
            f"batch {landing.extent.batch_id!r} landed {landing.extent.row_count} rows, of which {rows_left} are left: "
            "they have expired; run its fetch again"
        )
    overtaken_by = [other for other in before if other.extent.retrieved_to >= landing.extent.retrieved_from]
    for metrics in _portions(client, landing, ledger=ledger):
        _store(client, landing, metrics=metrics, overtaken_by=overtaken_by, ledger=ledger)
    stored.add(landing.seq)


def _store(
    client: Client, landing: Landing, *, metrics: list[str], overtaken_by: list[Landing], ledger: Ledger
) -> None:
    parameters = (
        ledger.names
        | _bounds(landing)
        | {
            "landing_id": landing.extent.landing_id,
            "metrics": metrics,
            "later_retrievals": [other.extent.landing_id for other in overtaken_by],
        }
    )
    # What is stored later cannot share a key with this landing before this landing is stored, so the answer cannot age.
    is_bulk = landing.extent.row_count >= BULK_ROWS
    if is_bulk and not overtaken_by and not client.query(statement("any_stored"), parameters=parameters).result_rows:
        client.command(statement("store_first_landing"), parameters=parameters)
    else:
        settings = _BULK_JOIN if is_bulk else _SMALL_JOIN
        client.command(statement("store_landing"), parameters=parameters, settings=settings)


def _bounds(landing: Landing) -> dict[str, Any]:
    """Return the parameters that confine a read of the versions to a landing's range of the primary key."""
    extent = landing.extent
    return {
        "metrics": list(extent.metrics),
        "places": list(extent.places),
        "vintages": list(extent.vintages),
        "publishers": list(extent.publishers),
        "observed_from": extent.observed_from,
        "observed_to": extent.observed_to,
    }


def _portions(client: Client, landing: Landing, *, ledger: Ledger) -> list[list[str]]:
    """Split a landing's metrics into groups of at most ROWS_PER_STATEMENT rows each, where one metric has fewer."""
    if landing.extent.row_count <= ROWS_PER_STATEMENT:
        return [list(landing.extent.metrics)] if landing.extent.row_count else []
    rows = client.query(
        "SELECT metric, count() FROM {landing_table:Identifier} WHERE landing_id = {landing_id:String} "
        "GROUP BY metric ORDER BY metric",
        parameters={"landing_id": landing.extent.landing_id, "landing_table": ledger.landing_table},
    ).result_rows
    portions: list[list[str]] = []
    room = 0
    for metric, count in rows:
        if count > room:
            portions.append([])
            room = ROWS_PER_STATEMENT
        portions[-1].append(metric)
        room -= count
    return portions


def _count(client: Client, landings: Mapping[str, list[Landing]], *, ledger: Ledger) -> dict[str, tuple[int, int]]:
    """Count by batch the versions that stand because of it: first ones, and later ones."""
    counts = dict.fromkeys(landings, (0, 0))
    extents = [landing.extent for of_one in landings.values() for landing in of_one if landing.extent.row_count]
    if not extents:
        return counts
    parameters = ledger.names | {
        "batch_ids": list(landings),
        "metrics": sorted({metric for extent in extents for metric in extent.metrics}),
        "places": sorted({place for extent in extents for place in extent.places}),
        "observed_from": min(extent.observed_from for extent in extents),
        "observed_to": max(extent.observed_to for extent in extents),
    }
    # Rows that two writers stored at once count once. FINAL is the cheaper way where they fill whole granules.
    is_bulk = sum(extent.row_count for extent in extents) >= BULK_ROWS
    query = statement("count_stored_in_bulk" if is_bulk else "count_stored")
    found = client.query(query, parameters=parameters).result_rows
    return counts | {batch_id: (int(new), int(revised)) for batch_id, new, revised in found}
