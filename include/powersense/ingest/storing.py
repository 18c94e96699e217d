"""Store: landed batches become versions, and their run records are closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from powersense.ingest.jobs import Batch

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

    total = nothing_stored()
    with connect("writer") as client:
        for batch in batches:
            stored = store_one(client, batch)
            for name in total:
                total[name] += stored[name]  # type: ignore[literal-required]
    return total


def store_one(client: Client, batch: Batch) -> Stored:
    """Store one batch and close its run record."""
    from powersense.warehouse.measurements import store_batch
    from powersense.warehouse.runs import finish_run

    counts = store_batch(client, batch["batch_id"])
    finish_run(
        client,
        batch_id=batch["batch_id"],
        counts=counts,
        records_seen=batch["records_seen"],
        rows_quarantined=batch["rows_quarantined"],
    )
    return {
        "batches": 1,
        "rows_seen": counts.rows_seen,
        "rows_new": counts.new,
        "rows_revised": counts.revised,
        "rows_unchanged": counts.unchanged,
        "rows_quarantined": batch["rows_quarantined"],
    }
