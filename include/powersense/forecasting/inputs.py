"""From what the warehouse knows to what models are given: half-hours, one level, no value that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.calendar import PARIS
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEP, STEPS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A gap in the weather is bridged by a line where it is no longer: SYNOP reports come every three hours.
MAX_WEATHER_GAP = pd.Timedelta(hours=3)
# Equal half-hours in a row, to the tenth of a MW, that only a stuck sensor gives: definitive loads of France
# (2013-2021) and of its regions (2014-2015) repeat three times at most.
STUCK_STEPS = 4
# Of the median of the four weeks on either side, those loads stay within 0.54 and 1.51 times; the incident of
# 2017-09-30 left a twentieth.
_LOWEST_SHARE, _HIGHEST_SHARE = 0.35, 2.5
_LEVEL_STEPS = 28 * STEPS_PER_DAY


def half_hour_of(instant: datetime) -> datetime:
    """Return the start of the half-hour that an instant lies in, UTC.

    >>> half_hour_of(datetime(2018, 1, 1, 10, 47, tzinfo=UTC)).isoformat()
    '2018-01-01T10:30:00+00:00'
    """
    whole = instant.astimezone(UTC).replace(second=0, microsecond=0)
    return whole.replace(minute=whole.minute - whole.minute % 30)


def half_hours(start: datetime, end: datetime) -> pd.DatetimeIndex:
    """Return the half-hours that start in [start, end), UTC."""
    return pd.date_range(start, end, freq=STEP, inclusive="left", tz="UTC", unit="s")


def on_one_level(values: pd.Series, vintages: pd.Series, ratios: Mapping[str, float]) -> tuple[pd.Series, str]:
    """Lift the values of lower vintages to the level of the highest that is known.

    Real time lies a few per mille beside what RTE publishes later, so a model fitted on final values would see the last
    weeks as a change of load.

    Args:
        values: MW.
        vintages: the vintage of each value.
        ratios: by vintage, the median ratio of the next vintage's load to its own; without one, 1 is taken.

    Returns:
        The values, and the vintage on whose level they are.
    """
    to_consolidated, to_definitive = ratios.get("realtime", 1.0), ratios.get("consolidated", 1.0)
    factors = {"realtime": to_consolidated * to_definitive, "consolidated": to_definitive, "definitive": 1.0}
    reached = "consolidated" if "realtime" in ratios else "realtime"
    level = max([*vintages.unique(), "definitive" if "consolidated" in ratios else reached], key=list(factors).index)
    return values * vintages.map(factors).astype(float), str(level)


def without_impossible(load_mw: pd.Series) -> pd.Series:
    """Return the load with NaN in the place of what no load can be: nothing, a stuck sensor's, a collapse's.

    Args:
        load_mw: on a grid of half-hours, MW.

    >>> load = pd.Series([50_000.0, 51_000, 0, 52_000, 900, 53_000])
    >>> without_impossible(load).isna().tolist()
    [False, False, True, False, True, False]
    """
    load = load_mw.where(load_mw > 0)
    tenths = load.round(1)
    run = (tenths != tenths.shift()).cumsum()
    load = load.where(run.map(run.value_counts()) < STUCK_STEPS)
    # The median of what lies around, too, so that the first days of a history have a level.
    level = load.rolling(2 * _LEVEL_STEPS, center=True, min_periods=1).median()
    return load.where(load.between(_LOWEST_SHARE * level, _HIGHEST_SHARE * level))


def to_half_hours(hourly: pd.Series, grid: pd.DatetimeIndex) -> pd.Series:
    """Return hourly weather on a grid of half-hours, on the line between hours that are at most three hours apart.

    Args:
        hourly: values by UTC instant, in order, each instant once; NaN where unknown.
        grid: half-hours' starts, UTC.
    """
    known = hourly.dropna()
    if known.empty:
        return pd.Series(np.nan, index=grid, dtype="float64")
    at = _seconds(pd.DatetimeIndex(known.index))
    wanted = _seconds(grid)
    after = np.searchsorted(at, wanted)
    before = np.searchsorted(at, wanted, side="right") - 1
    is_inside = (before >= 0) & (after < len(at))
    gap = at[np.minimum(after, len(at) - 1)] - at[np.maximum(before, 0)]
    values = np.interp(wanted, at, known.to_numpy(dtype="float64"))
    return pd.Series(np.where(is_inside & (gap <= MAX_WEATHER_GAP.total_seconds()), values, np.nan), index=grid)


def why_implausible(quantiles_mw: NDArray[np.float64], known_mw: NDArray[np.float64]) -> str:
    """Tell why a forecast cannot be stored; empty where it can.

    Args:
        quantiles_mw: shape (half-hours, quantiles), MW.
        known_mw: loads of the weeks before, MW; NaN where unknown.
    """
    missing = int(np.isnan(quantiles_mw).any(axis=1).sum())
    if missing:
        return f"it gives no value for {missing} of {len(quantiles_mw)} half-hours"
    if not np.isfinite(quantiles_mw).all() or (quantiles_mw <= 0).any():
        return "it gives a load that is not above 0 MW"
    if (np.diff(quantiles_mw, axis=1) < 0).any():
        return "its quantiles do not rise"
    lowest, highest = 0.5 * np.nanmin(known_mw), 1.6 * np.nanmax(known_mw)
    middle = quantiles_mw[:, quantiles_mw.shape[1] // 2]
    outside = middle[(middle < lowest) | (middle > highest)]
    if len(outside):
        return f"it gives {outside[0]:.0f} MW, outside {lowest:.0f} to {highest:.0f} MW"
    return ""


def by_time_of_day(load_mw: pd.Series, issued_at: datetime) -> NDArray[np.float64]:
    """Return what is left to say where no model can: the mean known load of each time of day, with wide intervals.

    Args:
        load_mw: on a grid of half-hours that reaches over the horizon, MW; NaN where unknown, one value at least known.
        issued_at: the issue time, UTC; later loads are not read.

    Returns:
        MW, shape (HORIZON_STEPS, len(QUANTILES)).
    """
    targets = pd.date_range(issued_at, periods=HORIZON_STEPS, freq=STEP)
    known = load_mw[load_mw.index < issued_at].dropna()
    by_time = known.groupby(_time_of_day(pd.DatetimeIndex(known.index))).mean()
    middle = by_time.reindex(_time_of_day(targets)).fillna(known.mean()).to_numpy()
    # Days of one area and time differ by a tenth or so of their mean, within some weeks.
    spread = np.array([NormalDist(1.0, 0.1).inv_cdf(quantile) for quantile in QUANTILES])
    return np.asarray(middle[:, None] * spread[None, :], dtype=np.float64)


def _time_of_day(instants: pd.DatetimeIndex) -> NDArray[np.int64]:
    local = instants.tz_convert(PARIS)
    return np.asarray(local.hour * 60 + local.minute, dtype=np.int64)


def _seconds(instants: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(instants.tz_convert(None), dtype="datetime64[s]").astype(np.int64)
