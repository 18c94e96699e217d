"""### Ingest the French electricity load.

Every five minutes (`INGEST_INTERVAL_SECONDS`): ask the portal for the real-time éCO2mix series of France and of its 12
regions, and store what changed as versions in `measurements`.

1. **plan_history**, **plan_live**: what is missing: years of history that no run has loaded yet; the last day of real
   time, or everything since the newest stored instant after an outage.
2. **load_history**, a mapped task a year and dataset, from `HISTORY_DATA_URL` or from the portal's exports.
3. **fetch**, a mapped task a live dataset, lands rows and sets bad records aside in `quarantine`.
4. **store** numbers what landed; where something is new or revised, the asset `measurements` starts what reads it.
5. **report_failures** turns the run red where a fetch failed for good; what the others brought is stored all the same.

Trigger it with `{"start": …, "end": …}` to ask for a given range.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TriggerRule, dag, task

from powersense.assets import MEASUREMENTS
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import every_ingest_interval, window_params
from powersense.window import window

DAG_ID = "ingest_load"


@dag(
    dag_id=DAG_ID,
    schedule=every_ingest_interval(),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    deadline=lateness(DAG_ID, minutes=15),
    default_args=task_defaults(retries=2, retry_delay=timedelta(seconds=20), execution_timeout=timedelta(minutes=10)),
    doc_md=__doc__,
    tags=["powersense", "ingestion"],
)
def ingest_load() -> None:
    """Bring history and real time into `measurements`."""

    @task
    def plan_history(**context: Any) -> list[Any]:
        from powersense.ingest import plan_history

        return plan_history(window(context))

    @task
    def plan_live(**context: Any) -> list[Any]:
        from powersense.ingest import plan_live

        return plan_live(window(context))

    @task(pool="bootstrap", execution_timeout=timedelta(hours=1))
    def load_history(job: Any, **context: Any) -> Any:
        from powersense.ingest import load_history, no_retry_where_useless

        with no_retry_where_useless():
            return load_history(job, run_id=context["run_id"], dag_id=DAG_ID)

    @task
    def fetch(job: Any, **context: Any) -> Any:
        from powersense.ingest import fetch, no_retry_where_useless

        with no_retry_where_useless():
            return fetch(job, run_id=context["run_id"], dag_id=DAG_ID)

    # ALL_DONE: the rule with MIN_ONE_SUCCESS skips as soon as one upstream task skips, as load_history mostly does.
    @task(pool="warehouse_writes", outlets=[MEASUREMENTS], trigger_rule=TriggerRule.ALL_DONE, **last_step())
    def store(batches: Any, loaded: Any, **context: Any) -> Any:
        from powersense.ingest import announce, store

        return announce([store((batches or [])[:]), *(loaded or [])[:]], context["outlet_events"][MEASUREMENTS])

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def report_failures(**context: Any) -> None:
        from powersense.ingest import fail_with_reasons

        fail_with_reasons(run_id=context["run_id"])

    loaded, fetched = load_history.expand(job=plan_history()), fetch.expand(job=plan_live())
    store(fetched, loaded)
    [loaded, fetched] >> report_failures()


ingest_load()
