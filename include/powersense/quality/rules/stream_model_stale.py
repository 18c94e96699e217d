"""The model that scores the stream is old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "stream_model_stale"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find out whether models that score the stream were trained too long ago; one alert for all of them.

    Args:
        facts: one row per scope whose models scored messages in the last day: `scope` (empty: pooled, else an asset),
            `model_id` and `trained_at` (UTC) of the newest, which serves.
        now: the check's instant, UTC.
        thresholds: `stale_stream_model_days` counts.
    """
    limit = timedelta(days=thresholds.stale_stream_model_days)
    stale = [row for row in facts if now - row["trained_at"] > limit]
    if not stale:
        return []
    oldest = min(stale, key=lambda row: row["trained_at"])
    return [
        Finding(
            rule=RULE,
            severity=Severity.WARNING,
            subject="The stream is scored by an old model",
            message=(
                f"{oldest['model_id']} ({oldest['scope'] or 'pooled'}) was trained at {stamp(oldest['trained_at'])}, "
                f"{(now - oldest['trained_at']).days} days ago; the limit is {thresholds.stale_stream_model_days}. "
                f"Old models: {len(stale)} of {len(facts)}."
            ),
        )
    ]
