"""### Build the dbt models.

Runs when ingestion brought rows of load or of weather.

1. **build_models** runs dbt once: models in order, each tested before what reads it, so that a failed test of error
   severity leaves the marts behind it as they were. What became of each model and test is kept in `dbt_results`.
2. **models** shows each model as a task, in groups staging, intermediate and marts: red where the model or a test on it
   failed. Cleared alone, a task builds and tests its model again.
3. **publish_marts** tells that all marts are fresh (asset `marts`).

Trigger it by hand at any time; with `{"start": …, "end": …}` coverage is counted as of `end`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag

from powersense.assets import MARTS, MEASUREMENTS, WEATHER
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import TASK_CALLBACKS, last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import window_params
from powersense.transform.tasks import build_models, model_tasks, template_macros

DAG_ID = "transform_warehouse"


@dag(
    dag_id=DAG_ID,
    schedule=MEASUREMENTS | WEATHER,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    user_defined_macros=template_macros(),
    deadline=lateness(DAG_ID, minutes=15),
    # No retries: the next rows start the next run. Only build_models alerts, since the others show its outcome.
    default_args=task_defaults(
        retries=0, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(minutes=30), has_alerts=False
    ),
    doc_md=__doc__,
    tags=["powersense", "dbt"],
)
def transform_warehouse() -> None:
    """Build and test the models, then tell that the marts are fresh."""
    build = build_models("build_models", **TASK_CALLBACKS)
    models = model_tasks("models", built_by=build.task_id)
    build >> models >> EmptyOperator(task_id="publish_marts", outlets=[MARTS], **last_step(has_alerts=False))


transform_warehouse()
