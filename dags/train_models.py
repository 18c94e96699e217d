"""### Train the models that forecast the load.

Once a day, for each of the 13 areas, a mapped task:

1. **plan** chooses the areas and the kind of training: `light`, and `full` on Sundays.
2. **train**: light fits the champion's kind again on newer data. Full, and wherever there is no champion yet, fits each
   kind on what lies before the last four weeks, measures it on daily issues in them, and promotes a challenger that is
   better by `FORECAST_PROMOTION_MARGIN`. What wins is fitted on everything and stored in `MODEL_STORE_URL`; `models`
   has a row for each model, `model_decisions` one for each decision. Where too little is known, the champion stands.

Beside them, **train_stream** trains the ensemble that scores the areas' feature messages: in full runs, and wherever
none is there. Without a broker (`KAFKA_BOOTSTRAP_SERVERS`) it is skipped and says so.

Trigger it with `{"kind": "full"}`, `{"areas": ["Bretagne"]}`, `{"part": "stream"}` or `{"part": "forecast"}` for one of
the two, or `{"rollback": true}` to bring the previous champions (of all areas, or of `areas`) back; with
`{"start": …, "end": …}` it trains on what lies before `end`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "train_models"
PARAMS = {
    "kind": Param(None, type=["null", "string"], enum=[None, "light", "full"], description="light or full"),
    "areas": Param(None, type=["null", "array", "string"], description='Areas, such as ["Bretagne"]; empty: all'),
    "part": Param(None, type=["null", "string"], enum=[None, "forecast", "stream"], description="Only one of the two"),
    "rollback": Param(False, type="boolean", description="Bring the previous champions back in place of training"),
}


@dag(
    dag_id=DAG_ID,
    schedule=cron("40 3 * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params() | PARAMS,
    deadline=lateness(DAG_ID, minutes=120),
    default_args=task_defaults(retries=2, retry_delay=timedelta(minutes=1), execution_timeout=timedelta(minutes=30)),
    doc_md=__doc__,
    tags=["powersense", "forecasting"],
)
def train_models() -> None:
    """Bring `models`, `model_decisions` and `stream_models` up to what is known of load and weather."""

    @task
    def plan(**context: Any) -> list[Any]:
        from powersense.train import plan_training

        asked = context["params"]
        if asked.get("part") == "stream":
            raise AirflowSkipException("only the stream's ensemble is asked for")
        return plan_training(
            window(context), kind=asked.get("kind"), areas=asked.get("areas"), is_rollback=bool(asked.get("rollback"))
        )

    @task(pool="training")
    def train(job: Any, **context: Any) -> Any:
        from powersense.train import run_job

        return run_job(job, now=window(context).end, run_id=context["run_id"])

    # First of the pool: it is one short task, and the stream holds its messages until then.
    @task(pool="training", priority_weight=100, weight_rule="absolute")
    def train_stream(**context: Any) -> Any:
        from powersense.streaming.training import NothingToTrainError, train_as_asked

        try:
            return train_as_asked(context["params"], now=window(context).end, run_id=context["run_id"])
        except NothingToTrainError as reason:
            raise AirflowSkipException(str(reason)) from reason

    train.expand(job=plan())
    train_stream()


train_models()
