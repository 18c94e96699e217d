"""The record of ingestion runs: one row a batch, from start to finish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickhouse_connect.driver.summary import QuerySummary

from powersense.errors import WarehouseError
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.warehouse.measurements import StoreCounts

_ERROR_LENGTH = 4000
# Named here, since the driver would ask the server for them at every insert.
_STARTED_TYPES = (
    *("String",) * 4,
    *("DateTime('UTC')",) * 2,
    "Enum8('running' = 1, 'success' = 2, 'failed' = 3)",
    "DateTime64(6, 'UTC')",
)


def start_run(  # noqa: PLR0913 - one argument a column
    client: Client,
    *,
    batch_id: str,
    run_id: str,
    dag_id: str,
    source: str,
    window_start: datetime,
    window_end: datetime,
) -> None:
    """Record that a batch has begun; a batch begun again starts its record anew.

    Args:
        client: a writer's client.
        batch_id: key of the record.
        run_id: the Airflow run.
        dag_id: its DAG.
        source: the dataset or file that is asked.
        window_start: first instant asked for, UTC.
        window_end: end of the range asked for, exclusive, UTC.
    """
    row = {
        "batch_id": batch_id,
        "run_id": run_id,
        "dag_id": dag_id,
        "source": source,
        "window_start": window_start,
        "window_end": window_end,
        "state": "running",
        "started_at": datetime.now(tz=UTC),
    }
    client.insert("ingestion_runs", [list(row.values())], column_names=list(row), column_type_names=_STARTED_TYPES)


def finish_run(  # noqa: PLR0913 - one argument a column
    client: Client,
    *,
    batch_id: str,
    counts: StoreCounts | None = None,
    records_seen: int = 0,
    rows_quarantined: int = 0,
    error: str | None = None,
) -> None:
    """Record how a batch ended.

    Args:
        client: a writer's client.
        batch_id: a batch that `start_run` has recorded.
        counts: what storing it came to; None where it failed before.
        records_seen: records that upstream answered with.
        rows_quarantined: records and values set aside.
        error: why it failed, cut at 4000 characters; None where it succeeded.

    Raises:
        WarehouseError: the batch was never begun.
    """
    parameters = {
        "batch_id": batch_id,
        "state": "success" if error is None else "failed",
        "finished_at": datetime.now(tz=UTC),
        "records_seen": records_seen,
        "rows_seen": counts.rows_seen if counts else 0,
        "rows_new": counts.new if counts else 0,
        "rows_revised": counts.revised if counts else 0,
        "rows_unchanged": counts.unchanged if counts else 0,
        "rows_quarantined": rows_quarantined,
        "newest_observed_at": counts.newest_observed_at if counts else None,
        "error": (error or "")[:_ERROR_LENGTH],
    }
    # The statement copies the record's beginning; the server tells how many rows that made.
    summary = client.command(statement("finish_run"), parameters=parameters)
    if isinstance(summary, QuerySummary) and not summary.written_rows:
        raise WarehouseError(f"batch {batch_id!r} ends without a beginning; call start_run first")


def succeeded_batches(client: Client, *, prefixes: Sequence[str] = ("",)) -> list[str]:
    """Return the ids of batches whose last state is success, in order; only those that start with one of `prefixes`."""
    rows = client.query(
        "SELECT batch_id FROM ingestion_runs FINAL "
        "WHERE state = 'success' AND arrayExists(prefix -> startsWith(batch_id, prefix), {prefixes:Array(String)}) "
        "ORDER BY batch_id",
        parameters={"prefixes": list(prefixes)},
    ).result_rows
    return [str(batch_id) for (batch_id,) in rows]
