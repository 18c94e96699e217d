"""### Check the data, and tell people.

Every quarter of an hour: apply each rule to the warehouse, and let alerts open, go on or close.

- Rules: stale data, low coverage, stuck and impossible values, volume of revisions, quarantine growth, ingestion
  errors, failed dbt tests, and the load anomalies that scoring found. `docs/runbook.md` says what each alert means.
- One alert per open problem: a repeated finding updates it, recovery closes it. Alerts of one rule that open together
  are a group, of which people are told once (`ALERT_NOTIFY_URLS`): when it opens, grows or gets worse, when nobody has
  taken it on (`ALERT_ESCALATE_URLS`), and when it closes; never below a silence.
- The run's deadlines alert when the check itself is late, and when it ends without recent data.

Trigger it with `{"start": …, "end": …}` to check as of `end`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import freshness, lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "check_data_quality"


@dag(
    dag_id=DAG_ID,
    schedule=cron("*/15 * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    deadline=[lateness(DAG_ID, minutes=15), freshness(DAG_ID, minutes=150)],
    default_args=task_defaults(retries=2, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(minutes=5)),
    doc_md=__doc__,
    tags=["powersense", "quality"],
)
def check_data_quality() -> None:
    """Turn what is wrong with the data into alerts."""

    @task(**last_step())
    def check(**context: Any) -> dict[str, Any]:
        from powersense.quality.check import check

        instance = context["ti"]
        return check(window(context).end, context["run_id"], run_state=instance.get_dagrun_state)

    check()


check_data_quality()
