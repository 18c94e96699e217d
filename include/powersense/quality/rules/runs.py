"""Findings about Airflow's own runs; callbacks raise them as they happen, no query looks for them."""

from __future__ import annotations

from powersense.quality.rules.finding import Finding, Severity

LATE_RUN = "late_run"
FAILED_TASK = "failed_task"


def late_run(*, dag_id: str, dag_run_id: str, minutes: float) -> Finding:
    """Return the finding for a run that missed its deadline.

    Args:
        dag_id: the DAG; one alert per DAG, however many runs are late.
        dag_run_id: the late run.
        minutes: time that it had from queued to ended.
    """
    return Finding(
        rule=LATE_RUN,
        severity=Severity.WARNING,
        key=dag_id,
        subject=f"{dag_id} is late",
        message=f"Run {dag_run_id} had not ended {minutes:g} min after it was queued.",
    )


def failed_task(*, dag_id: str, task_id: str, dag_run_id: str, error: str) -> Finding:
    """Return the finding for a task that failed after all its retries.

    Args:
        dag_id: the DAG.
        task_id: the task, with `[index]` when it is mapped; one alert per task, however many runs fail.
        dag_run_id: the failed run.
        error: name and message of the exception.
    """
    return Finding(
        rule=FAILED_TASK,
        severity=Severity.CRITICAL,
        key=f"{dag_id}.{task_id}",
        subject=f"Task {dag_id}.{task_id} failed",
        message=f"Run {dag_run_id}: {error}",
    )
