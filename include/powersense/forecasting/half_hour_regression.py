"""The regression of the log of load on calendar and weather, one per half-hour of the Paris day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from powersense.errors import ForecastInputError
from powersense.forecasting.features import Regressors
from powersense.forecasting.interface import STEPS_PER_DAY
from powersense.forecasting.ridge import Scale, quasi_differenced, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Chosen on 2018 with the years before; docs/forecasting.md has the measured alternatives.
PERSISTENCE = 0.8
PENALTY = 1.0
FOLDS = 12
FOLD_DAYS = 7
LEAST_DAYS = 28


@dataclass(frozen=True)
class HalfHourRegression:
    """Fitted coefficients.

    Attributes:
        names: columns of the regressors it was fitted on.
        centre, spread: scale of the columns, shape (STEPS_PER_DAY, names).
        coefficients: shape (STEPS_PER_DAY, 1 + names), the intercept first.
    """

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def explain(self, regressors: Regressors) -> NDArray[np.float64]:
        """Return the log of the load that calendar and weather explain, one per half-hour.

        Raises:
            ForecastInputError: the regressors have other columns than it was fitted on.
        """
        if regressors.names != self.names:
            other = sorted(set(regressors.names) ^ set(self.names))[:5]
            raise ForecastInputError(f"the model was fitted on other features; they differ in {other}; train it again")
        explained = np.full(len(regressors.half_hour), np.nan)
        for half_hour in range(STEPS_PER_DAY):
            rows = np.flatnonzero(regressors.half_hour == half_hour)
            scaled = (regressors.values[rows] - self.centre[half_hour]) / self.spread[half_hour]
            explained[rows] = self.coefficients[half_hour, 0] + scaled @ self.coefficients[half_hour, 1:]
        return explained


def fit(
    regressors: Regressors, log_load: NDArray[np.float64], weights: NDArray[np.float64], days: NDArray[np.int64]
) -> tuple[HalfHourRegression, NDArray[np.float64]]:
    """Fit all half-hours, and explain each row from the rows of other weeks.

    Args:
        regressors: of the rows to learn from, in order of time.
        log_load: log of MW; NaN where unknown.
        weights: how much each row counts.
        days: number of each row's Paris day.

    Returns:
        The regression, and the explained log load of every row by a fit that has not seen its week (shape of
        `log_load`): errors against it are what a forecast meets.

    Raises:
        ForecastInputError: a half-hour of the day has fewer than LEAST_DAYS known values.
    """
    width = regressors.values.shape[1]
    centre, spread = np.zeros((STEPS_PER_DAY, width)), np.ones((STEPS_PER_DAY, width))
    coefficients = np.zeros((STEPS_PER_DAY, width + 1))
    unseen = np.full(len(log_load), np.nan)
    known = np.isfinite(log_load)
    for half_hour in range(STEPS_PER_DAY):
        every = np.flatnonzero(regressors.half_hour == half_hour)
        rows = every[known[every]]
        if len(rows) < LEAST_DAYS:
            clock = f"{half_hour // 2:02d}:{half_hour % 2 * 30:02d}"
            raise ForecastInputError(f"load known on {len(rows)} days at {clock}; training needs {LEAST_DAYS}")
        scale = Scale.of(regressors.values[rows], weights[rows])
        centre[half_hour], spread[half_hour] = scale.centre, scale.spread
        whole, parts = _coefficients(scale(regressors.values[rows]), log_load[rows], weights[rows], days[rows])
        coefficients[half_hour] = whole
        folds = days[every] // FOLD_DAYS % FOLDS
        scaled = scale(regressors.values[every])
        unseen[every] = parts[folds, 0] + np.einsum("rn,rn->r", scaled, parts[folds, 1:])
    return HalfHourRegression(regressors.names, centre, spread, coefficients), unseen


def _coefficients(
    scaled: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64], days: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coefficients from all rows, and from all but each fold's: shapes (1 + names,), (FOLDS, 1 + names)."""
    columns = np.column_stack([np.ones(len(values)), scaled])
    columns, values, follows = quasi_differenced(columns, values, days, persistence=PERSISTENCE)
    weights = np.where(follows, weights, weights * (1 - PERSISTENCE**2))
    penalty = PENALTY * (1 - PERSISTENCE) ** 2
    folds = days // FOLD_DAYS % FOLDS
    width = columns.shape[1]
    grams, moments = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width))
    for fold in range(FOLDS):
        part = folds == fold
        weighted = columns[part] * weights[part, None]
        grams[fold], moments[fold] = weighted.T @ columns[part], weighted.T @ values[part]
    gram, moment = grams.sum(axis=0), moments.sum(axis=0)
    whole = solve(gram, moment, penalty=penalty)
    left_out = [solve(gram - grams[fold], moment - moments[fold], penalty=penalty) for fold in range(FOLDS)]
    return whole, np.stack(left_out)
