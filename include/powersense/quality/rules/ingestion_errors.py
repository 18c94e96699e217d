"""Ingestion of a source fails, hangs or does not run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, span, stamp

RULE = "ingestion_errors"
CRITICAL_AFTER_FAILURES = 3


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the sources whose last run failed, or that have had no success for too long.

    Args:
        facts: one row per source: `source`, `is_polled` (read every few minutes, so it can be overdue), `failures`
            (failed runs since the last success), `last_error`, `last_success` (UTC or None), `first_start` and
            `last_start` (UTC).
        now: the check's instant, UTC.
        thresholds: `ingest_overdue_minutes` counts.
    """
    findings = []
    for row in facts:
        if row["failures"]:
            findings.append(_failing(row))
        elif row["is_polled"] and (age := _minutes_without_success(row, now)) > thresholds.ingest_overdue_minutes:
            findings.append(_overdue(row, age, thresholds))
    return findings


def _minutes_without_success(row: FactRow, now: datetime) -> float:
    """Return minutes since the last success; since the first known start for a source that never had one."""
    return float((now - (row["last_success"] or row["first_start"])).total_seconds() / 60)


def _failing(row: FactRow) -> Finding:
    since = f"the last success was at {stamp(row['last_success'])}" if row["last_success"] else "it never succeeded"
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL if row["failures"] >= CRITICAL_AFTER_FAILURES else Severity.WARNING,
        key=row["source"],
        subject=f"Ingestion of {row['source']} fails",
        message=f"{row['failures']} failed runs in a row; {since}. Last error: {row['last_error']}",
    )


def _overdue(row: FactRow, age: float, thresholds: Thresholds) -> Finding:
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL,
        key=row["source"],
        subject=f"Ingestion of {row['source']} is overdue",
        message=(
            f"No run succeeded for {span(age)} and none failed, so runs hang or are not started; "
            f"the limit is {thresholds.ingest_overdue_minutes} min. Last start: {stamp(row['last_start'])}."
        ),
    )
