"""Météo-France's files: hourly climatology by department and period, SYNOP by month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from powersense.errors import SourceNotFoundError
from powersense.settings import Settings, get_settings
from powersense.sources.meteo.records import Answer
from powersense.sources.meteo.source import meteo_source
from powersense.sources.meteo.tables import parse_table
from powersense.sources.transport import Answer as HttpAnswer
from powersense.sources.transport import Portal, open_files


def fetch_hourly(department: str, *, start: datetime, end: datetime, present_years: Iterable[int]) -> Answer:
    """Return a department's hourly records of [start, end), all within one calendar year.

    Args:
        department: two digits; `20` for Corsica.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        present_years: years that the publisher may be in, which its file names speak of; the likeliest first.

    Raises:
        SourceNotFoundError: no file of any name holds that year; names those that were asked for.
        SourceError: see transport.Portal.ask, and meteo_tables.parse_table.
    """
    source = meteo_source("hourly")
    periods = hourly_periods(start.year, present_years=present_years)
    names = [source.address.format(department=department, period=period) for period in periods]
    settings = get_settings()
    with open_files(settings, root=settings.meteo_hourly_url, access="METEO_HOURLY_URL") as server:
        for name in names:
            try:
                return _fetch(server, source.id, name, start=start, end=end)
            except SourceNotFoundError:
                continue
    raise SourceNotFoundError(f"{settings.meteo_hourly_url} has none of {names}; correct METEO_HOURLY_URL, or wait")


def fetch_synop(month: datetime, *, start: datetime, end: datetime, settings: Settings | None = None) -> Answer:
    """Return the SYNOP records of [start, end) from one month's file.

    Args:
        month: any instant of the month, UTC.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        settings: base URL, time-outs; the process's by default.

    Raises:
        SourceNotFoundError: there is no file of that month.
        SourceError: see transport.Portal.ask, and meteo_tables.parse_table.
    """
    settings = settings or get_settings()
    name = meteo_source("synop").address.format(month=f"{month:%Y%m}")
    with open_files(settings, root=settings.synop_url, access="SYNOP_URL") as server:
        return _fetch(server, "synop", name, start=start, end=end)


def hourly_periods(year: int, *, present_years: Iterable[int]) -> list[str]:
    """Return the periods whose file may hold a year, as file names spell them.

    The last two years have a file; the years of their decade before these have one; earlier decades one each.

    >>> hourly_periods(2021, present_years=[2026])
    ['previous-2020-2024', '2020-2029']
    >>> hourly_periods(2025, present_years=[2026])
    ['latest-2025-2026']
    """
    found: list[str] = []
    decade = year // 10 * 10
    for present in present_years:
        if year >= present - 1:
            found.append(f"latest-{present - 1}-{present}")
        else:
            first = (present - 2) // 10 * 10
            found += [f"previous-{first}-{present - 2}"] if year >= first else []
            found.append(f"{decade}-{decade + 9}")
    return list(dict.fromkeys(found))


def months(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the first instant of each month that [start, end) touches, UTC."""
    month = start.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < end:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _fetch(server: Portal, source_id: str, name: str, *, start: datetime, end: datetime) -> Answer:
    source = meteo_source(source_id)

    def parse(answer: HttpAnswer) -> Answer:
        return parse_table(answer.body, source, name=name, retrieved_at=answer.retrieved_at, start=start, end=end)

    return server.ask(name, {}, parse)
