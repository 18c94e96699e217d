"""### Read past days again.

RTE revises what it publishes: real time becomes consolidated around the middle of the next month, and definitive a year
later. Once a day this DAG reads the last 60 days again in every vintage, and one of the 36 months before in turn, so
that each month of the last three years is read again every 36 days. Changed values become versions; nothing is lost.

It is also what backfills run: `airflow backfill create --dag-id reconcile_load --from-date … --to-date …` reads exactly
the days asked for, several at a time, as often as wanted. A triggered run takes `{"start": …, "end": …}`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TriggerRule, dag, task

from powersense.assets import MEASUREMENTS
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "reconcile_load"


@dag(
    dag_id=DAG_ID,
    schedule=cron("17 4 * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=4,
    params=window_params(),
    deadline=lateness(DAG_ID, minutes=60),
    default_args=task_defaults(retries=3, retry_delay=timedelta(minutes=1), execution_timeout=timedelta(minutes=30)),
    doc_md=__doc__,
    tags=["powersense", "ingestion"],
)
def reconcile_load() -> None:
    """Bring later vintages and late values of past days into `measurements`."""

    @task
    def plan(**context: Any) -> list[Any]:
        from powersense.ingest import plan_reconciliation

        return plan_reconciliation(window(context), run_type=context["dag_run"].run_type)

    @task(max_active_tis_per_dag=4)
    def fetch(job: Any, **context: Any) -> Any:
        from powersense.ingest import fetch, no_retry_where_useless

        with no_retry_where_useless():
            return fetch(job, run_id=context["run_id"], dag_id=DAG_ID)

    @task(pool="warehouse_writes", outlets=[MEASUREMENTS], trigger_rule=TriggerRule.ALL_DONE, **last_step())
    def store(batches: Any, **context: Any) -> Any:
        from powersense.ingest import announce, store

        return announce([store((batches or [])[:])], context["outlet_events"][MEASUREMENTS])

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def report_failures(**context: Any) -> None:
        from powersense.ingest import fail_with_reasons

        fail_with_reasons(run_id=context["run_id"])

    fetched = fetch.expand(job=plan())
    store(fetched)
    fetched >> report_failures()


reconcile_load()
