"""The newest forecast of an area is too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, by_share, span, stamp

RULE = "stale_forecast"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas for which no forecast has been issued for hours.

    An installation that never forecast has no facts, so it is not alarmed about what it does not run.

    Args:
        facts: one row per area with any forecast: `area`, `newest` (issue time, UTC).
        now: the check's instant, UTC.
        thresholds: `stale_forecast_hours` counts.

    Returns:
        One finding per stale area; a single critical one for all when every area is stale.
    """
    limit = timedelta(hours=thresholds.stale_forecast_hours)
    stale = [row for row in facts if now - row["newest"] > limit]
    if stale and len(stale) == len(facts):
        newest = max(row["newest"] for row in stale)
        message = f"{_last(newest, now)}, for any area; the limit is {thresholds.stale_forecast_hours} h."
        return [Finding(RULE, Severity.CRITICAL, "No recent forecast for any area", message, key="all")]
    severity = by_share(len(stale), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"No recent forecast for {row['area']}",
            message=f"{_last(row['newest'], now)}; the limit is {thresholds.stale_forecast_hours} h.",
        )
        for row in stale
    ]


def _last(newest: datetime, now: datetime) -> str:
    return f"The newest forecast was issued at {stamp(newest)}, {span((now - newest).total_seconds() / 60)} ago"
