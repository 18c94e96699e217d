"""Which kinds of model are worth training, and how far each was off over held-out weeks. Pure."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from powersense.errors import ForecastInputError
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEP, STEPS_PER_DAY
from powersense.forecasting.models import create

if TYPE_CHECKING:
    from powersense.forecasting.interface import Forecaster, History

logger = logging.getLogger(__name__)

WITH_WEATHER, WITHOUT_WEATHER = "gam", "gam_without_weather"
# A model with weather is worth training once so many half-hours have both: most of a year, summer and winter.
_LEAST_WEATHER_STEPS = int(0.9 * 365 * STEPS_PER_DAY)


def kinds(history: History) -> list[str]:
    """Return the kinds worth training: the one with weather where it covers most of a year of the load."""
    if history.weather is None:
        return [WITHOUT_WEATHER]
    has_both = history.weather["temperature_c"].notna() & history.load_mw.notna()
    return [WITH_WEATHER, WITHOUT_WEATHER] if has_both.sum() >= _LEAST_WEATHER_STEPS else [WITHOUT_WEATHER]


def measure(history: History, *, until: datetime, days: int, seed: int) -> dict[str, dict[str, Any]]:
    """Return by kind the errors of daily issues in the last `days`, of models fitted on what lies before them.

    The champion is measured like any other kind: its stored model may have been fitted on the held-out weeks.

    Args:
        history: load and weather.
        until: end of the held-out days, UTC, on a half-hour.
        days: how many, more than seven.
        seed: of the fits.

    Returns:
        By kind see `metrics`, with the held-out range. A kind that cannot be fitted on so little is left out.
    """
    cut = until - timedelta(days=days)
    issues = pd.date_range(cut, pd.Timestamp(until) - HORIZON_STEPS * STEP, freq="24h", unit="s")
    measured = {}
    for name in kinds(history):
        model = create(name)
        try:
            model.fit(history, until=cut, seed=seed)
            found = metrics(history, issues, model)
        except ForecastInputError as error:
            logger.warning("%s: %s is not compared: %s", history.area, name, error)
            continue
        if found["half_hours"]:
            measured[name] = found | {"held_out_from": cut.isoformat(), "held_out_until": until.isoformat()}
    return measured


def metrics(history: History, issues: pd.DatetimeIndex, model: Forecaster) -> dict[str, Any]:
    """Return how far a model's issues were off.

    Args:
        history: holds the load that came.
        issues: issue times, UTC; their horizons lie inside the grid.
        model: fitted on what lies before them.

    Returns:
        `half_hours` (compared), and where there are any `mape` and `mape_by_day` (shares; seven days of lead),
        `bias_mw` (forecast minus load) and `coverage_80` (share inside the 80 % interval).
    """
    predicted = model.predict(history, issues)
    actual = history.load_mw.to_numpy()[history.positions(issues)[:, None] + np.arange(HORIZON_STEPS)]
    lower, middle, upper = (predicted[:, :, QUANTILES.index(level)] for level in (0.1, 0.5, 0.9))
    is_known = np.isfinite(actual) & np.isfinite(middle)
    if not is_known.any():
        return {"half_hours": 0}
    share = np.where(is_known, np.abs(middle - actual) / actual, np.nan)
    by_day = [share[:, first : first + STEPS_PER_DAY] for first in range(0, HORIZON_STEPS, STEPS_PER_DAY)]
    return {
        "half_hours": int(is_known.sum()),
        "mape": float(np.nanmean(share)),
        "mape_by_day": [float(np.nanmean(day)) if np.isfinite(day).any() else None for day in by_day],
        "bias_mw": float(np.mean((middle - actual)[is_known])),
        "coverage_80": float(np.mean(((actual >= lower) & (actual <= upper))[is_known])),
    }
