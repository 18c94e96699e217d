"""Buckets of a curve: how wide they are, so that no answer has more points than a screen shows."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import Query

from powersense.api.data.parameters import Range

MAX_POINTS = 2_000

Points = Annotated[int, Query(ge=2, le=MAX_POINTS, description="buckets of each area at most")]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WIDTHS = (15 * _MINUTE, 30 * _MINUTE, *(hours * _HOUR for hours in (1, 2, 3, 4, 6, 8, 12)))


def bucket_seconds(asked: Range, *, points: int) -> int:
    """Return the width of the buckets, counted from the epoch, of which at most `points` touch a range.

    >>> from powersense.api.data.parameters import instant
    >>> bucket_seconds(Range(instant("start", "2017-01-01T00:00Z"), instant("end", "2017-01-02T00:00Z")), points=2_000)
    900
    >>> bucket_seconds(Range(instant("start", "2012-01-01T00:00Z"), instant("end", "2022-01-01T00:00Z")), points=2_000)
    172800
    """
    seconds = (asked.end - asked.start).total_seconds()
    # A range that begins within a bucket touches one more.
    fitting = [width for width in _WIDTHS if seconds / width + 1 <= points]
    if fitting:
        return fitting[0]
    return math.ceil(seconds / (_DAY * (points - 1))) * _DAY
