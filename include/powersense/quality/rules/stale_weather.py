"""A region has had no weather for hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, by_share, span, stamp

RULE = "stale_weather"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the regions whose newest weather is too old.

    An installation that never took in any weather has no facts, so it is not alarmed about what it did not set up; nor
    is a region from which no station was ever asked for.

    Args:
        facts: one row per region with any weather: `area`, `newest` (hour with a temperature, UTC; None when it is
            older than the query looks back).
        now: the check's instant, UTC.
        thresholds: `stale_weather_hours` counts.

    Returns:
        One finding per stale region; a single one for all when every region is stale.
    """
    oldest = now - timedelta(hours=thresholds.stale_weather_hours)
    stale = [row for row in facts if row["newest"] is None or row["newest"] < oldest]
    newest = max((row["newest"] for row in facts if row["newest"]), default=None)
    if stale and len(stale) == len(facts):
        message = f"{_last(newest, now)}, in any region; the limit is {thresholds.stale_weather_hours} h."
        return [Finding(RULE, Severity.WARNING, "No recent weather for any region", message, key="all")]
    severity = by_share(len(stale), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"No recent weather for {row['area']}",
            message=f"{_last(row['newest'], now)}; the limit is {thresholds.stale_weather_hours} h.",
        )
        for row in stale
    ]


def _last(newest: datetime | None, now: datetime) -> str:
    if newest is None:
        return "There was no temperature for days"
    return f"The newest temperature is of {stamp(newest)}, {span((now - newest).total_seconds() / 60)} old"
