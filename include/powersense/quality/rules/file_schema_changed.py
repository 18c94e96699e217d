"""Files of an ingestion have other columns than declared or known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds

RULE = "file_schema_changed"
_SHOWN = 5


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the ingestions that loaded files of another shape within the last day.

    Args:
        facts: one row per enabled ingestion with such files: `ingestion`, `files` (how many), `path` (the latest),
            `changes` (each sentence once, the most frequent first).
        now: the check's instant, UTC.
        thresholds: none counts.
    """
    return [
        Finding(
            rule=RULE,
            severity=Severity.WARNING,
            key=row["ingestion"],
            subject=f"Files of {row['ingestion']} have other columns",
            message=f"Files loaded within a day: {row['files']}, the last one {row['path']!r}. {_sentences(row)}",
        )
        for row in facts
    ]


def _sentences(row: FactRow) -> str:
    shown = "; ".join(row["changes"][:_SHOWN])
    more = len(row["changes"]) - _SHOWN
    return f"{shown}; and {more} more." if more > 0 else f"{shown}."
