"""The days on which a forecast was furthest off, and what the calendar or the weather says about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from powersense.calendar import PARIS, describe
from powersense.forecasting.scorecard import ALL_LEADS, RTE, compare

NO_REASON = "no calendar or weather reason"
# A day this far from what is usual within 15 days of its date, in °C, is a reason of its own.
_FAR_FROM_SEASON_C = 4.0
_NEAR_DAYS = 15
_LEAST_NEAR_DAYS = 20


@dataclass(frozen=True)
class WorstDay:
    """One day.

    Attributes:
        day: Paris date.
        mape_pct: our error at the shortest lead of the run.
        bias_mw: mean of forecast minus load.
        rte_mape_pct: RTE's J-1, raw, on the same half-hours; None where it takes no part.
        reason: what was special about the day.
    """

    day: date
    mape_pct: float
    bias_mw: float
    rte_mape_pct: float | None
    reason: str


def worst_days(
    evaluated: pd.DataFrame, *, model: str, temperature_c: pd.Series | None, count: int = 10
) -> tuple[WorstDay, ...]:
    """Return the days with the largest MAPE at the shortest lead, worst first.

    Args:
        evaluated: rows of `rte_reference.evaluate`.
        model: name of our model.
        temperature_c: temperature by half-hour (UTC), °C, over all the years known; None where there is none.
        count: how many days.
    """
    compared = compare(evaluated, model=model)
    leads = sorted(set(compared) - {ALL_LEADS})
    if not leads:
        return ()
    rows = compared[leads[0]]
    daily = _daily_errors(rows, model).nlargest(count, "mape")
    usual = _DailyTemperature(temperature_c)
    return tuple(
        WorstDay(
            day=day,
            mape_pct=float(row["mape"]),
            bias_mw=float(row["bias"]),
            rte_mape_pct=float(row["rte"]) if "rte" in row else None,
            reason=reason(day, usual.of(day)),
        )
        for day, row in daily.iterrows()
        if isinstance(day, date)
    )


def reason(day: date, temperature: tuple[float, float] | None) -> str:
    """Say what is special about a day.

    Args:
        day: Paris date.
        temperature: its mean, and its difference from what is usual around that date, °C; None if not known.

    >>> reason(date(2018, 5, 11), None)
    'bridge day'
    >>> reason(date(2018, 2, 28), (-4.2, -9.1))
    'cold spell: -4.2 °C, 9.1 °C below the season'
    """
    said = _calendar_reason(day)
    if said:
        return said
    if temperature and abs(temperature[1]) >= _FAR_FROM_SEASON_C:
        value, difference = temperature
        word, side = ("cold spell", "below") if difference < 0 else ("warm spell", "above")
        return f"{word}: {value:.1f} °C, {abs(difference):.1f} °C {side} the season"
    return NO_REASON


def _calendar_reason(day: date) -> str:
    """Return what the calendar says of a day, the strongest first; empty where it says nothing."""
    known = describe(day)
    is_between = all(describe(day + timedelta(days=step)).is_public_holiday for step in (-1, 1))
    is_christmas = (day.month, day.day) >= (12, 21) or (day.month, day.day) <= (1, 4)
    reasons = {
        f"public holiday: {known.holiday_name}": known.is_public_holiday,
        "bridge day": known.is_bridge_day,
        "between two public holidays": is_between,
        "Christmas weeks": is_christmas,
        f"daylight-saving day of {known.hours} hours": known.hours != 24,
    }
    return next((text for text, is_so in reasons.items() if is_so), "")


def _daily_errors(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    days = pd.DatetimeIndex(rows["target_at"]).tz_convert(PARIS).date
    errors = {"mape": (rows[model] / rows["load_mw"] - 1).abs() * 100, "bias": rows[model] - rows["load_mw"]}
    if RTE[0] in rows:
        errors["rte"] = (rows[RTE[0]] / rows["load_mw"] - 1).abs() * 100
    return pd.DataFrame(errors).groupby(days).mean()


class _DailyTemperature:
    """Daily means, and what is usual around a date over all years."""

    def __init__(self, temperature_c: pd.Series | None) -> None:
        half_hours = pd.Series(dtype="float64") if temperature_c is None else temperature_c.dropna()
        if half_hours.empty:
            self._mean = half_hours
            return
        self._mean = half_hours.groupby(pd.DatetimeIndex(half_hours.index).tz_convert(PARIS).date).mean()
        self._day_of_year = np.array([day.timetuple().tm_yday for day in self._mean.index])

    def of(self, day: date) -> tuple[float, float] | None:
        """Return a day's mean and its difference from the usual, °C; None where either is not known."""
        if day not in self._mean.index:
            return None
        apart = np.abs(self._day_of_year - day.timetuple().tm_yday)
        near = self._mean[np.minimum(apart, 366 - apart) <= _NEAR_DAYS]
        if len(near) < _LEAST_NEAR_DAYS:
            return None
        mean = float(self._mean[day])
        return mean, mean - float(near.mean())
