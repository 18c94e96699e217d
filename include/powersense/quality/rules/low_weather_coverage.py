"""Too few of the hours of a region have a temperature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share

RULE = "low_weather_coverage"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the regions whose weather has too many gaps.

    The 24 hours end where staleness begins, so that a publication delay is no gap; a region without any weather in them
    is the business of `stale_weather`.

    Args:
        facts: one row per region with weather in the week before: `area`, `received` and `expected` (hours).
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
            subject=f"Weather of {row['area']} has gaps",
            message=(
                f"{row['received']} of {row['expected']} hours of a day have a temperature "
                f"({row['received'] / row['expected']:.0%}); the limit is {thresholds.min_coverage:.0%}."
            ),
        )
        for row in low
    ]
