"""The load that came, and what RTE had forecast, beside a backtest's forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.forecasting.interface import STEPS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVEL_DAYS = 28
_LEVEL_LEAST_STEPS = 7 * STEPS_PER_DAY


def evaluate(forecasts: pd.DataFrame, load_mw: pd.Series, rte_j1_mw: pd.Series | None) -> pd.DataFrame:
    """Put the load that came, and RTE's forecast of the day before, beside forecasts.

    Args:
        forecasts: rows of `backtest.forecast_week`.
        load_mw: load by half-hour (UTC), MW.
        rte_j1_mw: RTE's J-1 forecast on the same grid, MW; None where there is none.

    Returns:
        The rows with `load_mw`, `rte_j1_mw` and `rte_j1_corrected_mw`; RTE's stand on day lead 1 only, else NaN.
    """
    targets = pd.DatetimeIndex(forecasts["target_at"])
    found = forecasts.assign(load_mw=load_mw.reindex(targets).to_numpy(), rte_j1_mw=np.nan, rte_j1_corrected_mw=np.nan)
    if rte_j1_mw is None:
        return found
    is_day_ahead = (found["lead_day"] == 1).to_numpy()
    raw = np.where(is_day_ahead, rte_j1_mw.reindex(targets).to_numpy(), np.nan)
    level = level_ratio(load_mw, rte_j1_mw, pd.DatetimeIndex(forecasts["issued_at"]))
    return found.assign(rte_j1_mw=raw, rte_j1_corrected_mw=raw * level)


def level_ratio(load_mw: pd.Series, rte_j1_mw: pd.Series, issued_at: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Return the median of load over RTE's J-1 in the 28 days before each issue time.

    RTE forecasts the real-time vintage; the ratio carries its level to the vintage of `load_mw`. NaN with less than
    a week of pairs.
    """
    ratio = load_mw / rte_j1_mw.reindex(load_mw.index)
    # The window of an issue time ends with the half-hour before it.
    known = ratio.rolling(_LEVEL_DAYS * STEPS_PER_DAY, min_periods=_LEVEL_LEAST_STEPS).median().shift(1)
    return known.reindex(issued_at).to_numpy(dtype="float64")
