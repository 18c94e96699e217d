"""The analogue of same-weekday days: the last weeks' load at the same time, moved to today's level."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from powersense.calendar import PARIS
from powersense.forecasting.day_kinds import day_kinds
from powersense.forecasting.interface import HORIZON_STEPS, STEPS_PER_DAY
from powersense.forecasting.models.recurrence import WEEKS_BACK, Recurrence, weeks_back

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.forecasting.interface import History

_SUNDAY = 6


class Analogue(Recurrence):
    """Mean of the four weeks before at the same weekday and time, times the level of the last day over theirs.

    A public holiday is forecast by the Sundays before it; days that were holidays are left out of the mean.
    """

    name = "analogue"

    def _repeat(self, history: History, load: NDArray[np.float64], issues: NDArray[np.intp]) -> NDArray[np.float64]:
        kinds = day_kinds(history.grid.tz_convert(PARIS))
        ordinary = np.where(kinds.is_holiday, np.nan, load)
        target = issues[:, None] + np.arange(HORIZON_STEPS)
        to_sunday = np.where(kinds.is_holiday[target], (kinds.weekday[target] - _SUNDAY) % 7, 0) * STEPS_PER_DAY
        similar = _mean([_before(ordinary, target - to_sunday - week * HORIZON_STEPS, issues) for week in _WEEKS])
        day = issues[:, None] - 1 - np.arange(STEPS_PER_DAY)
        then = _mean([_before(ordinary, day - week * HORIZON_STEPS, issues) for week in _WEEKS])
        known = np.isfinite(then) & np.isfinite(_before(ordinary, day, issues))
        now, before = (np.where(known, level, 0).sum(axis=1) for level in (_before(ordinary, day, issues), then))
        level = np.where(before > 0, now / np.where(before > 0, before, 1), 1.0)
        moved = similar * level[:, None]
        return np.where(np.isnan(moved), weeks_back(load, issues, 1), moved)


_WEEKS = tuple(range(1, WEEKS_BACK + 1))


def _before(load: NDArray[np.float64], positions: NDArray[np.intp], issues: NDArray[np.intp]) -> NDArray[np.float64]:
    """Take the load at positions; NaN where the grid has none or the issue does not know it yet."""
    inside = (positions >= 0) & (positions < issues[:, None])
    return np.where(inside, load[np.clip(positions, 0, len(load) - 1)], np.nan)


def _mean(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        # Where no week is known the mean is NaN, as it should be.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(np.stack(parts), axis=0))
