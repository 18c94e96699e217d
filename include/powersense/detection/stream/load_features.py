"""A load as features: each half-hour beside the same time of its kind of day, of yesterday and of last week.

A row rests on its own load and earlier ones only. The features are ratios, so that areas of any size share a model.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from powersense.calendar import PARIS, public_holidays

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEP = pd.Timedelta(minutes=30)
STEPS_PER_DAY = 48
BASELINE_DAYS = 28
ROLLING_STEPS = 6
# One half-hour in two hundred of France's load of 2012 to 2021 is that far off without a fault, in cold spells.
FAR_OFF_SHARE = 0.30
WORKDAY, SATURDAY, SUNDAY = 0, 1, 2
FEATURE_NAMES = (
    "load_mw_ratio",
    "ramp_ratio",
    "day_ratio",
    "week_ratio",
    "rolling_std_ratio",
    "flat_run",
    "hour_sin",
    "hour_cos",
    "is_weekend",
)


def kind_of_day(day: date) -> int:
    """Return which days `day` is compared with: working days, Saturdays, or Sundays and public holidays.

    >>> kind_of_day(date(2017, 7, 14)) == kind_of_day(date(2017, 7, 16)) == SUNDAY
    True
    """
    if day.weekday() == 6 or day in public_holidays(day.year):
        return SUNDAY
    return SATURDAY if day.weekday() == 5 else WORKDAY


def load_features(
    load_mw: pd.Series, *, zone: ZoneInfo = PARIS, kind_of: Callable[[date], int] = kind_of_day
) -> pd.DataFrame:
    """Return a load's features, one row per half-hour of its grid.

    - `load_mw_ratio`: load / usual, the median load at the same local time of the days of the same kind among the 28
      days before;
    - `ramp_ratio`: change since the half-hour before / usual;
    - `day_ratio`, `week_ratio`: load / the load 24 hours, 168 hours before, or what was usual then where that load was
      more than 30 % off: a fault shall not come back as its own echo a day and a week later;
    - `rolling_std_ratio`: standard deviation of the last six half-hours / usual;
    - `flat_run`: half-hours for which the value has been the same, 0 when it changed just now;
    - `hour_sin`, `hour_cos`: local time of day as an angle;
    - `is_weekend`: 1 on the days off, else 0.

    Args:
        load_mw: mean load of each half-hour, MW, by its start (UTC); on a grid without gaps, NaN where not known.
        zone: whose days and hours people live by.
        kind_of: kind of a local day, 0 for working days.

    Returns:
        `FEATURE_NAMES` as float64 on the load's index; NaN where one cannot be told: the load or what it is compared
        with is not known, or is 0.
    """
    grid = pd.DatetimeIndex(load_mw.index)
    load = load_mw.to_numpy(dtype=np.float64)
    local = grid.tz_convert(zone)
    kinds, days = _kinds(local, kind_of)
    slot = np.asarray(local.hour * 2 + local.minute // 30)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = _usual(load, days=days, slot=slot, kinds=kinds)
        credible = np.where(np.abs(load / usual - 1) > FAR_OFF_SHARE, usual, load)
        angle = 2 * np.pi * slot / STEPS_PER_DAY
        columns = {
            "load_mw_ratio": load / usual,
            "ramp_ratio": (load - _before(load, 1)) / usual,
            "day_ratio": load / _before(credible, STEPS_PER_DAY),
            "week_ratio": load / _before(credible, 7 * STEPS_PER_DAY),
            "rolling_std_ratio": load_mw.rolling(ROLLING_STEPS).std().to_numpy() / usual,
            "flat_run": _flat_run(load),
            "hour_sin": np.sin(angle),
            "hour_cos": np.cos(angle),
            "is_weekend": (kinds[days] != WORKDAY).astype(np.float64),
        }
    frame = pd.DataFrame(columns, index=grid)
    return frame.where(np.isfinite(frame) & np.isfinite(load)[:, None])


def _kinds(local: pd.DatetimeIndex, kind_of: Callable[[date], int]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the kind of each local day of the range, and each row's day in it."""
    dates = local.date
    first = dates[0]
    kinds = np.array([kind_of(first + timedelta(days=offset)) for offset in range((dates[-1] - first).days + 1)])
    return kinds, np.array([(day - first).days for day in dates])


def _usual(
    load: NDArray[np.float64], *, days: NDArray[np.intp], slot: NDArray[np.intp], kinds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each row's median load at its local time over the days of its kind among the 28 before it, MW."""
    table = np.full((len(kinds), STEPS_PER_DAY), np.nan)
    table[days, slot] = load
    usual = np.full_like(table, np.nan)
    for day in range(1, len(kinds)):
        earlier = slice(max(0, day - BASELINE_DAYS), day)
        usual[day] = _median(table[earlier][kinds[earlier] == kinds[day]])
    return usual[days, slot]


def _median(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns' medians of the known values; NaN where there is none. NaN sorts last."""
    if not len(rows):
        return np.full(rows.shape[1], np.nan)
    ordered, known = np.sort(rows, axis=0), (~np.isnan(rows)).sum(axis=0)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, len(rows) - 1)
    columns = np.arange(rows.shape[1])
    return np.asarray((ordered[low, columns] + ordered[high, columns]) / 2)


def _before(load: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    earlier = np.full_like(load, np.nan)
    earlier[steps:] = load[:-steps]
    return earlier


def _flat_run(load: NDArray[np.float64]) -> NDArray[np.float64]:
    position = np.arange(len(load))
    changed = np.concatenate([[True], load[1:] != load[:-1]])
    return (position - np.maximum.accumulate(np.where(changed, position, 0))).astype(np.float64)
