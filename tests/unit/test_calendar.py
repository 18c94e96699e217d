"""Paris-local days: their type, their length, and the holidays around them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.calendar import PUBLIC_HOLIDAY, days, describe, is_bridge_day, public_holidays

ANY_DAY = st.dates(min_value=date(2012, 1, 1), max_value=date(2030, 12, 30))


@given(ANY_DAY)
def test_days_tile_the_time_line_without_gap(day):
    assert describe(day).end_utc == describe(day + timedelta(days=1)).start_utc


@given(ANY_DAY)
def test_a_day_has_23_24_or_25_hours_and_only_sundays_are_odd(day):
    hours = describe(day).hours
    assert hours in {23, 24, 25}
    assert hours == 24 or day.weekday() == 6


@pytest.mark.parametrize(("day", "hours"), [(date(2017, 3, 26), 23), (date(2017, 10, 29), 25), (date(2017, 9, 30), 24)])
def test_daylight_saving_days_have_their_length(day, hours):
    assert describe(day).hours == hours


def test_summer_midnight_is_22_utc_of_the_day_before():
    assert describe(date(2017, 9, 30)).start_utc == datetime(2017, 9, 29, 22, tzinfo=UTC)


def test_a_year_has_the_eleven_national_holidays():
    assert len(public_holidays(2017)) == 11
    assert describe(date(2017, 11, 1)).day_type == PUBLIC_HOLIDAY
    assert describe(date(2017, 11, 2)).day_type == "thursday"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2017, 5, 26), True),
        (date(2018, 4, 30), True),
        (date(2017, 5, 25), False),
        (date(2017, 11, 2), False),
        (date(2018, 12, 31), True),
    ],
    ids=["after Ascension", "before May Day", "a holiday itself", "a Thursday", "before a New Year in another year"],
)
def test_bridge_days_lie_between_a_holiday_and_a_weekend(day, expected):
    assert is_bridge_day(day) is expected


def test_days_includes_both_ends():
    assert [d.day for d in days(date(2017, 9, 30), date(2017, 10, 1))] == [date(2017, 9, 30), date(2017, 10, 1)]
