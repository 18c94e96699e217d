"""What kind of day each half-hour belongs to, in Paris: weekdays, named holidays, bridge days, the Christmas weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.calendar import WEEKDAYS, is_bridge_day, public_holidays

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLIDAY = len(WEEKDAYS)
# Each public holiday has its own effect: 1 January is not 14 July. Order fixes the columns of stored models.
_HOLIDAY_COLUMNS = {
    "Jour de l'an": "new_year",
    "Lundi de Pâques": "easter_monday",
    "Fête du Travail": "labour_day",
    "Fête de la Victoire": "victory_day",
    "Ascension": "ascension",
    "Lundi de Pentecôte": "whit_monday",
    "Fête nationale": "national_day",
    "Assomption": "assumption",
    "Toussaint": "all_saints",
    "Armistice": "armistice",
    "Noël": "christmas_day",
}
HOLIDAY_NAMES = tuple(_HOLIDAY_COLUMNS.values())


@dataclass(frozen=True)
class DayKinds:
    """Kinds of the Paris days that half-hours lie in; arrays of one value per half-hour.

    Attributes:
        weekday: 0 Monday to 6 Sunday.
        kind: the weekday, or `HOLIDAY` on a public holiday.
        holiday: position in `HOLIDAY_NAMES`; -1 on other days.
        is_bridge_day: a working Monday or Friday beside a holiday.
        is_before_holiday: the next day is a public holiday.
        is_after_holiday: the day before was one.
        is_christmas: 22 December to 2 January.
        is_alsace_moselle_holiday: Good Friday and 26 December, holidays in a part of Grand Est.
        school_zones: how many of the three school zones are on holiday.
    """

    weekday: NDArray[np.int64]
    kind: NDArray[np.int64]
    holiday: NDArray[np.int64]
    is_bridge_day: NDArray[np.bool_]
    is_before_holiday: NDArray[np.bool_]
    is_after_holiday: NDArray[np.bool_]
    is_christmas: NDArray[np.bool_]
    is_alsace_moselle_holiday: NDArray[np.bool_]
    school_zones: NDArray[np.int64]

    names = (*WEEKDAYS, "public_holiday")

    @property
    def is_holiday(self) -> NDArray[np.bool_]:
        """True on public holidays."""
        return np.asarray(self.kind == HOLIDAY)

    @property
    def is_rest(self) -> NDArray[np.bool_]:
        """True at weekends and on public holidays."""
        return (self.weekday >= 5) | self.is_holiday


def day_kinds(local: pd.DatetimeIndex) -> DayKinds:
    """Return the kinds of the days that Paris-local instants lie in."""
    numbers, first = np.unique(_day_numbers(local), return_inverse=True)
    described = np.array([_describe(date(1970, 1, 1) + timedelta(days=int(number))) for number in numbers])
    by_step = described[first]
    weekday, kind, holiday = by_step[:, :3].T
    bridge, before, after, christmas, alsace_moselle = by_step[:, 3:8].astype(bool).T
    return DayKinds(weekday, kind, holiday, bridge, before, after, christmas, alsace_moselle, by_step[:, 8])


def _day_numbers(local: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(local.tz_localize(None), dtype="datetime64[D]").astype(np.int64)


@lru_cache(maxsize=16_384)
def _describe(day: date) -> tuple[int, ...]:
    """Describe one day in the order of the fields of `DayKinds`."""
    name = public_holidays(day.year).get(day, "")
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    is_christmas = (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 2)
    return (
        day.weekday(),
        HOLIDAY if name else day.weekday(),
        list(_HOLIDAY_COLUMNS).index(name) if name in _HOLIDAY_COLUMNS else -1,
        is_bridge_day(day),
        after in public_holidays(after.year),
        before in public_holidays(before.year),
        is_christmas,
        _is_alsace_moselle_holiday(day),
        _school_zones(day),
    )


def _is_alsace_moselle_holiday(day: date) -> bool:
    """Tell Good Friday and Saint Stephen's Day. Source: Code du travail, article L3134-13."""
    in_three_days = day + timedelta(days=3)
    is_good_friday = public_holidays(in_three_days.year).get(in_three_days) == "Lundi de Pâques"
    return is_good_friday or (day.month, day.day) == (12, 26)


def _school_zones(day: date) -> int:
    """Count the zones on school holiday; 0 on days that the calendar does not reach.

    Source: Ministère de l'Éducation nationale, by the `vacances-scolaires-france` library (1990 to 2028).
    """
    zones: dict[str, object] = _school_calendar().get(day, {})
    return sum(bool(zones.get(f"vacances_zone_{zone}")) for zone in "abc")


@lru_cache(maxsize=1)
def _school_calendar() -> dict[date, dict[str, object]]:
    from vacances_scolaires_france import SchoolHolidayDates

    return dict(SchoolHolidayDates().data)
