"""SYNOP by month: `synop.YYYYMM.csv.gz`, every three hours, all stations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from powersense.local.replay.weather.columns import SYNOP_COLUMNS, SYNOP_MISSING
from powersense.local.replay.weather.publication import WeatherPublication

_NAME = re.compile(r"synop\.(\d{4})(0[1-9]|1[0-2])\.csv\.gz")
DATE_FORM = "%Y%m%d%H%M%S"


def file_names(weather: WeatherPublication) -> list[str]:
    """Return the months that have begun, by file name."""
    instants = weather.recording.synop.instant_s
    if not len(instants) or weather.served(int(instants[0])) > weather.now:
        return []
    month = weather.served(int(instants[0]))
    last = min(weather.now, weather.served(int(instants[-1])))
    names = []
    while (month.year, month.month) <= (last.year, last.month):
        names.append(f"synop.{month:%Y%m}.csv.gz")
        month = _next_month(month)
    return names


def month_rows(weather: WeatherPublication, name: str) -> list[list[str]] | None:
    """Return the header and the rows of a month up to the clock, as published; None where nothing is public.

    Columns that an extract left out are `mq`.
    """
    matched = _NAME.fullmatch(name)
    if matched is None:
        return None
    start = datetime(int(matched[1]), int(matched[2]), 1, tzinfo=UTC)
    end = min(_next_month(start), weather.now + timedelta(seconds=1))
    lines = weather.recording.synop
    wanted = lines.between(weather.recorded_s(start), weather.recorded_s(end))
    if not wanted:
        return None
    places = [_places(columns) for columns in lines.columns]
    rows = [list(SYNOP_COLUMNS)]
    for position in wanted:
        fields = lines.fields[position]
        row = [SYNOP_MISSING if place is None else fields[place] for place in places[lines.part[position]]]
        row[1] = weather.served(int(lines.instant_s[position])).strftime(DATE_FORM)
        row[-1] = ""
        rows.append(row)
    return rows


def _places(columns: tuple[str, ...]) -> list[int | None]:
    return [columns.index(name) if name in columns else None for name in SYNOP_COLUMNS]


def _next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
