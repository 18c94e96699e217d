"""Too few of the expected load values of an area arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share

RULE = "low_coverage"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas with too many gaps.

    The 24 hours end where staleness begins, so that a publication delay is no gap; areas without any value in them
    are the business of `stale_data`.

    Args:
        facts: one row per area: `area`, `received` and `expected` (values).
        now: the check's instant, UTC.
        thresholds: `min_coverage` counts.
    """
    low = [row for row in facts if 0 < row["received"] < thresholds.min_coverage * row["expected"]]
    severity = by_share(len(low), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"Load of {row['area']} has gaps",
            message=(
                f"{row['received']} of {row['expected']} expected load values of 24 hours arrived "
                f"({row['received'] / row['expected']:.0%}); the limit is {thresholds.min_coverage:.0%}."
            ),
        )
        for row in low
    ]
