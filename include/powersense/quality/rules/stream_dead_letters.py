"""Too many messages of the stream cannot be scored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds

RULE = "stream_dead_letters"
# Fewer in an hour are single strays, whatever share of a quiet stream they are.
LEAST_DEAD_LETTERS = 10
# From here on it is no longer some producers' messages, but the stream.
CRITICAL_SHARE = 0.5


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find a stream of whose messages too many end as dead letters.

    Args:
        facts: at most one row, about the last hour: `dead_letters`, `messages` (scored ones), `reason` and `detail` of
            the most frequent reason, `with_reason` (how many have it).
        now: the check's instant, UTC.
        thresholds: `max_dead_letter_share` counts.
    """
    findings = []
    for row in facts:
        share = row["dead_letters"] / max(1, row["dead_letters"] + row["messages"])
        if row["dead_letters"] >= LEAST_DEAD_LETTERS and share > thresholds.max_dead_letter_share:
            findings.append(_finding(row, share, thresholds))
    return findings


def _finding(row: FactRow, share: float, thresholds: Thresholds) -> Finding:
    return Finding(
        rule=RULE,
        severity=Severity.CRITICAL if share >= CRITICAL_SHARE else Severity.WARNING,
        subject=f"{row['dead_letters']} messages of the stream could not be scored",
        message=(
            f"{share:.1%} of an hour's messages are dead letters; the limit is {thresholds.max_dead_letter_share:.1%}. "
            f"{row['with_reason']} of them: {row['reason']}. For example: {row['detail']}"
        ),
    )
