"""A generalised additive model per half-hour of the day, corrected online by its recent errors.

The log of load is explained by calendar, season and smoothed temperature (a ridge per half-hour, see
`half_hour_regression`); the recent errors that still stand at each lead are added (`correction`); intervals come from
errors on unseen weeks (`conformal`). Source of the form: Goude, Nedellec and Kong, "Local Short and Middle Term
Electricity Load Forecasting With Semi-Parametric Additive Models", IEEE Transactions on Smart Grid, 2014.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from powersense.calendar import PARIS
from powersense.errors import ForecastInputError, ModelFileError
from powersense.forecasting import correction, half_hour_regression, model_files
from powersense.forecasting.conformal import BUCKETS, SEASONS, Intervals
from powersense.forecasting.correction import HOUR_GROUPS, Correction
from powersense.forecasting.features import DAYS_PER_YEAR, EVERY_LEAD, RECENT_ERROR_NAMES, Regressors, regressors
from powersense.forecasting.half_hour_regression import HalfHourRegression
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEPS_PER_DAY, History
from powersense.forecasting.temperature import Climate

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

# Load drifts: what lies so many years back counts half.
HALF_LIFE_YEARS = 3.0
# Of rows whose temperature is assumed, as against known ones: their day-to-day errors are twice as wide.
ASSUMED_WEIGHT = 0.3
# |log error| beyond which a value says something of the metering, not of the load: the cold spell of February 2012
# moved it by 0.32, the lockdown of 2020 by 0.2.
_IMPOSSIBLE_ERROR = 0.4
# Least share of the last day's temperatures that must be known at an issue.
_LEAST_KNOWN_WEATHER = 0.5
_LEAST_LEARNT_WEATHER = 180 * STEPS_PER_DAY


@dataclass
class _State:
    """What a fit leaves."""

    regression: HalfHourRegression
    correction: Correction
    intervals: Intervals
    climate: Climate | None


class Gam:
    """Calendar, season and temperature per half-hour, corrected online; see the module."""

    name = "gam"
    uses_weather = True

    def __init__(self) -> None:
        self._state: _State | None = None

    def fit(self, history: History, *, until: datetime, seed: int) -> None:
        """Learn from the load before `until`; see `Forecaster.fit`."""
        size = int(history.grid.searchsorted(pd.Timestamp(until)))
        grid = history.grid[:size]
        climate, temperature = self._learn_weather(history, size)
        described = regressors(grid, temperature[0] if temperature else None)
        log_load = _log(history.load_mw.to_numpy(dtype=float)[:size])
        age = np.asarray((grid[-1] - grid) / pd.Timedelta(days=DAYS_PER_YEAR), dtype=float)
        certainty = np.where(temperature[1], 1.0, ASSUMED_WEIGHT) if temperature else np.ones(size)
        weights = certainty * 0.5 ** (age / HALF_LIFE_YEARS)
        regression, errors = _robust_fit(described, log_load, weights, _days(grid))
        issues = _past_issues(grid, seed=seed)
        group, angle = hour_groups(grid, issues), year_angle(grid)
        corrected = correction.fit(errors, weights, issues, group, angle, is_seasonal=not self.uses_weather)
        # One issue a day, each day in another group, tells the spread of errors as well as all of them do.
        issues, group = issues[:: HOUR_GROUPS + 1], group[:: HOUR_GROUPS + 1]
        target = issues[:, None] + EVERY_LEAD
        met = errors[target] - corrected.of(errors, issues, group, angle)
        if temperature:
            # Intervals are for forecasts that know the temperature.
            met = np.where(temperature[1][target], met, np.nan)
        self._state = _State(regression, corrected, Intervals.learn(met, described.month[target]), climate)

    def predict(self, history: History, issued_at: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Forecast from each issue time on; see `Forecaster.predict`. NaN where its weather is not known."""
        state = self._fitted()
        issues = history.positions(issued_at)
        # Nothing older than eight weeks moves a forecast: four of errors, and what the smoothed temperature remembers.
        first = max(0, int(issues.min()) - 8 * HORIZON_STEPS)
        last = int(issues.max()) + HORIZON_STEPS
        grid, issues = history.grid[first:last], issues - first
        temperature, is_usable = self._weather(history, slice(first, last), issues, state.climate)
        described = regressors(grid, temperature)
        explained = state.regression.explain(described)
        errors = _plausible(_log(history.load_mw.to_numpy(dtype=float)[first:last]) - explained)
        moved = state.correction.of(errors, issues, hour_groups(grid, issues), year_angle(grid))
        target = issues[:, None] + EVERY_LEAD
        forecast = state.intervals.around(explained[target] + moved, described.month[target])
        return np.where(is_usable[:, None, None], forecast, np.nan)

    def save(self) -> dict[str, bytes]:
        """Return the model's files; see `Forecaster.save`."""
        state = self._fitted()
        arrays = {
            "centre": state.regression.centre,
            "spread": state.regression.spread,
            "coefficients": state.regression.coefficients,
            "correction": state.correction.coefficients,
            "intervals": state.intervals.spread,
        }
        if state.climate:
            arrays["climate"] = state.climate.coefficients
        return model_files.pack(self.name, {"features": [*state.regression.names, *RECENT_ERROR_NAMES]}, arrays)

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `save` wrote; see `Forecaster.load`."""
        meta, arrays = model_files.unpack(cls.name, files)
        names = cls._checked_features(meta)
        width, recent = len(names), 1 + len(RECENT_ERROR_NAMES) + (0 if cls.uses_weather else 12)

        def take(key: str, *shape: int) -> NDArray[np.float64]:
            return model_files.array(cls.name, arrays, key, shape)

        model = cls()
        model._state = _State(
            HalfHourRegression(
                names,
                take("centre", STEPS_PER_DAY, width),
                take("spread", STEPS_PER_DAY, width),
                take("coefficients", STEPS_PER_DAY, 1 + width),
            ),
            Correction(not cls.uses_weather, take("correction", HOUR_GROUPS, BUCKETS, recent)),
            Intervals(take("intervals", BUCKETS, len(SEASONS), len(QUANTILES))),
            Climate(take("climate", -1)) if cls.uses_weather else None,
        )
        return model

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that it was fitted on.

        Raises:
            ForecastInputError: it is not fitted.
        """
        return (*self._fitted().regression.names, *RECENT_ERROR_NAMES)

    @classmethod
    def _checked_features(cls, meta: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the regressors' names; refuse files whose features are not those that this version builds."""
        hour = pd.date_range("2018-01-01", periods=1, tz="UTC")
        names = regressors(hour, np.zeros(1) if cls.uses_weather else None).names
        stored = tuple(meta.get("features", ()))
        if stored != (*names, *RECENT_ERROR_NAMES):
            other = sorted(set(stored) ^ {*names, *RECENT_ERROR_NAMES})[:5]
            raise ModelFileError(f"model {cls.name!r} was trained on other features: {other}; train it again")
        return names

    def _fitted(self) -> _State:
        if self._state is None:
            raise ForecastInputError(f"model {self.name!r} is not fitted; fit or load it first")
        return self._state

    def _learn_weather(
        self, history: History, size: int
    ) -> tuple[Climate | None, tuple[NDArray[np.float64], NDArray[np.bool_]] | None]:
        """Return the climate, and the temperatures with where they are known."""
        if not self.uses_weather:
            return None, None
        temperature = _temperature(history)[:size]
        known = np.isfinite(temperature)
        if known.sum() < _LEAST_LEARNT_WEATHER:
            days = known.sum() / STEPS_PER_DAY
            raise ForecastInputError(f"{history.area}: temperature known on {days:.0f} days; {self.name} needs 180")
        climate = Climate.learn(history.grid[:size], temperature)
        return climate, (climate.filled(history.grid[:size], temperature), known)

    def _weather(
        self, history: History, part: slice, issues: NDArray[np.intp], climate: Climate | None
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
        """Return the temperatures without holes, and for which issues enough of the last day's is known."""
        if climate is None:
            return None, np.ones(len(issues), dtype=bool)
        temperature = _temperature(history)[part]
        share = pd.Series(np.isfinite(temperature)).rolling(STEPS_PER_DAY, min_periods=1).mean().to_numpy()
        return climate.filled(history.grid[part], temperature), share[np.maximum(issues - 1, 0)] >= _LEAST_KNOWN_WEATHER


class GamWithoutWeather(Gam):
    """The same without any weather: recent errors carry what the temperature would have told."""

    name = "gam_without_weather"
    uses_weather = False


def hour_groups(grid: pd.DatetimeIndex, issues: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the group of each issue's Paris hour, 0 to HOUR_GROUPS - 1."""
    return np.asarray(grid[issues].tz_convert(PARIS).hour) * HOUR_GROUPS // 24


def year_angle(grid: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Return each half-hour's day of the year as an angle."""
    return 2 * np.pi * np.asarray(grid.day_of_year) / DAYS_PER_YEAR


def _temperature(history: History) -> NDArray[np.float64]:
    if history.weather is None:
        raise ForecastInputError(f"{history.area}: no weather is known")
    return history.weather["temperature_c"].to_numpy(dtype=float)


def _robust_fit(
    described: Regressors, log_load: NDArray[np.float64], weights: NDArray[np.float64], days: NDArray[np.int64]
) -> tuple[HalfHourRegression, NDArray[np.float64]]:
    """Fit, and fit again without impossible values if the first fit met any."""
    regression, unseen = half_hour_regression.fit(described, log_load, weights, days)
    errors = log_load - unseen
    # Against their median: a gross value moves the fit of its own half-hour.
    impossible = np.abs(errors - np.nanmedian(errors)) > _IMPOSSIBLE_ERROR
    if impossible.any():
        regression, unseen = half_hour_regression.fit(described, np.where(impossible, np.nan, log_load), weights, days)
    return regression, _plausible(log_load - unseen)


def _past_issues(grid: pd.DatetimeIndex, *, seed: int) -> NDArray[np.intp]:
    """Return one issue per day and hour group, at a random time of each, whose horizon lies inside the grid."""
    first, last = 4 * HORIZON_STEPS, len(grid) - HORIZON_STEPS
    if last <= first:
        return np.empty(0, dtype=np.intp)
    days = np.arange(first, last - STEPS_PER_DAY, STEPS_PER_DAY)
    within = STEPS_PER_DAY // HOUR_GROUPS
    offsets = np.random.default_rng(seed).integers(0, within, (len(days), HOUR_GROUPS))
    return (days[:, None] + within * np.arange(HOUR_GROUPS) + offsets).ravel().astype(np.intp)


def _plausible(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(errors) > _IMPOSSIBLE_ERROR, np.nan, errors)


def _log(load_mw: NDArray[np.float64]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.where(load_mw > 0, np.log(load_mw), np.nan)


def _days(grid: pd.DatetimeIndex) -> NDArray[np.int64]:
    local = grid.tz_convert(PARIS).tz_localize(None)
    return np.asarray(local, dtype="datetime64[D]").astype(np.int64)
