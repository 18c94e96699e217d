"""Open-Meteo's forecast API (`/v1/forecast`): its answers.

Beside the current forecast it answers for what was issued before, as Open-Meteo's archives do: `…_previous_day1` to
`…_previous_day7` (previous runs) and `run=2025-11-05T06:00` (single runs; there is one every six hours).

Source: https://open-meteo.com/en/docs, https://open-meteo.com/en/docs/previous-runs-api
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import isnan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from powersense.local.replay.table import Seconds
from powersense.local.replay.weather.columns import KELVIN
from powersense.local.replay.weather.forecasts import forecast, nearest_station
from powersense.local.replay.weather.open_meteo_question import SPEED_UNITS, Question, variable
from powersense.local.replay.weather.publication import WeatherPublication
from powersense.local.replay.weather.simulated import HOUR_S, run_of

Values: TypeAlias = NDArray[np.float64]


def answer(weather: WeatherPublication, question: Question) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the API's answer: an object for one point, a list of them for several."""
    answers = [_at_point(weather, question, *point) for point in question.points]
    for number, one in enumerate(answers[1:], start=1):
        answers[number] = {**one, "location_id": number}
    return answers[0] if len(answers) == 1 else answers


def _at_point(weather: WeatherPublication, question: Question, latitude: float, longitude: float) -> dict[str, Any]:
    ground = nearest_station(weather, "t", latitude, longitude)
    hourly: dict[str, Any] = {"time": _times(question)}
    units = {"time": "unixtime" if question.is_unixtime else "iso8601"}
    for name in question.hourly:
        quantity, days_before = variable(name)
        station = nearest_station(weather, quantity, latitude, longitude)
        run_s = _runs(question, now_s=weather.now_s, days_before=days_before)
        values = (
            np.full(len(run_s), np.nan)
            if station is None
            else forecast(weather, station, quantity, run_s=run_s, target_s=question.target_s)
        )
        units[name], convert, digits = _unit(quantity, question)
        numbers = np.round(convert(values), digits).tolist()
        hourly[name] = [None if isnan(number) else number if digits else int(number) for number in numbers]
    abbreviation = "GMT" if not question.offset_s else f"GMT{question.offset_s / HOUR_S:+g}"
    return {
        "latitude": round(latitude, 2),
        "longitude": round(longitude, 2),
        "generationtime_ms": 0.1,
        "utc_offset_seconds": question.offset_s,
        "timezone": question.zone,
        "timezone_abbreviation": abbreviation,
        "elevation": float(ground.altitude_m) if ground else 0.0,
        "hourly_units": units,
        "hourly": hourly,
    }


def _runs(question: Question, *, now_s: int, days_before: int) -> Seconds:
    """Return the run behind each hour: the one asked for, or the latest that had begun at that hour and by now."""
    if question.run_s is not None:
        return np.full(len(question.target_s), question.run_s, dtype=np.int64)
    return run_of(np.minimum(question.target_s, now_s)) - days_before * 86_400


def _times(question: Question) -> list[Any]:
    if question.is_unixtime:
        return list(question.target_s.tolist())
    wall = (question.target_s + question.offset_s).tolist()
    return [f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M}" for second in wall]


def _unit(quantity: str, question: Question) -> tuple[str, Callable[[Values], Values], int]:
    """Return the unit of a quantity in the answer, the way to it from SYNOP's, and the decimals shown."""
    if quantity == "n":
        return "%", lambda percent: percent, 0
    if quantity == "ff":
        name, factor = SPEED_UNITS[question.wind_speed_unit]
        return name, lambda speed: speed * factor, 1
    if question.in_fahrenheit:
        return "°F", lambda kelvin: (kelvin - KELVIN) * 1.8 + 32, 1
    return "°C", lambda kelvin: kelvin - KELVIN, 1
