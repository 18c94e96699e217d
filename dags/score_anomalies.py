"""### Score the load for anomalies.

Every quarter of an hour: give each new, late or revised load of the 13 areas a z-score against its baseline, and let
anomalies and episodes follow from it.

- Baseline: the same day type (public holidays are one) and 15-minute Paris-local bucket, over a year, relative to the
  level of the week before; median and MAD. `docs/how-scoring-works.md` has the rule and its measured hits.
- Beside it, where forecasts are stored: each load against those issued a day and an hour before.
- Scoring again replaces. A revision that heals an anomaly retracts it, and shrinks or retracts its episode.
- Where something was scored, the asset `scores` starts what reads it.

Trigger it with `{"start": …, "end": …}` to score that whole range again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from powersense.assets import SCORES
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "score_anomalies"


@dag(
    dag_id=DAG_ID,
    schedule=cron("*/15 * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    deadline=lateness(DAG_ID, minutes=15),
    default_args=task_defaults(retries=2, retry_delay=timedelta(seconds=20), execution_timeout=timedelta(minutes=15)),
    doc_md=__doc__,
    tags=["powersense", "scoring"],
)
def score_anomalies() -> None:
    """Bring `scores`, `anomalies` and `episodes` up to what is known of the load."""

    @task(outlets=[SCORES], **last_step())
    def score(**context: Any) -> dict[str, int]:
        from powersense.score import score_window

        counts = score_window(window(context), context["run_id"])
        if not counts["points_scored"]:
            raise AirflowSkipException("no load is new, late or revised")
        context["outlet_events"][SCORES].extra = counts
        return counts

    score()


score_anomalies()
