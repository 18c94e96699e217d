"""Runs of an ingestion fail: its store cannot be listed, or none of its files can be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "file_run_failed"
CRITICAL_AFTER_FAILURES = 3


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the ingestions whose last run failed; critical from the third in a row.

    Args:
        facts: one row per enabled ingestion with finished runs, dry ones aside: `ingestion`, `failures` (failed runs
            since the last that was not), `last_success` (UTC or None), `run_id` and `error` of the last failed one.
        now: the check's instant, UTC.
        thresholds: none counts.
    """
    return [_finding(row) for row in facts if row["failures"]]


def _finding(row: FactRow) -> Finding:
    since = f"the last one that loaded was at {stamp(row['last_success'])}" if row["last_success"] else "none loaded"
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL if row["failures"] >= CRITICAL_AFTER_FAILURES else Severity.WARNING,
        key=row["ingestion"],
        subject=f"Runs of {row['ingestion']} fail",
        message=f"{row['failures']} failed runs in a row; {since}. {row['run_id']}: {row['error']}",
    )
