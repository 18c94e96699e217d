"""### Forecast the load of the next seven days.

Every hour, for each of the 13 areas: 336 half-hours from the issue time (the end of the run's interval) on, with
quantiles, into `forecasts`. A forecast is stored once and stays as it was issued.

- The ladder: champion, last good model, without weather, analogue, last week. A rung that fails (its file, its input,
  what it gives) steps down; the rows say to which level and why, and the alert `forecast_fallback` tells.
- Load before the issue time counts, and weather forecasts and models as they were known at it: a backfilled hour sees
  none of later days.
- Where something was issued, the asset `forecasts` starts what reads it.

Backfill it with `airflow backfill create --dag-id forecast_load …`, or trigger it with `{"start": …, "end": …}` for
every whole hour of that range, and `{"areas": ["Bretagne"]}` for some areas.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from powersense.assets import FORECASTS
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "forecast_load"
AREAS = Param(None, type=["null", "array", "string"], description='Areas, such as ["Bretagne"]; empty: all')


@dag(
    dag_id=DAG_ID,
    schedule=cron("0 * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,
    params=window_params() | {"areas": AREAS},
    deadline=lateness(DAG_ID, minutes=15),
    default_args=task_defaults(retries=2, retry_delay=timedelta(seconds=20), execution_timeout=timedelta(hours=1)),
    doc_md=__doc__,
    tags=["powersense", "forecasting"],
)
def forecast_load() -> None:
    """Bring the next issue into `forecasts`."""

    @task(outlets=[FORECASTS], **last_step())
    def issue(**context: Any) -> dict[str, int]:
        from powersense.contracts import chosen_areas
        from powersense.forecast import issue_window

        areas = chosen_areas(context["params"].get("areas"))
        counts = issue_window(window(context), areas=areas, run_id=context["run_id"])
        if not counts["areas_issued"]:
            raise AirflowSkipException(f"nothing to issue: {counts}")
        context["outlet_events"][FORECASTS].extra = counts
        return counts

    issue()


forecast_load()
