"""Paris-local calendar: day types, public holidays, bridge days, daylight-saving days. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PUBLIC_HOLIDAY = "public_holiday"


@dataclass(frozen=True)
class CalendarDay:
    """One Paris-local day.

    Attributes:
        day: the local date.
        day_type: `monday` … `sunday`, or `public_holiday`.
        holiday_name: French name of the public holiday, empty on other days.
        is_bridge_day: a working Monday or Friday between a public holiday and the weekend.
        start_utc: local midnight, UTC.
        end_utc: next local midnight, UTC; 23, 24 or 25 hours later.
    """

    day: date
    day_type: str
    holiday_name: str
    is_bridge_day: bool
    start_utc: datetime
    end_utc: datetime

    @property
    def is_public_holiday(self) -> bool:
        """True on the eleven national public holidays."""
        return self.day_type == PUBLIC_HOLIDAY

    @property
    def hours(self) -> int:
        """Length in hours: 23 on the spring change, 25 on the autumn change, else 24."""
        return int((self.end_utc - self.start_utc).total_seconds() // 3600)


@lru_cache(maxsize=64)
def public_holidays(year: int) -> dict[date, str]:
    """Return mainland France's public holidays of a year, by local date.

    Alsace-Moselle's two extra days are left out: they move a fraction of one region's load.
    Source: Code du travail, article L3133-1, by the `holidays` library.

    >>> public_holidays(2017)[date(2017, 7, 14)]
    'Fête nationale'
    """
    import holidays

    return dict(holidays.country_holidays("FR", years=year, language="fr").items())


def is_bridge_day(day: date) -> bool:
    """Tell whether `day` is a working Monday before, or Friday after, a public holiday.

    >>> is_bridge_day(date(2017, 5, 26))  # Friday after Ascension Day
    True
    """
    if day in public_holidays(day.year) or day.weekday() not in (0, 4):
        return False
    neighbour = day + timedelta(days=1 if day.weekday() == 0 else -1)
    return neighbour in public_holidays(neighbour.year)


def local_midnight(day: date) -> datetime:
    """Return the UTC instant of Paris midnight at the start of `day`.

    >>> local_midnight(date(2017, 7, 1)).isoformat()
    '2017-06-30T22:00:00+00:00'
    """
    return datetime.combine(day, time.min, tzinfo=PARIS).astimezone(UTC)


def describe(day: date) -> CalendarDay:
    """Return what the calendar knows of one Paris-local day.

    >>> describe(date(2017, 10, 29)).hours
    25
    """
    name = public_holidays(day.year).get(day, "")
    return CalendarDay(
        day=day,
        day_type=PUBLIC_HOLIDAY if name else WEEKDAYS[day.weekday()],
        holiday_name=name,
        is_bridge_day=is_bridge_day(day),
        start_utc=local_midnight(day),
        end_utc=local_midnight(day + timedelta(days=1)),
    )


def days(first: date, last: date) -> Iterator[CalendarDay]:
    """Yield every day from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield describe(first + timedelta(days=offset))
