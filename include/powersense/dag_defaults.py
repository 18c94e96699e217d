"""What the DAGs have in common: their start, and how their tasks are retried, bounded and watched."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from powersense.quality.callbacks import TASK_CALLBACKS

# RTE publishes éCO2mix from 2012 on; a backfill cannot begin earlier.
START_DATE = datetime(2012, 1, 1, tzinfo=UTC)


def task_defaults(
    *, retries: int, retry_delay: timedelta, execution_timeout: timedelta, has_alerts: bool = True
) -> dict[str, Any]:
    """Return `default_args` of a DAG: retries that back off, a bound on time, an alert where all retries failed.

    Args:
        retries: attempts after the first.
        retry_delay: before the first retry; doubles up to half an hour.
        execution_timeout: of one attempt.
        has_alerts: False where the DAG chooses itself which of its tasks raise the alert `failed_task`.
    """
    return (TASK_CALLBACKS if has_alerts else {}) | {
        "owner": "powersense",
        "retries": retries,
        "retry_delay": retry_delay,
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": execution_timeout,
    }


def high_memory_queue() -> dict[str, str]:
    """Return the queue of tasks that need gigabytes, `FILE_HIGH_MEMORY_QUEUE`, as an operator's argument; or none."""
    queue = os.environ.get("FILE_HIGH_MEMORY_QUEUE")
    return {"queue": queue} if queue else {}
