"""Intervals from the errors that a model made on what it had not seen, by lead and season.

Source: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005 (split conformal prediction).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEPS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Leads that share their quantiles: a quarter of a day.
BUCKET_STEPS = STEPS_PER_DAY // 4
BUCKETS = HORIZON_STEPS // BUCKET_STEPS
SEASONS = ("winter", "spring", "summer", "autumn")
# Fewer errors than this in a cell say little of a 2.5 % tail: the season's cell gives way to the lead's.
_LEAST_ERRORS = 400
# Where even a lead has too few: the spread of last week's value as a forecast (about 7 % in 2018), as a normal.
_ASSUMED_SPREAD = 0.07
_NORMAL = (-1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96)
_MEDIAN = QUANTILES.index(0.5)


def season_of(month: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return positions in SEASONS; winter is December to February.

    >>> season_of(np.array([12, 2, 3, 7, 11])).tolist()
    [0, 0, 1, 2, 3]
    """
    return month % 12 // 3


@dataclass(frozen=True)
class Intervals:
    """Quantiles of the log of load over forecast.

    Attributes:
        spread: shape (BUCKETS, SEASONS, QUANTILES); 0 at the median.
    """

    spread: NDArray[np.float64]

    @classmethod
    def learn(cls, errors: NDArray[np.float64], month: NDArray[np.int64]) -> Intervals:
        """Learn from errors that were made on unseen load.

        Args:
            errors: log of load over forecast, shape (issues, HORIZON_STEPS); NaN where unknown.
            month: Paris month of each target, same shape.
        """
        season = season_of(month)
        spread = np.empty((BUCKETS, len(SEASONS), len(QUANTILES)))
        for bucket in range(BUCKETS):
            part = slice(bucket * BUCKET_STEPS, (bucket + 1) * BUCKET_STEPS)
            for number in range(len(SEASONS)):
                in_season = errors[:, part][season[:, part] == number]
                spread[bucket, number] = _quantiles(in_season, errors[:, part])
        return cls(spread)

    def around(self, log_forecast: NDArray[np.float64], month: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return quantiles in MW around forecasts.

        Args:
            log_forecast: log of MW, shape (issues, HORIZON_STEPS).
            month: Paris month of each target, same shape.

        Returns:
            Shape (issues, HORIZON_STEPS, QUANTILES), rising.
        """
        bucket = np.arange(HORIZON_STEPS) // BUCKET_STEPS
        return np.exp(log_forecast[..., None] + self.spread[bucket[None, :], season_of(month)])


def _quantiles(in_season: NDArray[np.float64], all_year: NDArray[np.float64]) -> NDArray[np.float64]:
    for sample in (in_season, all_year):
        known = sample[np.isfinite(sample)]
        if len(known) >= _LEAST_ERRORS:
            quantiles = np.quantile(known, QUANTILES)
            # The forecast itself stays the median: a season's bias is for the model to correct.
            quantiles[:_MEDIAN] = np.minimum(quantiles[:_MEDIAN], 0)
            quantiles[_MEDIAN + 1 :] = np.maximum(quantiles[_MEDIAN + 1 :], 0)
            quantiles[_MEDIAN] = 0
            return quantiles
    return _ASSUMED_SPREAD * np.array(_NORMAL)
