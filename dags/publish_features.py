"""### Publish the load of the areas to the stream.

Runs when ingestion brought rows: each half-hour of the 13 areas that is new, or was revised since, becomes a message of
features in the topic `extracted-features`, back to `STREAM_PUBLISH_HOURS`.

- Message: the area as `asset_id`, `load` as `sensor_id`, the features of `detection/stream/load_features.py`; unit,
  load, vintage, version and run in `metadata`. Keyed by area, in order of time.
- What was published stands in `stream_published`, so nothing is sent twice; a run that died before it could write that
  down sends the same messages again.
- Without a broker (`KAFKA_BOOTSTRAP_SERVERS`) it is skipped and says so.

Trigger it at any time; with `{"start": …, "end": …}` it publishes what is due as of `end`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from powersense.assets import MEASUREMENTS
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import window_params
from powersense.window import window

DAG_ID = "publish_features"


@dag(
    dag_id=DAG_ID,
    schedule=MEASUREMENTS,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    deadline=lateness(DAG_ID, minutes=15),
    default_args=task_defaults(retries=2, retry_delay=timedelta(seconds=20), execution_timeout=timedelta(minutes=5)),
    doc_md=__doc__,
    tags=["powersense", "streaming"],
)
def publish_features() -> None:
    """Bring the topic `extracted-features` up to the stored load."""

    @task(**last_step())
    def publish(**context: Any) -> dict[str, int]:
        from powersense.streaming.presence import NOT_SET_UP, is_set_up
        from powersense.streaming.publishing import publish_due

        if not is_set_up():
            raise AirflowSkipException(NOT_SET_UP)
        counts = publish_due(window(context).end, context["run_id"])
        if not counts["messages"]:
            raise AirflowSkipException(f"no half-hour is new or revised: {counts}")
        return counts

    publish()


publish_features()
