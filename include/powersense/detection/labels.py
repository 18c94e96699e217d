"""What people say of episodes, and how far false alarms widen the band of their kind.

A kind is (detector, area, direction). Each false alarm of a kind that stands widens the kind's half of the band by
`WIDER_BY` for a year from the start of its episode: half-band × min(`WIDEST`, 1 + `WIDER_BY` · alarms). An alarm
counts from the end of its episode on, so that what was flagged and judged stays as people saw it.

Why not beyond twice: the baseline's least deviation is a quarter of the expected load, and from half of it on an
anomaly is critical (`severity.CRITICAL_SHARE`); no number of labels hides such a one where the load varies little.
"""

from __future__ import annotations

from enum import StrEnum

WIDER_BY = 0.2
WIDEST = 2.0
COUNTS_FOR_DAYS = 365


class Label(StrEnum):
    """What an episode was, in the words of `episode_labels`; `none` takes back what was said before."""

    TRUE_EVENT = "true_event"
    DATA_ERROR = "data_error"
    FALSE_ALARM = "false_alarm"
    NONE = "none"


# The formula's parameters, for the statements that work it out.
BAND_PARAMETERS = {"wider_by": WIDER_BY, "widest": WIDEST, "counts_for_days": COUNTS_FOR_DAYS}
