"""Many recent records break the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds

RULE = "quarantine_growth"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the sources whose recent records are set aside in number.

    Args:
        facts: one row per source and reason: `source`, `reason`, `records` first set aside within 24 hours (those
            about the last week, so that the bootstrap of history alarms nobody), `areas`, `example` (detail).
        now: the check's instant, UTC.
        thresholds: `max_quarantined` counts.
    """
    return [
        Finding(
            rule=RULE,
            severity=Severity.WARNING,
            key=f"{row['source']}/{row['reason']}",
            subject=f"{row['records']} records of {row['source']} are in quarantine: {row['reason']}",
            message=(
                f"{row['records']} records of {row['areas']} areas were set aside in 24 hours; "
                f"the limit is {thresholds.max_quarantined}. For example: {row['example']}"
            ),
        )
        for row in facts
        if row["records"] > thresholds.max_quarantined
    ]
