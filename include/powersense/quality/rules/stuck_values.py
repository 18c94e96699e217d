"""An area's load repeats the same value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share, stamp

RULE = "stuck_values"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas whose newest load values are all the same.

    Args:
        facts: one row per area: `area`, `value` (MW, the newest), `steps` (equal values up to the newest),
            `since` (UTC instant of the first of them).
        now: the check's instant, UTC.
        thresholds: `stuck_steps` counts.
    """
    stuck = [row for row in facts if row["steps"] >= thresholds.stuck_steps]
    severity = by_share(len(stuck), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"Load of {row['area']} is stuck at {row['value']:.0f} MW",
            message=f"{row['steps']} equal values in a row since {stamp(row['since'])}.",
        )
        for row in stuck
    ]
