"""The publisher rewrites an unusual number of load values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share, stamp

RULE = "revision_volume"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas with too many noticeable revisions in 24 hours.

    Args:
        facts: one row per area: `area`, `revisions` (load values changed by more than 1 % or withdrawn),
            `mean_change_mw`, `oldest` and `newest` (UTC instants observed).
        now: the check's instant, UTC.
        thresholds: `max_revisions` counts.
    """
    many = [row for row in facts if row["revisions"] > thresholds.max_revisions]
    severity = by_share(len(many), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"Load of {row['area']} is being rewritten",
            message=(
                f"{row['revisions']} load values between {stamp(row['oldest'])} and {stamp(row['newest'])} changed by "
                f"more than 1 % or were withdrawn in 24 hours, by {row['mean_change_mw']:.0f} MW on average; "
                f"the limit is {thresholds.max_revisions}."
            ),
        )
        for row in many
    ]
