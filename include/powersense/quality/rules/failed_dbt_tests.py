"""A dbt test fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "failed_dbt_tests"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the tests that failed when they last ran.

    Args:
        facts: one row per dbt test: `test`, `status` (dbt's: pass, warn, fail, error, skipped), `failures` (rows),
            `message`, `ran_at` (UTC).
        now: the check's instant, UTC.
        thresholds: not used; a test carries its own severity.
    """
    severities = {"warn": Severity.WARNING, "fail": Severity.CRITICAL, "error": Severity.CRITICAL}
    return [
        Finding(
            rule=RULE,
            severity=severities[row["status"]],
            key=row["test"],
            subject=f"dbt test {row['test']} does not pass",
            message=f"{row['status']} at {stamp(row['ran_at'])} with {row['failures']} rows: {row['message']}",
        )
        for row in facts
        if row["status"] in severities
    ]
