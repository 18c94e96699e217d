"""What a request to Open-Meteo's forecast API asks for, and how it refuses.

Source: https://open-meteo.com/en/docs
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from powersense.local.replay.table import Seconds
from powersense.local.replay.weather.simulated import HOUR_S, RUN_EVERY_S

_VARIABLES = {"temperature_2m": "t", "wind_speed_10m": "ff", "cloud_cover": "n"}
SPEED_UNITS = {"kmh": ("km/h", 3.6), "ms": ("m/s", 1.0), "mph": ("mp/h", 2.236936), "kn": ("kn", 1.943844)}
_PREVIOUS = re.compile(r"(\w+?)(?:_previous_day([0-7]))?")
_MAX_FORECAST_DAYS, _MAX_PAST_DAYS = 16, 92


class RefusedQuery(ValueError):
    """A question that Open-Meteo answers with 400; the message is its `reason`."""


@dataclass(frozen=True)
class Question:
    """What a request asks for.

    Attributes:
        points: latitude and longitude of each place, degrees.
        hourly: names of the variables.
        target_s: the hours, epoch seconds.
        run_s: the one run that is asked for, epoch seconds; None for the latest at each hour.
        offset_s: the answer's zone, seconds east of UTC.
        zone: its name.
        is_unixtime: write hours as epoch seconds.
        in_fahrenheit: unit of temperatures.
        wind_speed_unit: one of `SPEED_UNITS`.
    """

    points: tuple[tuple[float, float], ...]
    hourly: tuple[str, ...]
    target_s: Seconds
    run_s: int | None
    offset_s: int
    zone: str
    is_unixtime: bool
    in_fahrenheit: bool
    wind_speed_unit: str


def read_question(parameters: Mapping[str, str], *, now: datetime) -> Question:
    """Return the question that request parameters ask at `now` (UTC).

    Raises:
        RefusedQuery: a parameter is missing or wrong.
    """
    latitudes, longitudes = (_floats(parameters, name) for name in ("latitude", "longitude"))
    if len(latitudes) != len(longitudes):
        raise RefusedQuery("Parameter 'latitude' and 'longitude' must have the same number of elements")
    for latitude in latitudes:
        if abs(latitude) > 90:
            raise RefusedQuery(f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
    hourly = tuple(name for name in parameters.get("hourly", "").split(",") if name)
    for name in hourly:
        variable(name)
    zone, offset_s = _zone(parameters.get("timezone", "GMT"), now=now)
    run_s = _run(parameters["run"], now=now) if "run" in parameters else None
    unit = parameters.get("wind_speed_unit", "kmh")
    if unit not in SPEED_UNITS:
        raise RefusedQuery(
            f"Data corrupted at path ''. Cannot initialize WindspeedUnit from invalid String value {unit}."
        )
    return Question(
        points=tuple(zip(latitudes, longitudes, strict=True)),
        hourly=hourly,
        target_s=_hours(parameters, start_of_day_s=_midnight(run_s or int(now.timestamp()), offset_s)) - offset_s,
        run_s=run_s,
        offset_s=offset_s,
        zone=zone,
        is_unixtime=parameters.get("timeformat") == "unixtime",
        in_fahrenheit=parameters.get("temperature_unit") == "fahrenheit",
        wind_speed_unit=unit,
    )


def _floats(parameters: Mapping[str, str], name: str) -> list[float]:
    try:
        return [float(text) for text in parameters[name].split(",")]
    except KeyError as error:
        raise RefusedQuery(f"Data corrupted at path '{name}'. Value required for key '{name}'.") from error
    except ValueError as error:
        raise RefusedQuery(f"Data corrupted at path '{name}'. Expected Float. {error}") from error


def variable(name: str) -> tuple[str, int]:
    """Return the quantity that a variable shows, and how many days before the latest run its run began."""
    matched = _PREVIOUS.fullmatch(name)
    if matched is None or matched[1] not in _VARIABLES:
        raise RefusedQuery(
            f"Data corrupted at path ''. Cannot initialize ForecastVariable from invalid String value {name}."
        )
    return _VARIABLES[matched[1]], int(matched[2] or 0)


def _zone(name: str, *, now: datetime) -> tuple[str, int]:
    if name == "auto":
        name = "Europe/Paris"
    try:
        offset = now.astimezone(UTC if name == "GMT" else ZoneInfo(name)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise RefusedQuery(f"Invalid timezone '{name}'") from error
    return name, int((offset or timedelta()).total_seconds())


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedQuery(f"Invalid date format '{text}'. Make sure to use 'YYYY-MM-DD'.") from error
    return int(moment.replace(tzinfo=UTC).timestamp())


def _run(text: str, *, now: datetime) -> int:
    run_s = _instant(text)
    if run_s % RUN_EVERY_S or run_s > now.timestamp():
        raise RefusedQuery(f"No data for run {text}: there is one every six hours, from 00:00 UTC to now.")
    return run_s


def _midnight(instant_s: int, offset_s: int) -> int:
    """Return the midnight before an instant on the wall clock of the answer's zone, wall-clock seconds."""
    return (instant_s + offset_s) // 86_400 * 86_400


def _hours(parameters: Mapping[str, str], *, start_of_day_s: int) -> Seconds:
    """Return the hours asked for, wall-clock seconds of the answer's zone: by default today and six days more."""
    if "start_date" in parameters and "end_date" in parameters:
        first, last = _instant(parameters["start_date"]), _instant(parameters["end_date"]) + 86_400
    elif "start_hour" in parameters and "end_hour" in parameters:
        first, last = _instant(parameters["start_hour"]), _instant(parameters["end_hour"]) + HOUR_S
    else:
        past, ahead = (
            _days(parameters, "past_days", 0, _MAX_PAST_DAYS),
            _days(parameters, "forecast_days", 7, _MAX_FORECAST_DAYS),
        )
        first, last = start_of_day_s - past * 86_400, start_of_day_s + ahead * 86_400
    if last - first > 2 * 366 * 86_400 or last < first:
        raise RefusedQuery(
            "Parameter 'start_date' and 'end_date' must span at most two years, the end after the start."
        )
    return np.arange(first, last, HOUR_S, dtype=np.int64)


def _days(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isdigit() or int(text) > most:
        raise RefusedQuery(f"Parameter '{name}' is out of allowed range from 0 to {most}. Given {text}.")
    return int(text)
