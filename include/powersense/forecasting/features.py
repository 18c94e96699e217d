"""Features of the load models, one builder for training, backtest and live: all as known at the issue time.

Two families. `regressors` describes each half-hour by itself: calendar and weather. `recent_errors` describes what an
issue time knows: how far the load of the last weeks lay from what those regressors explain. Only the second reads the
load, and only before the issue time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.calendar import PARIS
from powersense.forecasting.day_kinds import HOLIDAY_NAMES, DayKinds, day_kinds
from powersense.forecasting.interface import HORIZON_STEPS, STEPS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS_PER_YEAR = 365.25
_EPOCH = pd.Timestamp("2015-01-01", tz="UTC")
# Knees, °C, of the load's response to temperature: heating starts near 15 to 18 °C, cooling near 18 to 22 °C.
# Source: RTE, "La consommation d'électricité en France: la thermosensibilité" (heating below 15 °C).
_HEATING_KNEES = (0.0, 5.0, 10.0, 15.0)
_COOLING_KNEES = (18.0, 22.0)
# Buildings answer to the temperature of the last hours and days: time constants, hours.
_INERTIA_HOURS = (24.0, 72.0)


@dataclass(frozen=True)
class Regressors:
    """Descriptions of half-hours.

    Attributes:
        names: one per column.
        values: shape (half-hours, names), no NaN.
        half_hour: the Paris half-hour of the day, 0 to 47.
        month: the Paris month, 1 to 12.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    half_hour: NDArray[np.int64]
    month: NDArray[np.int64]


def regressors(grid: pd.DatetimeIndex, temperature_c: NDArray[np.float64] | None) -> Regressors:
    """Describe each half-hour by calendar and weather.

    Args:
        grid: starts of the half-hours, UTC.
        temperature_c: the area's temperature on the grid, °C, no NaN; None leaves weather out.
    """
    local = grid.tz_convert(PARIS)
    kinds = day_kinds(local)
    columns = _day_columns(kinds) | _season_columns(kinds, grid, local)
    if temperature_c is not None:
        columns |= _weather_columns(temperature_c, kinds)
    half_hour = np.asarray(local.hour * 2 + local.minute // 30, dtype=np.int64)
    return Regressors(tuple(columns), np.column_stack(list(columns.values())), half_hour, np.asarray(local.month))


def _day_columns(kinds: DayKinds) -> dict[str, NDArray[np.float64]]:
    columns = {f"is_{name}": kinds.kind == number for number, name in enumerate(kinds.names)}
    columns["is_bridge_day"] = kinds.is_bridge_day
    columns["is_after_holiday"] = kinds.is_after_holiday & ~kinds.is_holiday
    columns["is_before_holiday"] = kinds.is_before_holiday & ~kinds.is_holiday
    columns["is_weekend_holiday"] = kinds.is_holiday & (kinds.weekday >= 5)
    columns["is_monday_holiday"] = kinds.is_holiday & (kinds.weekday == 0)
    columns["is_christmas_workday"] = kinds.is_christmas & ~kinds.is_rest
    columns["is_christmas_rest"] = kinds.is_christmas & kinds.is_rest
    columns["is_alsace_moselle_holiday"] = kinds.is_alsace_moselle_holiday
    columns["school_zones_workday"] = kinds.school_zones * ~kinds.is_rest
    columns["school_zones_rest"] = kinds.school_zones * kinds.is_rest
    columns |= {f"is_{name}": kinds.holiday == number for number, name in enumerate(HOLIDAY_NAMES)}
    return {name: column.astype(np.float64) for name, column in columns.items()}


def _season_columns(kinds: DayKinds, grid: pd.DatetimeIndex, local: pd.DatetimeIndex) -> dict[str, NDArray[np.float64]]:
    angle = 2 * np.pi * np.asarray(local.day_of_year) / DAYS_PER_YEAR
    waves = {f"{wave}{k}": f(k * angle) for k in range(1, 7) for wave, f in (("sin", np.sin), ("cos", np.cos))}
    rest, saturday = kinds.is_rest.astype(float), (kinds.kind == 5).astype(float)
    columns = dict(waves)
    columns |= {f"rest_{name}": waves[name] * rest for name in list(waves)[:6]}
    columns |= {f"saturday_{name}": waves[name] * saturday for name in list(waves)[:4]}
    offset = np.asarray(local.tz_localize(None) - grid.tz_localize(None), dtype="timedelta64[m]").astype(float)
    columns["is_summer_time"] = (offset > 60).astype(float)
    columns["years"] = np.asarray((grid - _EPOCH) / pd.Timedelta(days=DAYS_PER_YEAR), dtype=float)
    return columns


def _weather_columns(temperature_c: NDArray[np.float64], kinds: DayKinds) -> dict[str, NDArray[np.float64]]:
    columns: dict[str, NDArray[np.float64]] = {}
    smoothed = {f"temperature_{hours:.0f}h": smooth(temperature_c, hours=hours) for hours in _INERTIA_HOURS}
    for name, values in {"temperature": temperature_c, **smoothed}.items():
        columns[name] = values
        columns |= {f"{name}_below_{knee:.0f}": np.maximum(knee - values, 0) for knee in _HEATING_KNEES}
        columns |= {f"{name}_above_{knee:.0f}": np.maximum(values - knee, 0) for knee in _COOLING_KNEES}
    day = smoothed["temperature_24h"]
    heating, rest = np.maximum(15 - day, 0), kinds.is_rest.astype(float)
    columns["heating_at_rest"] = heating * rest
    columns["heating_at_christmas"] = heating * kinds.is_christmas
    columns["cooling_at_rest"] = np.maximum(day - 20, 0) * rest
    return columns


def smooth(values: NDArray[np.float64], *, hours: float) -> NDArray[np.float64]:
    """Smooth half-hourly values exponentially, looking back only.

    Args:
        values: one per half-hour, no NaN.
        hours: time constant.
    """
    return np.asarray(pd.Series(values).ewm(alpha=1 - np.exp(-0.5 / hours)).mean())


EVERY_LEAD = np.arange(HORIZON_STEPS)
_WINDOWS = {"mean_3h": 6, "mean_6h": 12, "mean_24h": 48, "mean_3d": 144, "mean_7d": 336, "mean_28d": 1344}
RECENT_ERROR_NAMES = (
    *_WINDOWS,
    "same_time_1d",
    "around_1d",
    "around_2d",
    "around_3d",
    "same_time_1w",
    "around_1w",
    "same_time_2w",
    "same_time_3w",
    "same_time_4w",
)


def recent_errors(
    errors: NDArray[np.float64], issues: NDArray[np.intp], lead: NDArray[np.intp] = EVERY_LEAD
) -> NDArray[np.float64]:
    """Describe what each issue time knows of the recent errors, for each of its targets.

    Args:
        errors: log of load over what the regressors explain, on the grid; NaN where unknown. Values at and after an
            issue are not read for it.
        issues: grid positions of the issue times' first targets.
        lead: leads wanted, in steps.

    Returns:
        Shape (issues, leads, RECENT_ERROR_NAMES); unknown ones are the mean of the last day, or 0 without one.
    """
    series = pd.Series(errors)
    target, last = issues[:, None] + lead[None, :], issues[:, None] - 1
    columns = [np.broadcast_to(_taken(_mean(series, steps), last), target.shape) for steps in _WINDOWS.values()]
    around = series.rolling(5, center=True, min_periods=2).mean().to_numpy()
    days = STEPS_PER_DAY * (lead // STEPS_PER_DAY + 1)
    week = HORIZON_STEPS
    columns += [
        _taken(errors, target - days),
        # A centred mean looks two steps ahead: never past the last one known.
        _taken(around, np.minimum(target - days, last - 2)),
        _taken(around, np.minimum(target - days - STEPS_PER_DAY, last - 2)),
        _taken(around, np.minimum(target - days - 2 * STEPS_PER_DAY, last - 2)),
        _taken(errors, target - week),
        _taken(around, np.minimum(target - week, last - 2)),
        *(_taken(errors, target - weeks * week) for weeks in (2, 3, 4)),
    ]
    level = np.nan_to_num(columns[list(_WINDOWS).index("mean_24h")])
    features = np.empty((*target.shape, len(columns)))
    for number, column in enumerate(columns):
        features[..., number] = np.where(np.isnan(column), level, column)
    return features


def _mean(series: pd.Series, steps: int) -> NDArray[np.float64]:
    return series.rolling(steps, min_periods=max(2, steps // 4)).mean().to_numpy()


def _taken(values: NDArray[np.float64], positions: NDArray[np.intp]) -> NDArray[np.float64]:
    """Take values at grid positions; NaN before the grid's start."""
    return np.where(positions >= 0, values[np.clip(positions, 0, len(values) - 1)], np.nan)
