"""Walk forward over the past: weekly refits, daily issues, each from what was known by then.

The models are those of the live path, called as it calls them; a history holds later loads only so that they can be
compared afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.calendar import PARIS, local_midnight
from powersense.errors import ForecastInputError
from powersense.forecasting.inputs import without_impossible
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEP, STEPS_PER_DAY, History
from powersense.forecasting.models import create

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEADS = (1, 2, 3, 4, 5, 6, 7)
REFERENCE_MODELS = ("last_week", "analogue")
QUANTILE_COLUMNS = tuple(f"q{round(quantile * 1000):03d}_mw" for quantile in QUANTILES)
_MEDIAN = QUANTILES.index(0.5)
# How far back `without_impossible` looks, and some more.
_LEVEL_REACH_STEPS = 35 * STEPS_PER_DAY


@dataclass(frozen=True, eq=False)
class Week:
    """Seven issues of one fit.

    Attributes:
        until: Paris midnight before the first issue, UTC; the fit sees nothing later.
        issued_at: the issue times, UTC.
    """

    until: datetime
    issued_at: pd.DatetimeIndex


@dataclass(frozen=True)
class Plan:
    """What to forecast, and when.

    Attributes:
        first: first Paris day whose half-hours are scored, at every lead.
        last: last such day, included.
        model: name of the model.
        leads: day leads: the target's Paris date minus the issue's.
        issue_hour: Paris hour of the daily issue.
        seed: handed to every fit.
    """

    first: date
    last: date
    model: str = "gam"
    leads: tuple[int, ...] = LEADS
    issue_hour: int = 18
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be walked.

        Raises:
            ForecastInputError: the days are in the wrong order, or a lead or the hour does not exist.
        """
        if self.first > self.last:
            raise ForecastInputError(f"FROM={self.first} lies after TO={self.last}; give them in order")
        if not self.leads or not set(self.leads) <= set(LEADS):
            raise ForecastInputError(
                f"LEADS={','.join(map(str, self.leads))}: give day leads from 1 to 7, such as 1,2,7"
            )
        if not 0 <= self.issue_hour <= 23:
            raise ForecastInputError(f"issue hour {self.issue_hour} must lie between 0 and 23")

    @property
    def issued_at(self) -> pd.DatetimeIndex:
        """All issue times, UTC: those from which some lead falls on a scored day."""
        first, last = self.first - timedelta(days=max(self.leads)), self.last - timedelta(days=min(self.leads))
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        local = [datetime.combine(day, time(self.issue_hour), tzinfo=PARIS) for day in days]
        return pd.DatetimeIndex(pd.to_datetime(local, utc=True)).as_unit("us")

    @property
    def end(self) -> pd.Timestamp:
        """End of the last issue's horizon, UTC: how far a history's grid has to reach."""
        return self.issued_at[-1] + HORIZON_STEPS * STEP

    def weeks(self) -> list[Week]:
        """Return the walk's steps in order."""
        issues = self.issued_at
        return [_week(issues[start : start + 7]) for start in range(0, len(issues), 7)]


def forecast_week(plan: Plan, history: History, week: Week) -> pd.DataFrame:
    """Fit as of a week's start and issue its forecasts, with those of the reference models beside them.

    Returns:
        One row per issue and scored half-hour: `issued_at`, `target_at` (UTC), `lead_day`, the `QUANTILE_COLUMNS` and
        `last_week_mw`, `analogue_mw` (their medians), all MW; NaN where a model cannot say.

    Raises:
        ForecastInputError: too little is known before the week, or the grid is too short.
    """
    values = _issue(plan.model, plan, history, week)
    frame = targets_of(week.issued_at)
    frame[list(QUANTILE_COLUMNS)] = values.reshape(-1, len(QUANTILES))
    for name in REFERENCE_MODELS:
        frame[f"{name}_mw"] = _issue(name, plan, history, week)[:, :, _MEDIAN].ravel()
    days = frame["target_at"].dt.tz_convert(PARIS).dt.date
    is_scored = frame["lead_day"].isin(plan.leads) & (days >= plan.first) & (days <= plan.last)
    scored: pd.DataFrame = frame.loc[is_scored].reset_index(drop=True)
    return scored


def targets_of(issued_at: pd.DatetimeIndex) -> pd.DataFrame:
    """Return one row per issue and half-hour of its horizon, in the order of a prediction's values.

    Returns:
        `issued_at`, `target_at` (UTC), `lead_day`: the target's Paris date minus the issue's, in days.
    """
    issues = issued_at.repeat(HORIZON_STEPS)
    targets = issues + pd.TimedeltaIndex(np.tile(np.arange(HORIZON_STEPS), len(issued_at)) * STEP)
    dates = [instants.tz_convert(PARIS).tz_localize(None).normalize() for instants in (issues, targets)]
    return pd.DataFrame({"issued_at": issues, "target_at": targets, "lead_day": (dates[1] - dates[0]).days})


def without_impossible_as_of(load_mw: pd.Series, issued_at: pd.DatetimeIndex) -> pd.Series:
    """Return the load without what the live path leaves out, each value judged by what was known at the next issue.

    Args:
        load_mw: on a grid of half-hours (UTC), MW.
        issued_at: issue times in order, UTC.

    Returns:
        MW; what begins at the last issue or later is as given.
    """
    values, begin = load_mw.to_numpy(dtype="float64", copy=True), 0
    for end in map(int, load_mw.index.searchsorted(issued_at)):
        first = max(0, begin - _LEVEL_REACH_STEPS)
        judged = without_impossible(load_mw.iloc[first:end])
        values[begin:end] = judged.to_numpy()[begin - first :]
        begin = end
    return pd.Series(values, index=load_mw.index)


def _week(issued_at: pd.DatetimeIndex) -> Week:
    return Week(until=local_midnight(issued_at[0].tz_convert(PARIS).date()), issued_at=issued_at)


def _issue(name: str, plan: Plan, history: History, week: Week) -> NDArray[np.float64]:
    model = create(name)
    model.fit(history, until=week.until, seed=plan.seed)
    return model.predict(history, week.issued_at)
