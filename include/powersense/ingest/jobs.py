"""What is handed from a planning task to the task that fetches: plain values that fit XCom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict


class Job(TypedDict):
    """One question to one upstream.

    Attributes:
        job_id: name of the question; the same in every run that asks it.
        source_id: a source of the catalogue.
        start, end: half-open range of instants, ISO 8601 in UTC.
        urls: files to read instead of asking the portal; the portal answers where one of them is not there.
    """

    job_id: str
    source_id: str
    start: str
    end: str
    urls: NotRequired[list[str]]


class Batch(TypedDict):
    """A landed batch: its key, and what a run record needs to be finished.

    Attributes:
        batch_id: key of the landing and of the run record.
        records_seen: records that upstream gave.
        rows_landed: measurement rows landed.
        rows_quarantined: quarantine rows written.
    """

    batch_id: str
    records_seen: int
    rows_landed: int
    rows_quarantined: int


def batch_id_of(job: Job, run_id: str) -> str:
    """Return the name of the batch that a run makes of a job; the same when its task is tried again."""
    return f"{job['job_id']}@{run_id}"


def job(prefix: str, source_id: str, start: datetime, end: datetime) -> Job:
    """Return a job that is named after its range.

    >>> job("live", "national", datetime(2017, 9, 30, tzinfo=UTC), datetime(2017, 10, 1, tzinfo=UTC))["job_id"]
    'live:national:20170930T000000:20171001T000000'
    """
    name = f"{prefix}:{source_id}:{start:%Y%m%dT%H%M%S}:{end:%Y%m%dT%H%M%S}"
    return {"job_id": name, "source_id": source_id, "start": start.isoformat(), "end": end.isoformat()}


def split(start: datetime, end: datetime, *, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Yield consecutive half-open pieces of [start, end), each at most `days` long."""
    while start < end:
        until = min(end, start + timedelta(days=days))
        yield start, until
        start = until


def split_by_year(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the pieces of [start, end) that lie in one UTC year each."""
    while start < end:
        until = min(end, datetime(start.year + 1, 1, 1, tzinfo=UTC))
        yield start, until
        start = until
