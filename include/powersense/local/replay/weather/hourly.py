"""Hourly climatology: a file a department and period, one row per station and recorded hour."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np

from powersense.local.replay.weather.columns import HOURLY_COLUMNS, QUANTITIES, Quantity
from powersense.local.replay.weather.publication import WeatherPublication
from powersense.local.replay.weather.recording import Series
from powersense.local.replay.weather.stations import DEPARTMENTS, department_number, department_of
from powersense.stations import Station

_NAME = re.compile(r"H_([0-9AB]{2,3})_((?:latest-|previous-)?(\d{4})-(\d{4}))\.csv\.gz")
# Quality codes: 1 validated, 9 passed the first filters. The replay takes a month for the climatologists' work.
_VALIDATED, _FILTERED = "1", "9"
VALIDATED_AFTER = timedelta(days=30)


def periods(now: datetime) -> list[str]:
    """Return the periods of the files that exist in the year of `now`, as their names have them.

    >>> periods(datetime(2025, 11, 22))[-3:]
    ['2010-2019', 'previous-2020-2023', 'latest-2024-2025']
    """
    year = now.year
    decade = (year - 2) // 10 * 10
    decades = [f"{start}-{start + 9}" for start in range(decade - 70, decade, 10)]
    return [*decades, f"previous-{decade}-{year - 2}", f"latest-{year - 1}-{year}"]


def file_names(weather: WeatherPublication) -> list[str]:
    """Return the names of all departments' files."""
    return [f"H_{number}_{period}.csv.gz" for number in sorted(DEPARTMENTS) for period in periods(weather.now)]


def department_rows(weather: WeatherPublication, name: str) -> list[list[str]] | None:
    """Return the header and the rows of a file; None for an unknown department or a period that has no file.

    Files are written once a day: they end with the last UTC day that is over. A department in which no station was
    recorded has a file without rows.
    """
    matched = _NAME.fullmatch(name)
    number = department_number(matched[1]) if matched else None
    if matched is None or number is None or matched[2] not in periods(weather.now):
        return None
    today = weather.now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = min(datetime(int(matched[4]) + 1, 1, 1, tzinfo=UTC), today)
    bounds = (weather.recorded_s(datetime(int(matched[3]), 1, 1, tzinfo=UTC)), weather.recorded_s(end))
    rows = [list(HOURLY_COLUMNS)]
    originals = _original_rows(weather, number, bounds)
    for station in weather.recording.stations.values():
        if station.department == number:
            rows += _station_rows(weather, station, bounds, originals)
    return rows


def _original_rows(
    weather: WeatherPublication, department: str, bounds: tuple[int, int]
) -> dict[tuple[str, int], list[str]]:
    """Return the rows that were recorded as hourly climatology, by station and recorded instant."""
    lines = weather.recording.hourly
    found = {}
    for position in lines.between(*bounds):
        station, instant = lines.station[position], int(lines.instant_s[position])
        if department_of(station) == department:
            by_column = dict(zip(lines.columns[lines.part[position]], lines.fields[position], strict=True))
            row = [by_column.get(name, "") for name in HOURLY_COLUMNS]
            row[5] = weather.served(instant).strftime("%Y%m%d%H")
            found[station, instant] = row
    return found


def _station_rows(
    weather: WeatherPublication,
    station: Station,
    bounds: tuple[int, int],
    originals: dict[tuple[str, int], list[str]],
) -> list[list[str]]:
    series = weather.recording.series[station.station]
    first, last = np.searchsorted(series.instant_s, bounds)
    validated_until = weather.recorded_s(weather.now - VALIDATED_AFTER)
    return [
        originals.get((station.station, int(series.instant_s[position])))
        or _row(weather, station, series, position, validated_until)
        for position in range(first, last)
    ]


def _row(
    weather: WeatherPublication, station: Station, series: Series, position: int, validated_until: int
) -> list[str]:
    """Return the row that hourly climatology has of a SYNOP report."""
    instant = int(series.instant_s[position])
    quality = _VALIDATED if instant < validated_until else _FILTERED
    texts = dict.fromkeys(HOURLY_COLUMNS, "")
    texts |= {
        "NUM_POSTE": station.station,
        "NOM_USUEL": station.name,
        "LAT": f"{station.latitude:.6f}",
        "LON": f"{station.longitude:.6f}",
        "ALTI": f"{station.altitude_m:.0f}",
        "AAAAMMJJHH": weather.served(instant).strftime("%Y%m%d%H"),
    }
    for quantity in QUANTITIES:
        value = series.values[quantity.name][position]
        if not math.isnan(value):
            texts |= {quantity.hourly: _text(quantity, value), f"Q{quantity.hourly}": quality}
    return list(texts.values())


def _text(quantity: Quantity, value: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(quantity.to_hourly(value), quantity.digits) + 0.0:.{quantity.digits}f}"
