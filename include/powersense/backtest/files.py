"""Inputs from parquet files that the warehouse has never seen."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from powersense.backtest.inputs import Inputs, half_hours
from powersense.calendar import PARIS
from powersense.contracts import AREA_BY_FOLDED_NAME, LOAD_METRIC, NATIONAL_AREA, fold
from powersense.errors import ForecastInputError
from powersense.forecasting.interface import STEP
from powersense.stations import populations

_J1_METRIC = "prevision_j1"
_LOAD_REMEDY = "write utc (UTC instants), consommation (MW) and, where known, prevision_j1 (MW)"
_TEMPERATURE_REMEDY = "write date (Paris days), region (name) and tmoy (daily mean, °C)"
# A daily mean stands at the middle of the light day.
_MEAN_AT = time(13)
_WIDEST_GAP = timedelta(days=3)
_HALF_DAY = timedelta(hours=13)
_MICROSECOND = timedelta(microseconds=1)
# As in the view weather_by_area_between.
_LEAST_POPULATION_SHARE = 2 / 3


def read_files(load: Path, temperature: Path | None, *, area: str, vintage: str) -> Inputs:
    """Read a load file, and a temperature file if there is one.

    Args:
        load: parquet with `utc`, `consommation` (MW) and perhaps `prevision_j1` (MW), every 30 or 15 minutes.
        temperature: parquet with `date`, `region`, `tmoy` (°C); None: no weather.
        area: whose load it is.
        vintage: the load's level.

    Raises:
        ForecastInputError: a file cannot be read or lacks a column, or a value is not what its column says.
    """
    load_mw, rte_j1_mw = _read_load(load)
    temperature_c = None if temperature is None else _read_temperature(temperature, area=area, load_mw=load_mw)
    return Inputs(area, f"LOAD={load}", load_mw, temperature_c, rte_j1_mw, vintage)


def _read_load(path: Path) -> tuple[pd.Series, pd.Series | None]:
    frame = _read(path, name="LOAD", columns=("utc", LOAD_METRIC), remedy=_LOAD_REMEDY)
    try:
        instants = pd.DatetimeIndex(pd.to_datetime(frame["utc"], utc=True))
    except (ValueError, TypeError) as error:
        raise ForecastInputError(
            f"LOAD={path}: column 'utc' is not of UTC instants: {error}; {_LOAD_REMEDY}"
        ) from error
    if instants.hasnans:
        raise ForecastInputError(f"LOAD={path}: column 'utc' has empty rows; leave them out")
    if instants.has_duplicates:
        twice = instants[instants.duplicated()][0].isoformat()
        raise ForecastInputError(f"LOAD={path}: column 'utc' holds {twice} twice; keep one row an instant")
    load = _numbers(path, "LOAD", frame[LOAD_METRIC], instants)
    has_j1 = _J1_METRIC in frame and frame[_J1_METRIC].notna().any()
    return load, _numbers(path, "LOAD", frame[_J1_METRIC], instants) if has_j1 else None


def _numbers(path: Path, name: str, column: pd.Series, instants: pd.DatetimeIndex) -> pd.Series:
    try:
        return half_hours(instants, column)
    except (ValueError, TypeError) as error:
        raise ForecastInputError(f"{name}={path}: column {column.name!r} is not of numbers: {error}") from error


def _read_temperature(path: Path, *, area: str, load_mw: pd.Series) -> pd.Series:
    frame = _read(path, name="TEMPERATURE", columns=("date", "region", "tmoy"), remedy=_TEMPERATURE_REMEDY)
    try:
        days = pd.to_datetime(frame["date"]).dt.normalize()
        values = pd.to_numeric(frame["tmoy"]).astype("float64")
    except (ValueError, TypeError, AttributeError) as error:
        raise ForecastInputError(f"TEMPERATURE={path}: {error}; {_TEMPERATURE_REMEDY}") from error
    areas = frame["region"].map(lambda name: AREA_BY_FOLDED_NAME.get(fold(str(name)), ""))
    by_region = values.groupby([days, areas]).mean().unstack()
    if area == NATIONAL_AREA:
        daily = national_mean(by_region)
    else:
        daily = by_region[area].dropna() if area in by_region else pd.Series(dtype="float64")
    if daily.empty:
        found = ", ".join(sorted({str(name) for name in frame["region"]})[:20]) or "none"
        raise ForecastInputError(
            f"TEMPERATURE={path}: column 'region' has no temperature for {area} (found: {found}); "
            f"name the regions as {', '.join(populations())}"
        )
    instants = [datetime.combine(day, _MEAN_AT, tzinfo=PARIS) for day in pd.DatetimeIndex(daily.index).date]
    known = pd.Series(daily.to_numpy(), index=pd.DatetimeIndex(pd.to_datetime(instants, utc=True))).sort_index()
    begin, end = load_mw.index[0], max(load_mw.index[-1], known.index[-1].floor(STEP) + _HALF_DAY)
    return _lines(known, pd.date_range(begin, end, freq=STEP))


def national_mean(by_region: pd.DataFrame) -> pd.Series:
    """Return the mean of the regions by population, for days on which they hold two thirds of it.

    Args:
        by_region: °C, a column for each region; other columns are left out.
    """
    people = pd.Series(populations(), dtype="float64")
    regions = by_region.reindex(columns=people.index)
    weights = regions.notna() * people
    mean = (regions * people).sum(axis=1) / weights.sum(axis=1)
    return mean[weights.sum(axis=1) >= _LEAST_POPULATION_SHARE * people.sum()]


def _lines(known: pd.Series, grid: pd.DatetimeIndex) -> pd.Series:
    """Draw straight lines in time between daily values; the first and last hold for half a day beyond."""
    at, wanted = (pd.DatetimeIndex(index).as_unit("us").asi8 for index in (known.index, grid))
    drawn = np.interp(wanted, at, known.to_numpy())
    before = np.clip(np.searchsorted(at, wanted, side="right") - 1, 0, len(at) - 1)
    gap = at[np.clip(before + 1, 0, len(at) - 1)] - at[before]
    is_near = (wanted >= at[0] - _HALF_DAY // _MICROSECOND) & (wanted <= at[-1] + _HALF_DAY // _MICROSECOND)
    return pd.Series(np.where(is_near & (gap <= _WIDEST_GAP // _MICROSECOND), drawn, np.nan), index=grid)


def _read(path: Path, *, name: str, columns: Collection[str], remedy: str) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise ForecastInputError(f"{name}={path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise ForecastInputError(f"{name}={path} is no parquet file: {error}; {remedy}") from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ForecastInputError(
            f"{name}={path}: column {missing[0]!r} is missing (found: {', '.join(map(str, frame.columns))}); {remedy}"
        )
    if frame.empty:
        raise ForecastInputError(f"{name}={path} holds no row; {remedy}")
    return frame
