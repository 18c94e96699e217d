"""What a backtest reads: load, weather and RTE's forecast of one area, on one grid of half-hours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from powersense.calendar import local_midnight
from powersense.errors import ForecastInputError
from powersense.forecasting.backtest import Plan, without_impossible_as_of
from powersense.forecasting.interface import STEP, History

NO_WEATHER = "none"
OBSERVED_WEATHER = "observed"


@dataclass(frozen=True)
class Inputs:
    """Series of one area; the indexes are half-hours' starts, UTC, without gaps.

    Attributes:
        area: the perimeter.
        origin: where the load came from, for people.
        load_mw: MW; NaN where not known.
        temperature_c: °C on the load's grid, or longer; None without weather.
        rte_j1_mw: RTE's J-1 forecast, MW; None where there is none.
        vintage: the load's level: realtime, consolidated or definitive.
    """

    area: str
    origin: str
    load_mw: pd.Series
    temperature_c: pd.Series | None
    rte_j1_mw: pd.Series | None
    vintage: str

    @property
    def weather(self) -> str:
        """What the forecasts know of the weather: `observed`, that of the target itself, or `none`."""
        return NO_WEATHER if self.temperature_c is None else OBSERVED_WEATHER

    def history(self, plan: Plan) -> History:
        """Return the history that a plan walks over.

        Raises:
            ForecastInputError: the load does not reach over the scored days.
        """
        known = self.load_mw.dropna()
        if known.empty:
            raise ForecastInputError(f"{self.origin} holds no load of {self.area}")
        end = local_midnight(plan.last + timedelta(days=1))
        if known.index[0] >= plan.issued_at[0] or known.index[-1] < end - timedelta(days=1):
            raise ForecastInputError(
                f"{self.origin} holds load of {self.area} from {known.index[0]:%Y-%m-%d %H:%M} to "
                f"{known.index[-1]:%Y-%m-%d %H:%M} UTC, which does not reach over FROM={plan.first} TO={plan.last} and "
                f"the issues up to {max(plan.leads)} days before; choose days within it"
            )
        grid = pd.date_range(known.index[0], plan.end, freq=STEP, inclusive="left")
        # Later loads than the last scored one serve nothing.
        load = without_impossible_as_of(self.load_mw[self.load_mw.index < end].reindex(grid), plan.issued_at)
        weather = None
        if self.temperature_c is not None:
            weather = pd.DataFrame({"temperature_c": self.temperature_c.reindex(grid)})
        return History(self.area, load, weather, self.vintage)

    def fingerprint(self) -> str:
        """Return a hash of every value."""
        digest = hashlib.sha256(f"{self.area}|{self.vintage}".encode())
        for series in (self.load_mw, self.temperature_c, self.rte_j1_mw):
            digest.update(
                b"|" if series is None else pd.util.hash_pandas_object(series, index=True).to_numpy().tobytes()
            )
        return digest.hexdigest()


def half_hours(instants: pd.DatetimeIndex, values: pd.Series) -> pd.Series:
    """Put loads on the grid of half-hours.

    Args:
        instants: UTC instants, in any order; two quarter-hours become the mean of their half-hour.
        values: MW; what is not above zero is not known.

    Returns:
        MW by half-hour (UTC) without gaps.
    """
    numbers = pd.to_numeric(values, errors="raise").astype("float64").to_numpy()
    known = pd.Series(np.where(numbers > 0, numbers, np.nan), index=instants.as_unit("us"))
    steps = known.groupby(instants.as_unit("us").floor(STEP)).mean().sort_index()
    return steps.reindex(pd.date_range(steps.index[0], steps.index[-1], freq=STEP)) if len(steps) else steps
