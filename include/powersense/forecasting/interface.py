"""What every forecaster is given, and what it owes in return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import pandas as pd

from powersense.errors import ForecastInputError

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

STEP = pd.Timedelta(minutes=30)
STEPS_PER_DAY = 48
HORIZON_STEPS = 7 * STEPS_PER_DAY
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
WEATHER_COLUMNS = ("temperature_c",)


@dataclass(frozen=True)
class History:
    """Load and weather of one area on one regular grid of half-hours.

    The grid reaches over the load known so far and the horizon to forecast. A model reads the load before an issue
    time only; the weather of later half-hours is what was forecast for them, or what was observed where a backtest
    says so.

    Attributes:
        area: the perimeter.
        load_mw: mean load of each half-hour, MW, by its start (UTC); NaN where it is not known.
        weather: columns `WEATHER_COLUMNS` on the same grid, °C; NaN where it is not known, None where there is none.
        vintage: the level that the load is on: realtime, consolidated or definitive.
    """

    area: str
    load_mw: pd.Series
    weather: pd.DataFrame | None = None
    vintage: str = "definitive"

    def __post_init__(self) -> None:
        """Refuse a grid that is not one.

        Raises:
            ForecastInputError: the load is not on a gapless UTC grid of half-hours, or the weather on another one.
        """
        grid = self.load_mw.index
        if not isinstance(grid, pd.DatetimeIndex) or str(grid.tz) != "UTC":
            raise ForecastInputError(f"{self.area}: the load's index must be UTC instants, not {grid.dtype}")
        if len(grid) > 1 and not bool((grid[1:] - grid[:-1] == STEP).all()):
            raise ForecastInputError(f"{self.area}: the load's grid has gaps or repeats; write NaN for unknown values")
        if self.weather is not None and not self.weather.index.equals(grid):
            raise ForecastInputError(f"{self.area}: the weather must stand on the load's grid")

    @property
    def grid(self) -> pd.DatetimeIndex:
        """The half-hours' starts, UTC."""
        return pd.DatetimeIndex(self.load_mw.index)

    def positions(self, issued_at: pd.DatetimeIndex) -> NDArray[np.intp]:
        """Return where in the grid issue times lie.

        Raises:
            ForecastInputError: one is off the grid, or the grid ends before its horizon does.
        """
        positions = self.grid.get_indexer(issued_at)
        outside = (positions < 0) | (positions + HORIZON_STEPS > len(self.grid))
        if outside.any():
            first = issued_at[outside][0].isoformat()
            raise ForecastInputError(f"{self.area}: issue time {first} and its seven days must lie on the grid's grid")
        return positions

    def without_weather(self) -> History:
        """Return the same load without any weather."""
        return History(self.area, self.load_mw, None, self.vintage)


class Forecaster(Protocol):
    """A model of one area's load over the next seven days."""

    name: str
    uses_weather: bool

    def fit(self, history: History, *, until: datetime, seed: int) -> None:
        """Learn from the load and weather before `until` (UTC); what lies later is not looked at.

        Raises:
            ForecastInputError: too little of the history is known.
        """
        ...

    def predict(self, history: History, issued_at: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Forecast the half-hours from each issue time on, from what is known before it.

        Returns:
            MW, shape (issue times, HORIZON_STEPS, len(QUANTILES)), quantiles rising; NaN where the model cannot say.

        Raises:
            ForecastInputError: an issue time lies off the grid.
        """
        ...

    def save(self) -> dict[str, bytes]:
        """Return the model's files by name, in formats that cannot execute code when read: JSON, npz without pickle."""
        ...

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `save` wrote.

        Raises:
            ModelFileError: a file is missing, corrupt, or of another model, format or feature set.
        """
        ...
