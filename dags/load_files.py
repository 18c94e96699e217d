"""### Load files.

One run of one declared ingestion: find what is new in its store, and load that, exactly once in effect.

1. **start** begins the run's record in `file_runs` and makes the target's table ready.
2. **discover** lists the store into `file_listings`; no file is read.
3. **compare** finds, inside ClickHouse, what is new, changed, or to be tried again, and puts it into batches.
4. **load**, a mapped task a batch, claims each file, reads it, and makes its rows visible all at once; **load_large**
   does so for ingestions of the pool `high_memory`. A file whose content is wrong is quarantined; one that could not be
   read is tried again as often as the ingestion's `retries` say.
5. **announce** starts what reads `measurements` or `weather_observations`, where rows of theirs are new or revised.
6. **finish** writes the run's end, and turns the run red where a file failed or was quarantined; what the others
   brought is loaded all the same.

`schedule_file_loads` starts it. By hand: trigger it with `{"ingestion": "meters"}`, and `"dry_run": true` to see in
`file_candidates` what would be loaded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetAlias, Param, TriggerRule, dag, task

from powersense.dag_defaults import START_DATE, high_memory_queue, task_defaults
from powersense.quality.callbacks import last_step

DAG_ID = "load_files"
CHANGED_LEDGER = AssetAlias("changed_ledger")
PARAMS = {
    "ingestion": Param(type="string", minLength=1, description="Name of a declared ingestion"),
    "dry_run": Param(False, type="boolean", description="Only list what would be loaded"),
    "full_listing": Param(False, type="boolean", description="List everything, not only the newest dated folders"),
    "scheduled_for": Param(None, type=["null", "string"], description="Tick of the schedule; schedule_file_loads's"),
    "request_id": Param(None, type=["null", "string"], description="Request of the Data API; schedule_file_loads's"),
}


@dag(
    dag_id=DAG_ID,
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=16,
    params=PARAMS,
    # What went wrong stands in file_runs, from where check_data_quality raises the alerts.
    default_args=task_defaults(
        retries=2, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(hours=2), has_alerts=False
    ),
    doc_md=__doc__,
    tags=["powersense", "ingestion", "files"],
)
def load_files() -> None:
    """Load what is new in one ingestion's store."""

    @task
    def start(**context: Any) -> None:
        from powersense.autoloader import tasks

        tasks.start(context)

    @task
    def discover(**context: Any) -> Any:
        from powersense.autoloader import tasks

        return tasks.discover(context)

    @task
    def compare(listing: Any, **context: Any) -> Any:
        from powersense.autoloader import tasks

        return tasks.compare(listing, context)

    @task
    def plan(comparison: Any, pool: Any, **context: Any) -> list[Any]:
        from powersense.autoloader import tasks

        return tasks.plan(comparison, pool, context)

    # More tries than any declaration may ask for: the task itself ends them where the ingestion's retries are used up.
    @task(pool="file_loads", retries=10, execution_timeout=timedelta(hours=25))
    def load(batch: Any, **context: Any) -> Any:
        from powersense.autoloader import tasks

        return tasks.load(batch, context)

    @task(outlets=[CHANGED_LEDGER], trigger_rule=TriggerRule.ALL_DONE)
    def announce(**context: Any) -> int:
        from powersense.autoloader import tasks

        return tasks.announce(context, alias=CHANGED_LEDGER)

    @task(trigger_rule=TriggerRule.ALL_DONE, **last_step(has_alerts=False))
    def finish(**context: Any) -> Any:
        from powersense.autoloader import tasks

        return tasks.finish(context)

    listing = discover()
    comparison = compare(listing)
    large = load.override(task_id="load_large", pool="file_loads_high_memory", **high_memory_queue())
    plan_large = plan.override(task_id="plan_large")
    batches, large_batches = plan(comparison, "default"), plan_large(comparison, "high_memory")
    start() >> listing
    [load.expand(batch=batches), large.expand(batch=large_batches)] >> announce() >> finish()


load_files()
