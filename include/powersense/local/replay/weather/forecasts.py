"""Forecast runs at any point: the nearest station's later observations, disturbed as `simulated` says."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from powersense.local.replay.table import Seconds
from powersense.local.replay.weather.publication import WeatherPublication
from powersense.local.replay.weather.recording import Series
from powersense.local.replay.weather.simulated import HORIZON_S, HOUR_S, errors
from powersense.stations import Station

# Observations six hours apart are still joined by a line; over a longer gap nothing is known.
_LONGEST_GAP_S = 6 * HOUR_S


def nearest_station(weather: WeatherPublication, name: str, latitude: float, longitude: float) -> Station | None:
    """Return the station nearest to a point, in degrees, that measured a quantity; None where none did."""

    def distance(station: Station) -> float:
        eastward = (station.longitude - longitude) * math.cos(math.radians(latitude))
        return math.hypot(station.latitude - latitude, eastward)

    return min(weather.recording.measuring[name], key=distance, default=None)


def forecast(
    weather: WeatherPublication, station: Station, name: str, *, run_s: Seconds, target_s: Seconds
) -> NDArray[np.float64]:
    """Return forecast values of a quantity at a station, in SYNOP's unit.

    Args:
        weather: what was recorded, and by how much it is shifted.
        station: the place.
        name: quantity `t`, `ff` or `n`.
        run_s: initialisation of each value's run, epoch seconds of the served timeline.
        target_s: instant of each value, epoch seconds of the served timeline.

    Returns:
        One value per target; NaN before the run, beyond its eight days, and where nothing was recorded.
    """
    recorded = _interpolated(weather.recording.series[station.station], name, target_s - weather.shift_s)
    values = recorded + errors(name, place=station.station, run_s=run_s, target_s=target_s)
    if name != "t":
        values = np.clip(values, 0, 100 if name == "n" else None)
    is_covered = (target_s >= run_s) & (target_s - run_s <= HORIZON_S)
    return np.where(is_covered, values, np.nan)


def _interpolated(series: Series, name: str, instant_s: Seconds) -> NDArray[np.float64]:
    """Return a quantity at instants of the recording, on the line between the observations around them."""
    values = series.values[name]
    known = ~np.isnan(values)
    times, values = series.instant_s[known], values[known]
    if len(times) < 2:
        return np.full(len(instant_s), np.nan)
    after = np.clip(np.searchsorted(times, instant_s), 1, len(times) - 1)
    is_inside = (instant_s >= times[0]) & (instant_s <= times[-1])
    is_close = times[after] - times[after - 1] <= _LONGEST_GAP_S
    return np.where(is_inside & is_close, np.interp(instant_s, times, values), np.nan)
