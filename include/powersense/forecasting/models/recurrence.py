"""What the two naive models share: the load of earlier days as it was, with intervals from its own past errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from powersense.calendar import PARIS
from powersense.forecasting import model_files
from powersense.forecasting.conformal import BUCKETS, SEASONS, Intervals
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEPS_PER_DAY, History

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

WEEKS_BACK = 4


class Recurrence:
    """A model that repeats; a subclass says what."""

    name = ""
    uses_weather = False

    def __init__(self) -> None:
        self._intervals = Intervals.learn(np.empty((0, HORIZON_STEPS)), np.empty((0, HORIZON_STEPS), dtype=np.int64))

    def fit(self, history: History, *, until: datetime, seed: int) -> None:
        """Learn the intervals; see `Forecaster.fit`. With little history they are assumed."""
        size = int(history.grid.searchsorted(pd.Timestamp(until)))
        hours = np.random.default_rng(seed).integers(0, STEPS_PER_DAY, size // STEPS_PER_DAY + 1)
        days = np.arange(WEEKS_BACK * HORIZON_STEPS, size - HORIZON_STEPS - STEPS_PER_DAY, STEPS_PER_DAY)
        issues = (days + hours[: len(days)]).astype(np.intp)
        target = issues[:, None] + np.arange(HORIZON_STEPS)
        load = history.load_mw.to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.log(load[target] / self._repeat(history, load, issues))
        self._intervals = Intervals.learn(np.where(np.isfinite(errors), errors, np.nan), _months(history.grid)[target])

    def predict(self, history: History, issued_at: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Forecast from each issue time on; see `Forecaster.predict`."""
        issues = history.positions(issued_at)
        load = history.load_mw.to_numpy(dtype=float)
        target = issues[:, None] + np.arange(HORIZON_STEPS)
        with np.errstate(divide="ignore", invalid="ignore"):
            repeated = np.log(self._repeat(history, load, issues))
        repeated = np.where(np.isfinite(repeated), repeated, np.nan)
        return self._intervals.around(repeated, _months(history.grid)[target])

    def save(self) -> dict[str, bytes]:
        """Return the model's files; see `Forecaster.save`."""
        return model_files.pack(self.name, {"features": []}, {"intervals": self._intervals.spread})

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `save` wrote; see `Forecaster.load`."""
        _, arrays = model_files.unpack(cls.name, files)
        model = cls()
        shape = (BUCKETS, len(SEASONS), len(QUANTILES))
        model._intervals = Intervals(model_files.array(cls.name, arrays, "intervals", shape))
        return model

    @property
    def features(self) -> tuple[str, ...]:
        """Names of features: none."""
        return ()

    def _repeat(self, history: History, load: NDArray[np.float64], issues: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return MW, shape (issues, HORIZON_STEPS), from load before each issue."""
        raise NotImplementedError


def weeks_back(load: NDArray[np.float64], issues: NDArray[np.intp], weeks: int) -> NDArray[np.float64]:
    """Return the load so many weeks before each target, MW, shape (issues, HORIZON_STEPS); NaN where unknown.

    A lag of whole UTC weeks is an hour off on the wall clock for a week after a daylight-saving change.
    """
    earlier = issues[:, None] + np.arange(HORIZON_STEPS) - weeks * HORIZON_STEPS
    return np.where(earlier >= 0, load[np.maximum(earlier, 0)], np.nan)


def _months(grid: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(grid.tz_convert(PARIS).month)
