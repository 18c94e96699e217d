"""### Start the file loads that are due.

Every minute:

1. **sync** brings `file_ingestions` up to the YAML files of `FILE_INGESTIONS_FOLDER`. A wrong file fails the task by
   name, and leaves all other ingestions as they are.
2. **find_due** asks which ingestions a schedule or somebody at the Data API wants to run now. Runs that were missed are
   not made up for, since one run loads all that has come; an ingestion whose run is still under way waits.
3. **start**, a mapped task a run, triggers `load_files`. The run's id names the tick or the request, so that nothing
   starts twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import TriggerRule, dag, task

from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.deadlines import lateness
from powersense.schedules import cron

DAG_ID = "schedule_file_loads"


@dag(
    dag_id=DAG_ID,
    schedule=cron("* * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    deadline=lateness(DAG_ID, minutes=10),
    # The next minute's run takes what this one could not.
    default_args=task_defaults(retries=0, retry_delay=timedelta(seconds=10), execution_timeout=timedelta(minutes=5)),
    doc_md=__doc__,
    tags=["powersense", "ingestion", "files"],
)
def schedule_file_loads() -> None:
    """Trigger `load_files` for each ingestion that is due."""

    @task
    def sync() -> dict[str, int]:
        from powersense.autoloader.steps import sync_declarations

        return sync_declarations()

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def find_due() -> list[Any]:
        from powersense.autoloader.steps import find_due

        return find_due(datetime.now(UTC))

    starts = find_due()
    sync() >> starts
    TriggerDagRunOperator.partial(
        task_id="start", trigger_dag_id="load_files", skip_when_already_exists=True
    ).expand_kwargs(starts)


schedule_file_loads()
