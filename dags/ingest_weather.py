"""### Ingest observed and forecast weather.

Every hour, for the departments of the parameter `dept` (a list such as `["09", "2A"]`; by default `DEPT`, else all of
mainland France and Corsica):

1. **plan_observations**, **read_observations**: the last 24 hours of each department from Météo-France's observation
   API, a mapped task for 16 departments. Without an API key in the connection `meteo_france_default` the plan is
   skipped and says so; SYNOP, every three hours, stands in.
2. **plan_files**, **read_files**: SYNOP files of months that no run has read yet; SYNOP and hourly climatology files of
   hours that are missing in the last days; one department's file in turn, for corrections of past weeks.
3. **read_forecast** keeps Open-Meteo's forecast of the next eight days as it was issued, in `weather_forecasts`.
4. **announce** sums up; where a value is new or revised, the asset `weather_observations` starts what reads it.
5. **report_failures** turns the run red where a task failed for good; what the others brought is stored all the same.

Each record becomes versions in `weather_observations`; what breaks the contract goes to `quarantine`.

Trigger it with `{"dept": ["09"]}`, or with `{"start": …, "end": …}` to read the files of a range of the past.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task

from powersense.assets import WEATHER
from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "ingest_weather"
DEPARTMENTS = Param(None, type=["null", "array", "string"], description='Department codes, such as ["09", "2A"]')


@dag(
    dag_id=DAG_ID,
    # Hourly reports are public about ten minutes past the hour.
    schedule=cron("12 * * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,
    params=window_params() | {"dept": DEPARTMENTS},
    deadline=lateness(DAG_ID, minutes=45),
    default_args=task_defaults(retries=2, retry_delay=timedelta(minutes=1), execution_timeout=timedelta(minutes=15)),
    doc_md=__doc__,
    tags=["powersense", "ingestion", "weather"],
)
def ingest_weather() -> None:
    """Bring weather into `weather_observations` and `weather_forecasts`."""

    @task
    def plan_observations(**context: Any) -> list[Any]:
        from powersense.weather import chosen_departments, plan_observations, skip_without_key

        departments = chosen_departments(context["params"].get("dept"))
        with skip_without_key():
            return plan_observations(window(context), departments=departments, run_type=context["dag_run"].run_type)

    @task
    def plan_files(**context: Any) -> list[Any]:
        from powersense.weather import chosen_departments, plan_files

        departments = chosen_departments(context["params"].get("dept"))
        return plan_files(window(context), departments=departments, run_type=context["dag_run"].run_type)

    @task(pool="weather")
    def read_observations(job: Any, **context: Any) -> Any:
        from powersense.ingest import no_retry_where_useless
        from powersense.weather import fetch_observations

        with no_retry_where_useless():
            return fetch_observations(job, run_id=context["run_id"], dag_id=DAG_ID)

    @task(pool="bootstrap", execution_timeout=timedelta(minutes=30))
    def read_files(job: Any, **context: Any) -> Any:
        from powersense.ingest import no_retry_where_useless
        from powersense.weather import fetch_files

        with no_retry_where_useless():
            return fetch_files(job, run_id=context["run_id"], dag_id=DAG_ID)

    @task
    def read_forecast(**context: Any) -> dict[str, int]:
        from powersense.weather import store_forecasts

        return store_forecasts(window(context), run_id=context["run_id"])

    @task(outlets=[WEATHER], trigger_rule=TriggerRule.ALL_DONE, **last_step())
    def announce(observed: Any, read: Any, **context: Any) -> Any:
        from powersense.ingest import announce

        return announce([*(observed or [])[:], *(read or [])[:]], context["outlet_events"][WEATHER])

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0)
    def report_failures(**context: Any) -> None:
        from powersense.ingest import fail_with_reasons

        fail_with_reasons(run_id=context["run_id"])

    observed, read = read_observations.expand(job=plan_observations()), read_files.expand(job=plan_files())
    announce(observed, read)
    [observed, read, read_forecast()] >> report_failures()


ingest_weather()
