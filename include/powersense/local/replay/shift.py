"""Paris wall-clock time: its instants as the portal stamps them, and the whole-week shift of a recording."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from powersense.calendar import PARIS
from powersense.errors import ConfigurationError
from powersense.local.replay.table import Seconds

DAY_S = 86_400
WEEK_DAYS = 7


def _offset_s(moment: datetime) -> int:
    return int((moment.utcoffset() or timedelta()).total_seconds())


def _wall_offset_s(wall_s: int) -> int:
    """Return Paris's offset of a wall-clock second; the standard one inside a gap or an overlap."""
    wall = datetime.fromtimestamp(wall_s, UTC).replace(tzinfo=PARIS)
    return min(_offset_s(wall.replace(fold=0)), _offset_s(wall.replace(fold=1)))


def _by_day(seconds: Seconds, offset_at: Callable[[int], int]) -> Seconds:
    """Return the offset of each second, asking `offset_at` once a day and once a row on days where it changes."""
    days, positions = np.unique(seconds // DAY_S, return_inverse=True)
    firsts = [offset_at(day * DAY_S) for day in days.tolist()]
    offsets = np.array(firsts, dtype=np.int64)[positions]
    for index, day in enumerate(days.tolist()):
        if offset_at((day + 1) * DAY_S - 1) != firsts[index]:
            rows = positions == index
            offsets[rows] = [offset_at(second) for second in seconds[rows].tolist()]
    return offsets


def instants_of(wall_s: Seconds) -> Seconds:
    """Return the UTC instants that the portal stamps on Paris wall-clock times, epoch seconds.

    Spring's 02:00-02:45, which do not exist, become 03:00-03:45+02:00 beside the real ones; autumn's only
    02:00-02:45 block is stamped +01:00. Both follow from taking standard time where the wall clock is unsure.
    """
    return wall_s - _by_day(wall_s, _wall_offset_s)


def offsets_of(instant_s: Seconds, zone: tzinfo) -> Seconds:
    """Return the zone's UTC offsets at those instants, seconds."""
    return _by_day(instant_s, lambda second: _offset_s(datetime.fromtimestamp(second, zone)))


def wall_seconds(wall: datetime) -> int:
    """Return a naive wall-clock time as seconds since 1970 on the same wall clock.

    >>> wall_seconds(datetime(1970, 1, 2))
    86400
    """
    return int(wall.replace(tzinfo=UTC).timestamp())


def paris_wall(moment: datetime) -> datetime:
    """Return what a clock on a Paris wall shows at an aware `moment`, naive."""
    return moment.astimezone(PARIS).replace(tzinfo=None)


def automatic_shift_days(*, now: datetime, starts_at: datetime) -> int:
    """Return the whole number of weeks, in days, that brings the recording to `now`.

    Args:
        now: aware; where the clock of the served timeline stands.
        starts_at: naive Paris wall-clock time in the recording. Its clock starts at the first instant from there on
            that has the weekday and time of day of `now`.

    >>> automatic_shift_days(now=datetime(2025, 11, 22, 12, tzinfo=UTC), starts_at=datetime(2017, 10, 1))
    2968
    """
    weeks = (paris_wall(now) - starts_at) // timedelta(days=WEEK_DAYS)
    return weeks * WEEK_DAYS


def parse_shift(text: str) -> int | None:
    """Return a shift option as days; None stands for `auto`.

    Raises:
        ConfigurationError: neither `auto` nor a whole number of weeks in days.
    """
    if text.strip().casefold() == "auto":
        return None
    try:
        days = int(text)
    except ValueError:
        days = 1
    if days % WEEK_DAYS:
        raise ConfigurationError(
            f"REPLAY_SHIFT={text!r}: expected 'auto', 0 or a number of days that is a multiple of 7 "
            "(whole weeks keep weekday and time of day)."
        )
    return days
