"""Temperature without holes: what is not known is assumed from the climate and the last known departure from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.forecasting.interface import STEPS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS_PER_YEAR = 365.25
# A warm or cold spell fades over some days: time constant of its departure from the climate.
_SPELL_STEPS = 3 * STEPS_PER_DAY
_PENALTY = 1e-3


@dataclass(frozen=True)
class Climate:
    """Usual temperature by day of the year and time of day, as harmonics of both.

    Attributes:
        coefficients: °C, one per harmonic product; see `_harmonics`.
    """

    coefficients: NDArray[np.float64]

    @classmethod
    def learn(cls, grid: pd.DatetimeIndex, temperature_c: NDArray[np.float64]) -> Climate:
        """Learn from the known temperatures (°C, NaN elsewhere) on a UTC grid."""
        # Every third hour suffices for harmonics.
        known = np.flatnonzero(np.isfinite(temperature_c))[::6]
        columns = _harmonics(grid[known])
        gram = columns.T @ columns + _PENALTY * np.eye(columns.shape[1])
        return cls(np.asarray(np.linalg.solve(gram, columns.T @ temperature_c[known]), dtype=np.float64))

    def filled(self, grid: pd.DatetimeIndex, temperature_c: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the temperatures, °C, with the unknown ones assumed.

        A hole starts at the departure from the climate that stood before it, which fades within days; the future is
        not looked at, so that what is assumed for a half-hour does not change when later ones become known.
        """
        usual = _harmonics(grid) @ self.coefficients
        departure = pd.Series(temperature_c - usual)
        known = departure.notna().to_numpy()
        last = np.maximum.accumulate(np.where(known, np.arange(len(grid)), -1))
        age = np.where(last >= 0, np.arange(len(grid)) - last, 0)
        held = np.where(last >= 0, departure.to_numpy()[np.maximum(last, 0)], 0.0)
        return np.where(known, temperature_c, usual + held * np.exp(-age / _SPELL_STEPS))


def _harmonics(grid: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Return products of yearly and daily harmonics, shape (half-hours, 35); times of day in UTC."""
    year = 2 * np.pi * np.asarray(grid.day_of_year) / DAYS_PER_YEAR
    day = 2 * np.pi * np.asarray(grid.hour * 60 + grid.minute) / 1440
    yearly = [np.ones(len(grid)), *(f(k * year) for k in (1, 2, 3) for f in (np.sin, np.cos))]
    daily = [np.ones(len(grid)), *(f(k * day) for k in (1, 2) for f in (np.sin, np.cos))]
    return np.column_stack([first * second for first in yearly for second in daily])
