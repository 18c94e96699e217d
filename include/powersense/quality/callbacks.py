"""Task callbacks; `powersense.dag_defaults` puts them into the DAGs' `default_args`.

They run in the task's own process, at once; the imports wait until they are needed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from powersense.errors import WarehouseError

logger = logging.getLogger(__name__)


def alert_on_failure(context: Mapping[str, Any]) -> None:
    """Raise the alert `failed_task` for a task that failed after its retries; once per task, whatever the run."""
    from powersense.quality.events import raise_event
    from powersense.quality.rules import failed_task

    instance, error = context["ti"], context.get("exception")
    finding = failed_task(
        dag_id=instance.dag_id,
        task_id=_task(instance),
        dag_run_id=instance.run_id,
        error=f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error or "no exception"),
    )
    raise_event(finding, now=datetime.now(UTC), run_id=instance.run_id)


def close_on_success(context: Mapping[str, Any]) -> None:
    """Close the alert `failed_task` of a task that succeeds again."""
    from powersense.quality.events import close_events
    from powersense.quality.rules import failed_task

    instance = context["ti"]
    finding = failed_task(dag_id=instance.dag_id, task_id=_task(instance), dag_run_id=instance.run_id, error="")
    try:
        close_events([finding.fingerprint], now=datetime.now(UTC), run_id=instance.run_id)
    except WarehouseError as error:
        # The task itself succeeded; its next success closes the alert.
        logger.warning("Alert %s cannot be closed now: %s", finding.fingerprint, error)


def _task(instance: Any) -> str:
    """Name a task instance within its DAG: mapped ones by their index, since the others' success heals nothing."""
    is_mapped = instance.map_index is not None and instance.map_index >= 0
    return f"{instance.task_id}[{instance.map_index}]" if is_mapped else str(instance.task_id)


def record_finish(context: Mapping[str, Any]) -> None:
    """Record that a run reached its end; the dead-man's switch speaks when no run does any more."""
    from powersense.warehouse.client import connect
    from powersense.warehouse.finished_runs import record_finished_run

    instance = context["ti"]
    try:
        with connect("writer") as client:
            record_finished_run(client, dag_id=instance.dag_id, run_id=instance.run_id)
    except WarehouseError as error:
        # The switch tells of a warehouse that does not answer by itself.
        logger.warning("The end of run %s of %s cannot be recorded: %s", instance.run_id, instance.dag_id, error)


TASK_CALLBACKS: dict[str, Any] = {"on_failure_callback": alert_on_failure, "on_success_callback": close_on_success}


def last_step(*, has_alerts: bool = True) -> dict[str, Any]:
    """Return the callbacks of a core DAG's last step: those of every task, and the record that the run came so far.

    A step that has nothing to do, and is skipped, ends its run as well.

    Args:
        has_alerts: as in `powersense.dag_defaults.task_defaults`.
    """
    callbacks: dict[str, Any] = {"on_success_callback": record_finish, "on_skipped_callback": record_finish}
    if not has_alerts:
        return callbacks
    return TASK_CALLBACKS | callbacks | {"on_success_callback": [close_on_success, record_finish]}
