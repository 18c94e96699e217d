"""The wall clock of a replay: how the portal stamps it, and how whole weeks move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.calendar import PARIS
from powersense.errors import ConfigurationError
from powersense.local.replay.clock import Clock
from powersense.local.replay.rendering import zoned_texts
from powersense.local.replay.shift import automatic_shift_days, instants_of, paris_wall, parse_shift, wall_seconds

moments = st.datetimes(
    datetime.fromisoformat("2012-01-01"), datetime.fromisoformat("2035-01-01"), timezones=st.just(UTC)
)


def stamped(*walls: str) -> list[str]:
    seconds = np.array([wall_seconds(datetime.fromisoformat(wall)) for wall in walls], dtype=np.int64)
    return zoned_texts(instants_of(seconds), PARIS)


def test_spring_ghost_hour_is_stamped_an_hour_later_beside_the_real_one() -> None:
    assert stamped("2017-03-26T01:45", "2017-03-26T02:00", "2017-03-26T02:45", "2017-03-26T03:00") == [
        "2017-03-26T01:45:00+01:00",
        "2017-03-26T03:00:00+02:00",
        "2017-03-26T03:45:00+02:00",
        "2017-03-26T03:00:00+02:00",
    ]


def test_autumn_has_one_two_o_clock_block_in_winter_time() -> None:
    assert stamped("2017-10-29T01:45", "2017-10-29T02:00", "2017-10-29T02:45", "2017-10-29T03:00") == [
        "2017-10-29T01:45:00+02:00",
        "2017-10-29T02:00:00+01:00",
        "2017-10-29T02:45:00+01:00",
        "2017-10-29T03:00:00+01:00",
    ]


@given(st.lists(moments, min_size=1, max_size=20))
def test_other_instants_survive_the_way_to_the_wall_and_back(instants: list[datetime]) -> None:
    for instant in instants:
        whole = instant.replace(microsecond=0)
        wall = paris_wall(whole)
        is_unsure = wall.replace(tzinfo=PARIS, fold=0).utcoffset() != wall.replace(tzinfo=PARIS, fold=1).utcoffset()
        if not is_unsure:
            back = instants_of(np.array([wall_seconds(wall)], dtype=np.int64))
            assert back.tolist() == [int(whole.timestamp())]


@given(
    st.lists(st.integers(1_300_000_000, 2_000_000_000), min_size=1, max_size=30),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Paris"]),
)
def test_zoned_texts_are_what_datetime_writes(seconds: list[int], zone: str) -> None:
    written = zoned_texts(np.array(seconds, dtype=np.int64), ZoneInfo(zone))
    assert written == [datetime.fromtimestamp(second, ZoneInfo(zone)).isoformat() for second in seconds]


@given(moments)
def test_automatic_shift_keeps_weekday_and_time_of_day(now: datetime) -> None:
    starts_at = datetime.fromisoformat("2017-10-01")
    days = automatic_shift_days(now=now, starts_at=starts_at)
    recorded = paris_wall(now) - timedelta(days=days)
    assert days % 7 == 0
    assert starts_at <= recorded < starts_at + timedelta(days=7)
    assert (recorded.weekday(), recorded.time()) == (paris_wall(now).weekday(), paris_wall(now).time())


@pytest.mark.parametrize(("text", "days"), [("auto", None), ("0", 0), ("2968", 2968), ("-14", -14)])
def test_a_shift_is_auto_or_whole_weeks(text: str, days: int | None) -> None:
    assert parse_shift(text) == days


@pytest.mark.parametrize("text", ["3", "2.5", "tomorrow"])
def test_another_shift_is_refused_by_value(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"REPLAY_SHIFT='{text}'"):
        parse_shift(text)


def test_a_clock_without_offset_is_paris_time_and_nonsense_is_refused() -> None:
    assert Clock("2017-10-05T12:00").now() == datetime(2017, 10, 5, 10, tzinfo=UTC)
    frozen = Clock("frozen")
    assert frozen.is_frozen
    assert frozen.now() == frozen.now()
    assert not Clock("live").is_frozen
    with pytest.raises(ConfigurationError, match="noon"):
        Clock("noon")
