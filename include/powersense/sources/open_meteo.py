"""Open-Meteo: hourly forecasts at a few points of each region, as declared in open_meteo.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from powersense.contracts import NATIONAL_AREA
from powersense.errors import MalformedResponseError, SourceDeclarationError
from powersense.settings import Settings, get_settings
from powersense.sources.transport import Answer, Portal, open_files
from powersense.stations import populations

BUNDLED = Path(__file__).with_name("open_meteo.yaml")


class Variable(BaseModel):
    """One variable: our metric, the unit that the answer must state, and the possible values in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    unit: str
    range: tuple[float, float]


class ForecastSource(BaseModel):
    """What is asked for.

    Attributes:
        models: each a source of its own.
        forecast_days: days in an answer, today included.
        variables: Open-Meteo's name → what it becomes.
        areas: region → points of (latitude, longitude, weight).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = Field(min_length=1)
    forecast_days: int = Field(ge=8, le=16)
    variables: dict[str, Variable]
    areas: dict[str, tuple[tuple[float, float, float], ...]]

    @property
    def points(self) -> list[tuple[str, float, float, float]]:
        """All points as (area, latitude, longitude, weight), in order."""
        return [(area, *point) for area, points in self.areas.items() for point in points]


@dataclass(frozen=True)
class Forecast:
    """One model's answer.

    Attributes:
        source: `open_meteo:<model>`.
        frame: columns metric, area, target_at (UTC, whole hours), value; regions, and France by population.
        begins_at: first hour of the answer, UTC: midnight of the upstream's today.
        retrieved_at: when the answer began, UTC.
        refused: (area, target_at, metric, value) of possible-looking answers that cannot be.
    """

    source: str
    frame: pd.DataFrame
    begins_at: datetime
    retrieved_at: datetime
    refused: tuple[tuple[str, datetime, str, float], ...] = ()


@lru_cache(maxsize=2)
def load_forecast_source(path: Path = BUNDLED) -> ForecastSource:
    """Return the declaration.

    Raises:
        SourceDeclarationError: the file is unreadable or breaks the contract.
    """
    try:
        return ForecastSource.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SourceDeclarationError(f"{path.name}: {error}. Correct the entry.") from error


def fetch_forecasts(settings: Settings | None = None) -> list[Forecast]:
    """Return the present forecast of each declared model.

    Raises:
        SourceError: see transport.Portal.ask, and `parse_forecast`.
    """
    settings = settings or get_settings()
    source = load_forecast_source()
    with open_files(settings, access="WEATHER_FORECAST_URL") as server:
        return [_ask(server, settings.weather_forecast_url, source, model) for model in source.models]


def _ask(server: Portal, url: str, source: ForecastSource, model: str) -> Forecast:
    points = source.points
    params: dict[str, str | int] = {
        "latitude": ",".join(f"{latitude:g}" for _, latitude, _, _ in points),
        "longitude": ",".join(f"{longitude:g}" for _, _, longitude, _ in points),
        "hourly": ",".join(source.variables),
        "models": model,
        "wind_speed_unit": "ms",
        "timezone": "GMT",
        "forecast_days": source.forecast_days,
    }
    return server.ask(url, params, lambda answer: parse_forecast(answer, source, model=model))


def parse_forecast(answer: Answer, source: ForecastSource, *, model: str) -> Forecast:
    """Turn an answer into weighted means by area.

    Of an hour for which a point has no value, the region's other points count; an hour without any is left out, and
    France's too where a region lacks it.

    Raises:
        MalformedResponseError: the answer has other points, hours, units or types than were asked for; names the field.
    """
    places = _places(answer, source)
    hours = _hours(places[0], answer)
    refused: list[tuple[str, datetime, str, float]] = []
    frames = []
    for name, variable in source.variables.items():
        values = np.vstack([_values(place, name, variable, hours, answer) for place in places])
        low, high = variable.range
        with np.errstate(invalid="ignore"):
            impossible = (values < low) | (values > high)
        for point, hour in zip(*np.nonzero(impossible), strict=True):
            area = source.points[point][0]
            refused.append((area, hours[hour].to_pydatetime(), variable.metric, float(values[point, hour])))
        by_area = _by_area(np.where(impossible, np.nan, values), source)
        for area, series in by_area.items():
            frames.append(pd.DataFrame({"metric": variable.metric, "area": area, "target_at": hours, "value": series}))
    return Forecast(
        source=f"open_meteo:{model}",
        frame=pd.concat(frames, ignore_index=True).dropna(subset=["value"]).reset_index(drop=True),
        begins_at=hours[0].to_pydatetime(),
        retrieved_at=answer.retrieved_at,
        refused=tuple(refused),
    )


def _places(answer: Answer, source: ForecastSource) -> list[Mapping[str, Any]]:
    """Return the answer's points, in the order asked for.

    Raises:
        MalformedResponseError: the body is no JSON, or has another number of points.
    """
    try:
        document = json.loads(answer.body)
    except ValueError as error:
        raise MalformedResponseError(f"{answer.url}: {error}, in a body like {answer.body[:80]!r}") from error
    places = document if isinstance(document, list) else [document]
    if len(places) != len(source.points) or not all(isinstance(place, dict) for place in places):
        raise MalformedResponseError(f"{answer.url}: {len(places)} points answered of {len(source.points)} asked for")
    return places


def _hours(place: Mapping[str, Any], answer: Answer) -> pd.DatetimeIndex:
    """Return the hours of the first point.

    Raises:
        MalformedResponseError: they are absent, or not whole hours in a row.
    """
    texts = (place.get("hourly") or {}).get("time")
    hours = pd.to_datetime(pd.Series(texts or [], dtype="str"), format="%Y-%m-%dT%H:%M", errors="coerce", utc=True)
    steps = hours.diff().dropna()
    if hours.empty or hours.isna().any() or (steps != pd.Timedelta(hours=1)).any():
        raise MalformedResponseError(f"{answer.url}: hourly.time {str(texts)[:80]} is no list of hours in a row")
    return pd.DatetimeIndex(hours).as_unit("s")


def _values(
    place: Mapping[str, Any], name: str, variable: Variable, hours: pd.DatetimeIndex, answer: Answer
) -> np.ndarray:
    """Return one point's values of a variable; NaN for null.

    Raises:
        MalformedResponseError: see `parse_forecast`.
    """
    unit = (place.get("hourly_units") or {}).get(name)
    if unit != variable.unit:
        raise MalformedResponseError(f"{answer.url}: {name} comes in {unit!r} where {variable.unit!r} was asked for")
    values = place["hourly"].get(name)
    if not isinstance(values, list) or len(values) != len(hours) or place["hourly"].get("time") is None:
        raise MalformedResponseError(f"{answer.url}: hourly.{name} is no list of {len(hours)} values")
    try:
        return np.array([np.nan if value is None else float(value) for value in values])
    except (TypeError, ValueError) as error:
        raise MalformedResponseError(f"{answer.url}: hourly.{name} is not all numbers: {error}") from error


def _by_area(values: np.ndarray, source: ForecastSource) -> dict[str, np.ndarray]:
    """Return the weighted mean of each region over its points, and of France over its regions by population."""
    of_point = np.array([area for area, *_ in source.points])
    weights = np.array([weight for *_, weight in source.points])
    found = {area: _mean(values[of_point == area], weights[of_point == area]) for area in source.areas}
    people = populations()
    regions = np.vstack([found[area] for area in people if area in found])
    shares = np.array([people[area] for area in people if area in found], dtype=np.float64)
    if len(regions) == len(people):
        found[NATIONAL_AREA] = (regions * shares[:, None]).sum(axis=0) / shares.sum()
    return found


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    total = (weights[:, None] * known).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.where(total > 0, (np.where(known, values, 0) * weights[:, None]).sum(axis=0) / total, np.nan)
        )


def is_current(forecast: Forecast, *, now: datetime) -> bool:
    """Tell whether a forecast was issued for `now`: its hours begin on the UTC day of `now`."""
    return forecast.begins_at <= now.astimezone(UTC) < forecast.begins_at + timedelta(days=1)
