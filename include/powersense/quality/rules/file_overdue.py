"""No new file of an ingestion came by its deadline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, span, stamp

RULE = "file_overdue"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the ingestions whose newest file is older than they declare.

    Args:
        facts: one row per ingestion that is enabled and has a deadline: `ingestion`, `deadline_hours`, `declared_at`,
            `newest_file_at` (when the newest file came or was changed) and `newest_path`, `last_run_at` (of the last
            run that listed the store); instants UTC, None where there is none.
        now: the check's instant, UTC.
        thresholds: none counts: the deadline is the ingestion's own.
    """
    findings = []
    for row in facts:
        since = row["newest_file_at"] or row["declared_at"]
        hours = (now - since).total_seconds() / 3600
        if hours > row["deadline_hours"]:
            findings.append(_finding(row, hours))
    return findings


def _finding(row: FactRow, hours: float) -> Finding:
    newest = (
        f"The newest file, {row['newest_path']!r}, came {span(60 * hours)} ago"
        if row["newest_file_at"]
        else f"No file has come in the {span(60 * hours)} since it was declared"
    )
    listed = f"last listed at {stamp(row['last_run_at'])}" if row["last_run_at"] else "the store was never listed"
    return Finding(
        rule=RULE,
        severity=Severity.WARNING,
        key=row["ingestion"],
        subject=f"No new file for {row['ingestion']}",
        message=f"{newest}; the deadline is {row['deadline_hours']:g} h. The store: {listed}.",
    )
