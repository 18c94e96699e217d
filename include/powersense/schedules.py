"""When the DAGs run and for which window: timetables with real data intervals, a switch for all, and two parameters."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TypeAlias

from airflow.sdk import CronDataIntervalTimetable, DeltaDataIntervalTimetable, Param

from powersense.errors import ConfigurationError

Timetable: TypeAlias = "CronDataIntervalTimetable | DeltaDataIntervalTimetable"


def schedules_are_on() -> bool:
    """Tell whether DAGs run by the clock; `POWERSENSE_SCHEDULES=off` leaves only triggers and assets."""
    value = os.environ.get("POWERSENSE_SCHEDULES", "on").lower()
    if value not in {"on", "off"}:
        raise ConfigurationError(f"POWERSENSE_SCHEDULES={value!r} is neither 'on' nor 'off'")
    return value == "on"


def cron(expression: str) -> Timetable | None:
    """Return a UTC timetable with data intervals for a cron expression, or None when schedules are off."""
    return CronDataIntervalTimetable(expression, timezone="UTC") if schedules_are_on() else None


def every_ingest_interval() -> Timetable | None:
    """Return the ingestion timetable: `INGEST_INTERVAL_SECONDS`, on the clock's minutes where it divides the hour.

    Raises:
        ConfigurationError: the variable is no whole number of seconds between 60 and 86400.
    """
    text = os.environ.get("INGEST_INTERVAL_SECONDS") or "300"
    if not text.isdigit() or not 60 <= int(text) <= 86_400:
        raise ConfigurationError(f"INGEST_INTERVAL_SECONDS={text!r} must be a whole number from 60 to 86400")
    seconds = int(text)
    if seconds % 60 == 0 and 3600 % seconds == 0 and seconds < 3600:
        return cron(f"*/{seconds // 60} * * * *")
    return DeltaDataIntervalTimetable(timedelta(seconds=seconds)) if schedules_are_on() else None


def window_params() -> dict[str, Param]:
    """Return the parameters `start` and `end` by which a run is told its window; see `powersense.window`.

    Two objects, made anew for each DAG: Airflow keeps a run's value in the Param itself, so that a shared one gives
    both the value of the later.
    """
    description = "ISO 8601 instant, UTC unless it names another zone"
    return {name: Param(None, type=["null", "string"], description=description) for name in ("start", "end")}
