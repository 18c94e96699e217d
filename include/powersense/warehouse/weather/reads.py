"""Reads of the weather by area, observed and forecast, as known at an instant; and where stored weather has holes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.warehouse.reads import EVER, read_frame
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

HOUR = timedelta(hours=1)
# A range longer than this is read in pieces: a month of all stations is some three million reports.
_PIECE = timedelta(days=92)


def observed_weather(
    client: Client, *, areas: Sequence[str], start: datetime, end: datetime, as_of: datetime = EVER
) -> pd.DataFrame:
    """Return the hourly weather of [start, end) as it was known at `as_of`.

    Args:
        client: any role's client.
        areas: regions, and France, which is the mean of its regions by population.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        as_of: only what had been inserted by then counts, UTC.

    Returns:
        One row per (area, observed_at) for which a station reported, sorted; columns area, observed_at (UTC),
        temperature_c (°C), wind_speed_ms (m/s, at 10 m), cloud_cover_pct (%); NaN where no station measures it.
        The rule stands in the view `weather_by_area_between`.
    """
    import pandas as pd

    pieces: list[pd.DataFrame] = []
    while start < end or not pieces:
        until = min(end, start + _PIECE)
        parameters = {"areas": list(areas), "start": start, "end": until, "as_of": as_of}
        pieces.append(_frame(client, "observed_weather", parameters, instants=("observed_at",)))
        start = until
    whole = pd.concat(pieces, ignore_index=True) if len(pieces) > 1 else pieces[0]
    return whole.sort_values(["area", "observed_at"], ignore_index=True)


def latest_weather_forecast(
    client: Client, *, areas: Sequence[str], as_of: datetime, start: datetime, end: datetime
) -> pd.DataFrame:
    """Return each area's newest issued run, known at `as_of`, that has a temperature for all hours of [start, end).

    Args:
        client: any role's client.
        areas: regions, and France.
        as_of: runs issued or inserted later do not count, UTC.
        start: first target, UTC; a half-hour counts from the next whole hour on.
        end: end of the targets, exclusive, UTC.

    Returns:
        One row per (area, target_at), sorted; columns area, run_at (UTC), target_at (UTC, whole hours), temperature_c
        (°C), wind_speed_ms (m/s), cloud_cover_pct (%). An area without such a run has no row.
    """
    parameters = {
        "areas": list(areas),
        "as_of": as_of,
        "start": start,
        "end": end,
        "hours": max(1, len(whole_hours(start, end))),
    }
    return _frame(client, "latest_weather_forecast", parameters, instants=("run_at", "target_at"))


def missing_hours(
    client: Client, *, departments: Sequence[str], start: datetime, end: datetime
) -> dict[str, list[datetime]]:
    """Return by department the whole hours of [start, end) for which no station has a temperature.

    Args:
        client: any role's client.
        departments: two digits each.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.

    Returns:
        Hours in order; departments without a gap are left out.
    """
    parameters = {"departments": list(departments), "start": start, "end": end}
    rows = client.query(statement("weather_hours_present"), parameters=parameters).result_rows
    present = {department: set(hours) for department, hours in rows}
    hours = whole_hours(start, end)
    missing = {name: [hour for hour in hours if hour not in present.get(name, ())] for name in departments}
    return {name: gaps for name, gaps in missing.items() if gaps}


def whole_hours(start: datetime, end: datetime) -> list[datetime]:
    """Return the whole hours of [start, end), UTC.

    >>> half_past = datetime(2018, 1, 1, 0, 30, tzinfo=UTC)
    >>> [hour.hour for hour in whole_hours(half_past, half_past + 2 * HOUR)]
    [1, 2]
    """
    first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first += HOUR if first < start else timedelta(0)
    return [first + number * HOUR for number in range(max(0, -((first - end) // HOUR)))]


def _frame(client: Client, query: str, parameters: dict[str, Any], *, instants: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a statement; a value is a float, also where all are missing."""
    frame = read_frame(client, query, parameters, instants=instants)
    values = [name for name in frame.columns if name.endswith(("_c", "_ms", "_pct"))]
    return frame.astype(dict.fromkeys(values, "float64"))
