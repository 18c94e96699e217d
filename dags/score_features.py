"""### Score the stream in micro-batches.

For sites that want no extra process: every minute, take what waits in the topic `extracted-features`, score it, publish
the results to `anomalies-detected`, and land them in ClickHouse.

1. **score** is a member of the worker's consumer group and calls its scoring function, so that both may stand in for
   each other: a message is scored by one of them. It stops at the end of the topic, or after
   `STREAM_MICRO_BATCH_SECONDS`.
2. **land** writes results and dead letters to `stream_results` and `stream_dead_letters`.

- While a worker (`python -m powersense.streaming`) lives, both are skipped: each join would move partitions between the
  two. `STREAM_MICRO_BATCHES` is `always` or `off` for sites that want it otherwise.
- Without a broker (`KAFKA_BOOTSTRAP_SERVERS`), or a trained ensemble, it is skipped and says so.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.deadlines import lateness
from powersense.schedules import cron

DAG_ID = "score_features"


@dag(
    dag_id=DAG_ID,
    schedule=cron("* * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    deadline=lateness(DAG_ID, minutes=10),
    # The next minute's run takes what this one could not.
    default_args=task_defaults(retries=0, retry_delay=timedelta(seconds=10), execution_timeout=timedelta(minutes=15)),
    doc_md=__doc__,
    tags=["powersense", "streaming"],
)
def score_features() -> None:
    """Bring `anomalies-detected` and its tables up to what waits in `extracted-features`."""

    @task
    def score() -> dict[str, int]:
        from powersense.streaming.batches import score_waiting, why_not_now

        reason = why_not_now()
        if reason:
            raise AirflowSkipException(reason)
        return score_waiting()

    @task
    def land() -> dict[str, int]:
        from powersense.streaming.batches import land_waiting

        return land_waiting()

    score() >> land()


score_features()
