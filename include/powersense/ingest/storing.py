"""Store: landed batches become versions, and their run records are closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from powersense.ingest.jobs import Batch
from powersense.warehouse.ledger import MEASUREMENTS, Ledger

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Stored(TypedDict):
    """What one or several batches came to, in rows."""

    batches: int
    rows_seen: int
    rows_new: int
    rows_revised: int
    rows_unchanged: int
    rows_quarantined: int


def nothing_stored() -> Stored:
    """Return the sums over no batch."""
    return {
        "batches": 0,
        "rows_seen": 0,
        "rows_new": 0,
        "rows_revised": 0,
        "rows_unchanged": 0,
        "rows_quarantined": 0,
    }


def store(batches: Iterable[Batch]) -> Stored:
    """Number landed batches against what is stored and close their run records; harmless when done again.

    Returns:
        The sums over all batches.

    Raises:
        WarehouseError: ClickHouse failed; batches stored before are kept and count as unchanged next time.
    """
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        return store_all(client, list(batches))


def store_all(client: Client, batches: list[Batch], *, ledger: Ledger = MEASUREMENTS) -> Stored:
    """Store batches with an open client and close their run records; return the sums."""
    from powersense.warehouse.measurements import store_batches
    from powersense.warehouse.runs import finish_run

    total = nothing_stored()
    counted = store_batches(client, [batch["batch_id"] for batch in batches], ledger=ledger) if batches else {}
    for batch in batches:
        counts = counted[batch["batch_id"]]
        finish_run(
            client,
            batch_id=batch["batch_id"],
            counts=counts,
            records_seen=batch["records_seen"],
            rows_quarantined=batch["rows_quarantined"],
        )
        total["batches"] += 1
        total["rows_seen"] += counts.rows_seen
        total["rows_new"] += counts.new
        total["rows_revised"] += counts.revised
        total["rows_unchanged"] += counts.unchanged
        total["rows_quarantined"] += batch["rows_quarantined"]
    return total
