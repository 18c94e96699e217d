"""Which questions a run of weather ingestion asks, so that a missed day is asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from powersense.errors import ConfigurationError, MissingCredentialError
from powersense.ingest.jobs import Job, job, split_by_year
from powersense.settings import get_settings
from powersense.window import Window

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# What the observation API remembers; a range longer than that is history.
API_MEMORY = timedelta(hours=24)
# A department is one request; a failed job repeats at most so many of them.
DEPARTMENTS_PER_JOB = 16
# A file of hourly climatology reaches to the day before, or the one before that.
FILE_DELAY = timedelta(hours=36)
# Files also bring corrections and quality codes of past months: each department's is read again once a week.
REREAD_EVERY_HOURS = 168
REREAD_DAYS = 60

MayMiss = Literal["nothing", "some", "all"]


class WeatherJob(Job):
    """One task's questions to one upstream.

    Attributes:
        departments: two digits each; empty for SYNOP, which has all in one file.
        may_miss: which of its files need not be there: `nothing` of a long range that someone asked for, `some` months
            of the past, `all` of what is read in passing and comes again.
    """

    departments: list[str]
    may_miss: MayMiss


def chosen_departments(given: object = None) -> list[str]:
    """Return the departments of a run: its parameter `dept`, else `DEPT`, else all.

    Args:
        given: a list of codes, or one code; None where the run says nothing.

    Raises:
        ConfigurationError: a code is no department of mainland France or Corsica.
    """
    from powersense.stations import department, departments

    if given is None or given in ([], ""):
        given = [code for code in get_settings().dept.split(",") if code.strip()]
    codes = given if isinstance(given, list | tuple) else [given]
    if not all(isinstance(code, str | int) for code in codes):
        raise ConfigurationError(f'dept={given!r} must be a list of department codes, like ["09", "2A"]')
    return sorted({department(code) for code in codes}) or list(departments())


def plan_observations(window: Window, *, departments: Sequence[str], run_type: str) -> list[WeatherJob]:
    """Return what to ask the observation API: its last hours, or a range no longer than its memory.

    Args:
        window: of the run; its end is now.
        departments: from `chosen_departments`.
        run_type: Airflow's: scheduled, manual, backfill_job, …

    Raises:
        MissingCredentialError: the API's connection has no key.
    """
    from powersense.sources.meteo.observations import require_key

    if _is_history(window, run_type):
        return []
    require_key()
    start = window.start if _is_range(window) else window.end - timedelta(hours=get_settings().weather_lookback_hours)
    groups = [departments[at : at + DEPARTMENTS_PER_JOB] for at in range(0, len(departments), DEPARTMENTS_PER_JOB)]
    return [_job("observations", None, group, start, window.end) for group in groups]


def plan_files(window: Window, *, departments: Sequence[str], run_type: str) -> list[WeatherJob]:
    """Return which files to read.

    Of a range that someone asked for, and in a backfill: all that cover it. Else, each once: SYNOP of the years and
    months that no run has read since they were over; and, each once a day: files of hours that are missing in the last
    days, and one department's in turn, for corrections. Arguments as `plan_observations`.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.runs import succeeded_batches

    if _is_range(window) or _is_history(window, run_type):
        may_miss: MayMiss = "nothing" if _is_history(window, run_type) else "all"
        jobs = [*_synop(window.start, window.end), *_hourly(departments, window.start, window.end)]
        for one in jobs:
            one["may_miss"] = may_miss
        return jobs
    with connect("reader") as client:
        hourly = [*_in_turn(departments, window.end), *_with_missing_hours(client, departments, now=window.end)]
        planned = [*_past_synop(window.end), *_present_synop(client, departments, now=window.end), *hourly]
        done = {name.split("@")[0] for name in succeeded_batches(client, prefixes=["weather:synop", "weather:hourly"])}
    waiting: dict[str, WeatherJob] = {}
    for one in planned:
        if one["job_id"] not in done:
            waiting.setdefault(one["job_id"], one)
    files = [one for one in waiting.values() if one["source_id"] == "hourly"]
    return [
        *(one for one in waiting.values() if one["source_id"] != "hourly"),
        *files[: get_settings().weather_files_per_run],
    ]


def _past_synop(now: datetime) -> list[WeatherJob]:
    """Return the years since HISTORY_START_YEAR, and the months of this year, that are over."""
    first = datetime(get_settings().history_start_year, 1, 1, tzinfo=UTC)
    this_year = datetime(now.year, 1, 1, tzinfo=UTC)
    this_month = datetime(now.year, now.month, 1, tzinfo=UTC)
    years = [_job("synop", f"synop-{since.year}", [], since, until) for since, until in split_by_year(first, this_year)]
    jobs = [*years, *_synop(this_year, this_month, label="")]
    for one in jobs:
        # A wrong address must not pass for a past that is read and done with.
        one["may_miss"] = "some"
    return jobs


def _present_synop(client: Client, departments: Sequence[str], *, now: datetime) -> list[WeatherJob]:
    """Return the SYNOP months of the last days where the observation API leaves gaps: it has no key, or was down."""
    from powersense.sources.meteo.observations import require_key
    from powersense.warehouse.weather.reads import missing_hours

    try:
        require_key()
    except MissingCredentialError:
        return _synop(now - timedelta(days=2), now, label=f"-{now:%Y%m%dT%H}")
    since = now - timedelta(days=get_settings().weather_repair_days)
    if missing_hours(client, departments=departments, start=since, end=now - timedelta(hours=3)):
        return _synop(since, now, label=f"-{now:%Y%m%d}")
    return []


def _in_turn(departments: Sequence[str], now: datetime) -> list[WeatherJob]:
    """Return the file of the department whose turn this hour of the week is, if any."""
    hour = int(now.timestamp() // 3600) % REREAD_EVERY_HOURS
    start, end = now - timedelta(days=REREAD_DAYS), now - FILE_DELAY
    return _hourly(departments[hour : hour + 1], start, end, label=f"-{now:%Y%m%d}")


def _with_missing_hours(client: Client, departments: Sequence[str], *, now: datetime) -> list[WeatherJob]:
    from powersense.warehouse.weather.reads import missing_hours

    since = now - timedelta(days=get_settings().weather_repair_days)
    missing = missing_hours(client, departments=departments, start=since, end=now - FILE_DELAY)
    return [
        one
        for name, hours in missing.items()
        for one in _hourly([name], hours[0], hours[-1] + timedelta(hours=1), label=f"-{now:%Y%m%d}")
    ]


def _synop(start: datetime, end: datetime, *, label: str | None = None) -> list[WeatherJob]:
    from powersense.sources.meteo.files import months

    jobs = []
    for month in months(start, end):
        until = min(end, (month + timedelta(days=32)).replace(day=1))
        name = None if label is None else f"synop-{month:%Y%m}{label}"
        jobs.append(_job("synop", name, [], max(start, month), until))
    return jobs


def _hourly(
    departments: Sequence[str], start: datetime, end: datetime, *, label: str | None = None
) -> list[WeatherJob]:
    return [
        _job("hourly", None if label is None else f"hourly-{name}-{since.year}{label}", [name], since, until)
        for name in departments
        for since, until in split_by_year(start, end)
    ]


def _job(source_id: str, name: str | None, departments: Sequence[str], start: datetime, end: datetime) -> WeatherJob:
    """Return a job; one without a name of its own is named after its source, departments and range."""
    planned = job("weather", "-".join([source_id, *departments[:1]]), start.astimezone(UTC), end.astimezone(UTC))
    return {
        **planned,
        "job_id": f"weather:{name}" if name else planned["job_id"],
        "source_id": source_id,
        "departments": list(departments),
        "may_miss": "all",
    }


def _is_range(window: Window) -> bool:
    return window.is_explicit and not window.is_empty


def _is_history(window: Window, run_type: str) -> bool:
    """Tell whether a run is about hours that the observation API no longer remembers."""
    return run_type.startswith("backfill") or (_is_range(window) and window.end - window.start > API_MEMORY)
