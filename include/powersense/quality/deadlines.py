"""Deadlines of the scheduled DAGs: a run that is late, or data that is old, becomes an alert.

DAG files import this module, so nothing heavy stands at its top.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert, DeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

WAREHOUSE_ANSWER_SECONDS = 3


def lateness(dag_id: str, *, minutes: float) -> DeadlineAlert:
    """Return the deadline by which each run of a DAG must have ended, counted from when it was queued.

    Backfill runs, and runs that failed in time, raise no alert: the first wait by design, the second are reported
    by their failed task.

    Args:
        dag_id: the DAG that carries the deadline.
        minutes: time allowed from queued to ended, in minutes.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        # Sync: executor callbacks go before tasks in the queue, and the ClickHouse client would block the triggerer.
        callback=SyncCallback(report_late_run, kwargs={"minutes": minutes}),
        name=f"{dag_id} ends within {minutes:g} min",
    )


def freshness(dag_id: str, *, minutes: float) -> DeadlineAlert:
    """Return the deadline that fires when a run ends with the newest observation older than `minutes`.

    It does not depend on the run's tasks: it fires too when the data-quality check itself cannot run.
    """
    return DeadlineAlert(
        reference=NewestObservation(),
        interval=timedelta(minutes=minutes),
        callback=SyncCallback(report_old_data, kwargs={"minutes": minutes}),
        name=f"{dag_id} sees data younger than {minutes:g} min",
    )


class NewestObservation(BaseDeadlineReference):
    """Measures from the newest load observation stored; registered by the PowerSense plugin.

    The scheduler (or the API server) evaluates it while it creates a run, so it answers fast and never raises:
    without a warehouse, or with an empty one, it measures from the present. Only scheduled runs have this deadline:
    a manual run or a backfill works on a "now" of its own.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Session, **kwargs: Any) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        run_type = session.scalar(
            select(DagRun.run_type).where(DagRun.dag_id == kwargs["dag_id"], DagRun.run_id == kwargs["run_id"])
        )
        if run_type != "scheduled":
            return None
        now = datetime.now(UTC)
        try:
            newest = _newest_load_observed_at()
        except Exception as error:  # noqa: BLE001 - raising here would stop the scheduler from creating runs
            logger.warning("Newest observation unknown (%s): the deadline counts from now", type(error).__name__)
            return now
        return now if newest is None else min(newest, now)


def _newest_load_observed_at() -> datetime | None:
    """Return the newest instant with a load value, UTC, or None when nothing is stored.

    Raises:
        TimeoutError: no answer within three seconds; connecting to a host that drops packets takes longer.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1, thread_name_prefix="newest-observation")
    try:
        return pool.submit(_query_newest_load_observed_at).result(timeout=WAREHOUSE_ANSWER_SECONDS)
    finally:
        pool.shutdown(wait=False)


def _query_newest_load_observed_at() -> datetime | None:
    from powersense.quality.facts import newest_load_observed_at
    from powersense.warehouse.client import connect

    with connect("reader", max_execution_time=WAREHOUSE_ANSWER_SECONDS) as client:
        return newest_load_observed_at(client, now=datetime.now(UTC))


def report_late_run(context: Mapping[str, Any], *, minutes: float) -> None:
    """Raise the alert `late_run` for the run whose deadline was missed (deadline callback)."""
    from powersense.quality.events import raise_event
    from powersense.quality.rules import late_run

    run = context["dag_run"]
    if _is_excused(run, deadline=_instant(context["deadline"]["deadline_time"])):
        return
    finding = late_run(dag_id=run["dag_id"], dag_run_id=run["dag_run_id"], minutes=minutes)
    raise_event(finding, now=datetime.now(UTC), run_id=run["dag_run_id"])


def report_old_data(context: Mapping[str, Any], *, minutes: float) -> None:
    """Raise the alert `stale_data` when a run ended without young data (deadline callback).

    It is the alert that the check raises for stale data in all areas, so the check closes it.
    """
    from powersense.quality.events import raise_event
    from powersense.quality.rules import everything_is_stale

    run = context["dag_run"]
    now = datetime.now(UTC)
    newest = _instant(context["deadline"]["deadline_time"]) - timedelta(minutes=minutes)
    raise_event(everything_is_stale(newest, now=now), now=now, run_id=run["dag_run_id"])


def _is_excused(run: Mapping[str, Any], *, deadline: datetime) -> bool:
    """Tell whether a missed deadline is no lateness: a backfill, or a run that ended (failed) in time.

    Airflow keeps the deadline of a run that fails early (apache/airflow#60927).
    """
    if run["run_type"] == "backfill":
        return True
    ended = run.get("end_date")
    return ended is not None and _instant(ended) <= deadline


def _instant(value: datetime | str) -> datetime:
    """Return a UTC datetime from what the callback context carries: an ISO string or a datetime."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC)
