"""### Keep the warehouse in shape.

Once a day:

1. **update_schema** applies pending migrations, refuses edited ones, and extends the calendar of days.
2. **expire** drops landed rows and quarantined records past `LANDING_RETENTION_DAYS` and `QUARANTINE_RETENTION_DAYS`,
   and rows of loaded files that no reader sees: earlier contents, and loads that a crash cut short.
3. **compact** merges the partitions that have many parts.

Each step returns its counts, and can be repeated at will.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from powersense.dag_defaults import START_DATE, task_defaults
from powersense.quality.callbacks import last_step
from powersense.quality.deadlines import lateness
from powersense.schedules import cron, window_params
from powersense.window import window

DAG_ID = "maintain_warehouse"


@dag(
    dag_id=DAG_ID,
    schedule=cron("20 2 * * *"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params=window_params(),
    deadline=lateness(DAG_ID, minutes=60),
    default_args=task_defaults(retries=2, retry_delay=timedelta(minutes=2), execution_timeout=timedelta(minutes=30)),
    doc_md=__doc__,
    tags=["powersense", "maintenance"],
)
def maintain_warehouse() -> None:
    """Update the schema, expire what is old, compact what is scattered."""

    @task
    def update_schema() -> dict[str, int]:
        from powersense.maintain import update_schema

        return update_schema()

    @task
    def expire(**context: Any) -> dict[str, int]:
        from powersense.maintain import expire

        return expire(window(context).end)

    @task(**last_step())
    def compact() -> dict[str, int]:
        from powersense.maintain import compact

        return compact()

    update_schema() >> expire() >> compact()


maintain_warehouse()
