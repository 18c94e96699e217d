"""Which questions a run asks upstream, so that no gap stays between history and now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from powersense.contracts import LOAD_METRIC
from powersense.ingest.history import urls_for
from powersense.ingest.jobs import Job, job, split, split_by_year
from powersense.settings import get_settings
from powersense.sources.catalogue import sources_of
from powersense.sources.source import Source
from powersense.window import Window

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LIVE_PIECE_DAYS = 16
RECONCILED_DAYS = 60
RECONCILED_MONTHS = 36
RECONCILE_PIECE_DAYS = 31
RECENT = timedelta(days=2)


def plan_history(window: Window) -> list[Job]:
    """Return the years of consolidated and definitive history that no run has loaded yet, oldest first.

    After an outage longer than a live dataset reaches back, the range since the newest stored instant is planned too.

    Args:
        window: of the run; its end is now.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.runs import succeeded_batches

    with connect("reader") as client:
        batches = succeeded_batches(client, prefixes=["history:", "outage:"])
        newest = newest_loads(client, sources_of("history"), window=window)
    done = {batch_id.split("@")[0] for batch_id in batches}
    jobs: list[Job] = []
    for source in sources_of("history"):
        jobs += yearly_jobs(source, end=window.end)
        jobs += after_long_outage(source, newest=newest[source.id], end=window.end)
    missing = [planned for planned in jobs if planned["job_id"] not in done]
    return sorted(missing, key=lambda planned: (planned["start"], planned["source_id"]))


def plan_live(window: Window) -> list[Job]:
    """Return what to ask the live sources: the last day, or all since the newest stored instant; else as told.

    Args:
        window: of the run; an explicit range is asked for as it is, unless nothing is stored yet.
    """
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        newest = newest_loads(client, sources_of("live"), window=window)
    return [
        planned
        for source in sources_of("live")
        for planned in live_jobs(source, newest=newest[source.id], window=window)
    ]


def plan_reconciliation(window: Window, *, run_type: str) -> list[Job]:
    """Return which past ranges to read again, in every vintage.

    A scheduled run reads the last 60 days, and one of the 36 months before in turn. A backfill or a run with an
    explicit range reads exactly its interval.

    Args:
        window: of the run; its end is now.
        run_type: Airflow's: scheduled, manual, backfill_job, …
    """
    is_scheduled = window.is_empty or (run_type == "scheduled" and not window.is_explicit)
    ranges = [(window.start, window.end)]
    if is_scheduled:
        ranges = [(window.end - timedelta(days=RECONCILED_DAYS), window.end), month_in_turn(window.end)]
    return [
        job("reconcile", source.id, since, until)
        for start, end in ranges
        for source in (*sources_of("history"), *sources_of("live"))
        for since, until in split(start, end, days=RECONCILE_PIECE_DAYS)
        if source.role == "history" or not is_scheduled or until > window.end - timedelta(days=source.retention_days)
    ]


def yearly_jobs(source: Source, *, end: datetime) -> list[Job]:
    """Return a history source's jobs from its first year to `end`, each named after its year."""
    first = max(source.first_year, get_settings().history_start_year)
    jobs: list[Job] = []
    for since, until in split_by_year(datetime(first, 1, 1, tzinfo=UTC), end):
        planned = job("history", source.id, since, until)
        planned["job_id"] = f"history:{source.id}:{since.year}"
        urls = urls_for(source, since.year, get_settings().history_data_url)
        if urls:
            planned["urls"] = urls
        jobs.append(planned)
    return jobs


def after_long_outage(source: Source, *, newest: datetime | None, end: datetime) -> list[Job]:
    """Return the jobs from the newest stored load to `end`, where live datasets no longer reach back that far.

    They are named after that load and their year: while nothing newer is published, they are not asked for again.
    """
    if newest is None or end - newest <= timedelta(days=source.retention_days):
        return []
    jobs = [job("outage", source.id, since, until) for since, until in split_by_year(newest, end)]
    for planned in jobs:
        planned["job_id"] = f"outage:{source.id}:{newest:%Y%m%dT%H%M%S}:{planned['start'][:4]}"
    return jobs


def live_jobs(source: Source, *, newest: datetime | None, window: Window) -> list[Job]:
    """Return the jobs of a live source, in pieces of LIVE_PIECE_DAYS at most."""
    reach = window.end - timedelta(days=source.retention_days)
    if newest is None:
        start = min(reach, window.start)
    elif window.is_explicit and not window.is_empty:
        start = window.start
    else:
        start = max(reach, min(newest, window.end - timedelta(hours=get_settings().ingest_lookback_hours)))
    return [job("live", source.id, since, until) for since, until in split(start, window.end, days=LIVE_PIECE_DAYS)]


def month_in_turn(now: datetime) -> tuple[datetime, datetime]:
    """Return the month that today's scheduled run reads again: one of the 36 before the last 60 days, in rotation.

    >>> month_in_turn(datetime(2020, 5, 2, tzinfo=UTC))[0].isoformat()
    '2018-09-01T00:00:00+00:00'
    """
    months_back = 2 + now.date().toordinal() % RECONCILED_MONTHS
    first = now.year * 12 + now.month - 1 - months_back
    return _month_start(first), _month_start(first + 1)


def _month_start(months: int) -> datetime:
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def newest_loads(client: Client, sources: list[Source], *, window: Window) -> dict[str, datetime | None]:
    """Return by source id the newest instant with a stored load, of any vintage and area; None without any.

    One look at the last days answers for all sources, unless one of them has been silent for longer.
    """
    from powersense.warehouse.reads import newest_by_series, newest_observed_at

    loads = {source.id: _load_metric(source) for source in sources}
    recent = newest_by_series(client, metrics=sorted(set(loads.values())), since=window.end - RECENT)
    newest: dict[str, datetime | None] = {}
    for source in sources:
        areas = source.areas or ((source.fixed_area,) if source.fixed_area else None)
        found = [
            instant
            for (metric, area, publisher), instant in recent.items()
            if (metric, publisher) == (loads[source.id], source.publisher) and (areas is None or area in areas)
        ]
        newest[source.id] = max(found, default=None) or newest_observed_at(
            client, metric=loads[source.id], area=areas, publisher=source.publisher
        )
    return newest


def _load_metric(source: Source) -> str:
    return source.expected_metrics[0] if source.expected_metrics else LOAD_METRIC
