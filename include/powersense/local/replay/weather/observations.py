"""The observation API `DPPaquetObs`: the last 24 hours of a department's stations, newest first."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from powersense.local.replay.weather.columns import OBSERVATION_FIELDS, OKTA_PCT
from powersense.local.replay.weather.publication import WeatherPublication
from powersense.local.replay.weather.recording import Series
from powersense.stations import Station

RETENTION = timedelta(hours=24)
# "observations horaires = heure ronde + 10'" (Météo-France, description of the API, 2025).
INSERTED_AFTER, PUBLISHED_AFTER = timedelta(minutes=4), timedelta(minutes=10)


def department_observations(weather: WeatherPublication, department: str) -> list[dict[str, Any]]:
    """Return the records of a department's stations; empty where none was recorded.

    Temperatures are in kelvin, pressures in pascal, wind in m/s, cloud cover in eighths; what was not recorded is null.
    """
    oldest = weather.recorded_s(weather.now - RETENTION)
    newest = weather.recorded_s(weather.now - PUBLISHED_AFTER)
    records: list[dict[str, Any]] = []
    for station in weather.recording.stations.values():
        if station.department == department:
            series = weather.recording.series[station.station]
            first, last = np.searchsorted(series.instant_s, [oldest, newest], side="right")
            records += [
                _record(station, series, position, weather.served(int(series.instant_s[position])))
                for position in reversed(range(first, last))
            ]
    return records


def _record(station: Station, series: Series, position: int, valid_at: datetime) -> dict[str, Any]:
    record: dict[str, Any] = {
        "lat": station.latitude,
        "lon": station.longitude,
        "geo_id_insee": station.station,
        "reference_time": _stamp(valid_at + PUBLISHED_AFTER),
        "insert_time": _stamp(valid_at + INSERTED_AFTER),
        "validity_time": _stamp(valid_at),
    }
    record |= dict.fromkeys(OBSERVATION_FIELDS)
    for name, values in series.values.items():
        value = float(values[position])
        if not math.isnan(value):
            record[name] = float(round(value / OKTA_PCT)) if name == "n" else round(value, 2)
    return record


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
