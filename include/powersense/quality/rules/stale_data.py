"""The newest load value of an area is too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, by_share, span, stamp

RULE = "stale_data"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas whose newest load value is too old.

    Args:
        facts: one row per expected area: `area`, `newest` (UTC, None when nothing was ever stored).
        now: the check's instant, UTC.
        thresholds: `stale_minutes` counts.

    Returns:
        One finding per stale area; a single one for all when every area is stale.
    """
    ages = {row["area"]: _age_minutes(row["newest"], now) for row in facts}
    stale = {area: age for area, age in ages.items() if age is None or age > thresholds.stale_minutes}
    if stale and len(stale) == len(ages):
        return [everything_is_stale(max((row["newest"] for row in facts if row["newest"]), default=None), now=now)]
    severity = by_share(len(stale), len(ages))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=area,
            subject=f"No recent load for {area}",
            message=f"{_since(age)}; the limit is {thresholds.stale_minutes} min. Stale areas: {len(stale)}.",
        )
        for area, age in stale.items()
    ]


def everything_is_stale(newest: datetime | None, *, now: datetime) -> Finding:
    """Return the finding for load data that is old in every area.

    Args:
        newest: newest instant with a load value, UTC; None when the warehouse holds none.
        now: the instant of the check, UTC.
    """
    if newest is None:
        # A new installation looks like this until its first ingestion ends: worth a line, not a call at night.
        return Finding(RULE, Severity.INFO, "No load data yet", "No load value is stored for any area.", key="all")
    age = (now - newest).total_seconds() / 60
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL,
        subject="No recent load for any area",
        message=f"The newest load value of all areas is of {stamp(newest)}, {span(age)} old.",
        key="all",
    )


def _age_minutes(newest: datetime | None, now: datetime) -> float | None:
    return None if newest is None else (now - newest).total_seconds() / 60


def _since(age: float | None) -> str:
    return "No load value is stored" if age is None else f"The newest load value is {span(age)} old"
