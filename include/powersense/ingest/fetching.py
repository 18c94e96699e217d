"""Fetch: one question to one upstream, its answer landed and its bad records set aside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from powersense.contracts import QuarantineReason
from powersense.errors import PowerSenseError
from powersense.ingest.jobs import Batch, Job, batch_id_of

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

    from powersense.sources.odre import Fetched
    from powersense.sources.source import Source

logger = logging.getLogger(__name__)


def fetch(job: Job, *, run_id: str, dag_id: str) -> Batch:
    """Ask the portal for a job's range and land the answer.

    Args:
        job: from a plan.
        run_id: the Airflow run; stamped on every row.
        dag_id: the DAG, for the run record.

    Returns:
        The batch's key and counts. `store` numbers the batch.

    Raises:
        SourceError: upstream failed; the run record carries the message.
        WarehouseError: ClickHouse failed.
    """
    from powersense.sources.catalogue import get_source
    from powersense.sources.odre import fetch_records
    from powersense.sources.transport import open_portal
    from powersense.warehouse.client import connect

    source = get_source(job["source_id"])
    start, end = datetime.fromisoformat(job["start"]), datetime.fromisoformat(job["end"])
    with connect("writer") as client, recorded(client, job, dataset=source.dataset, run_id=run_id, dag_id=dag_id):
        with open_portal() as portal:
            fetched = fetch_records(portal, source, start=start, end=end)
        return land_answer(client, fetched, source, batch_id=batch_id_of(job, run_id), run_id=run_id)


def land_answer(  # noqa: PLR0913 - keyword-only
    client: Client,
    fetched: Fetched,
    source: Source,
    *,
    batch_id: str,
    run_id: str,
    origin: str | None = None,
    drop_absent: bool = False,
) -> Batch:
    """Normalise one answer, land its rows, quarantine the rest; return keys and counts.

    Raises:
        MalformedResponseError: a key column is absent from the answer.
        WarehouseError: ClickHouse failed.
    """
    from powersense.sources.normalise import normalise
    from powersense.warehouse.landing import land
    from powersense.warehouse.quarantine import quarantine

    normalised = normalise(
        fetched.records,
        source,
        retrieved_at=fetched.retrieved_at,
        run_id=run_id,
        origin=origin,
        drop_absent=drop_absent,
    )
    if normalised.missing_metrics:
        logger.warning("%s: no column for %s", source.dataset, ", ".join(normalised.missing_metrics))
    set_aside = with_broken_lines(normalised.quarantined, fetched, origin=origin or source.dataset, run_id=run_id)
    return {
        "batch_id": batch_id,
        "records_seen": len(fetched.records) + len(fetched.broken_lines),
        "rows_quarantined": quarantine(client, set_aside) if len(set_aside) else 0,
        "rows_landed": land(client, normalised.measurements, batch_id=batch_id),
    }


def with_broken_lines(quarantined: pd.DataFrame, fetched: Fetched, *, origin: str, run_id: str) -> pd.DataFrame:
    """Return quarantine rows, and those of an answer's lines that could not be read as records."""
    import pandas as pd

    from powersense.sources.set_aside import without_place

    if not fetched.broken_lines:
        return quarantined
    broken = without_place(
        ((line, "wrong number of fields") for line in fetched.broken_lines),
        reason=QuarantineReason.MALFORMED_RECORD,
        origin=origin,
        run_id=run_id,
    )
    return pd.concat([quarantined, broken], ignore_index=True)


@contextmanager
def recorded(client: Client, job: Job, *, dataset: str, run_id: str, dag_id: str) -> Iterator[None]:
    """Record that a batch is running; where the body fails by name, record the failure and let it through."""
    from powersense.warehouse import runs

    facts: dict[str, Any] = {
        "batch_id": batch_id_of(job, run_id),
        "run_id": run_id,
        "dag_id": dag_id,
        "source": dataset,
        "window_start": datetime.fromisoformat(job["start"]),
        "window_end": datetime.fromisoformat(job["end"]),
    }
    runs.start_run(client, **facts)
    try:
        yield
    except PowerSenseError as error:
        runs.finish_run(client, batch_id=facts["batch_id"], error=f"{type(error).__name__}: {error}")
        raise
