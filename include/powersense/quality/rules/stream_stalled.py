"""Messages of the stream wait, and nobody gets through them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, span, stamp

RULE = "stream_stalled"
_WAITING, _STOPPED = "waiting_for_model", "stopped"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find a stream that has no worker, whose workers have no model, or that falls behind.

    A worker that was stopped, with no message waiting, is nobody's trouble; an installation without a worker has no
    facts. Workers that catch up are left alone: behind is who has at least as many messages waiting as at the start of
    the last `stream_stalled_minutes`, and more than were scored in them.

    Args:
        facts: one row per worker with a heartbeat in the last week: `worker_id`, `beat_at` and `state` of the newest
            one, `lag` (messages that waited then), and of the last `stream_stalled_minutes` and a little more:
            `watched_since` (first heartbeat), `lag_before` (then), `scored` (messages since), `is_always_waiting` (for
            a model, at each heartbeat), `has_scored` (more than a minute ago), and, the same on each row, `landed`
            (results stored since) and `landed_in_week`; instants UTC.
        now: the check's instant, UTC.
        thresholds: `stream_stalled_minutes` counts.
    """
    silent_since = now - timedelta(minutes=thresholds.stream_stalled_minutes)
    alive = [row for row in facts if row["beat_at"] > silent_since and row["state"] != _STOPPED]
    if not alive:
        return _silent(facts, now=now, silent_since=silent_since)
    watched = [row for row in alive if row["watched_since"] <= silent_since]
    if not watched:
        return []
    return [*_waiting(watched, thresholds), *_not_landing(watched, thresholds)]


def _waiting(watched: Sequence[FactRow], thresholds: Thresholds) -> list[Finding]:
    lag, before, scored = (sum(row[name] for row in watched) for name in ("lag", "lag_before", "scored"))
    if lag and all(row["is_always_waiting"] for row in watched):
        return [_finding("model", "The stream waits for a model", _without_model(lag, watched, thresholds))]
    if before and lag >= before and lag > scored:
        return [_finding("lag", "The stream falls behind", _behind(lag, before, scored, thresholds))]
    return []


def _not_landing(watched: Sequence[FactRow], thresholds: Thresholds) -> list[Finding]:
    """Return the finding for results that no longer reach ClickHouse; who never lands them here is not told."""
    if watched[0]["landed"] or not watched[0]["landed_in_week"] or not any(row["has_scored"] for row in watched):
        return []
    message = (
        f"Messages were scored in the last {thresholds.stream_stalled_minutes} min, but none of their results is in "
        f"stream_results. They are in the topic, and land once the sink goes on."
    )
    return [Finding(RULE, Severity.WARNING, "Results of the stream do not land", message, key="landing")]


def _silent(facts: Sequence[FactRow], *, now: datetime, silent_since: datetime) -> list[Finding]:
    """Return the finding for a stream whose last workers died, or stopped before messages that wait."""
    if not facts:
        return []
    last = max(facts, key=lambda row: row["beat_at"])
    if last["beat_at"] > silent_since or (last["state"] == _STOPPED and not last["lag"]):
        return []
    message = (
        f"The last heartbeat, of {last['worker_id']} ({last['state']}), is of {stamp(last['beat_at'])}, "
        f"{span((now - last['beat_at']).total_seconds() / 60)} ago; {last['lag']} messages waited then."
    )
    return [_finding("worker", "The stream has no worker", message)]


def _without_model(lag: int, watched: Sequence[FactRow], thresholds: Thresholds) -> str:
    return (
        f"{lag} messages have been held back for {thresholds.stream_stalled_minutes} min or more by "
        f"{len(watched)} workers, since no model is trained or none can be read."
    )


def _behind(lag: int, before: int, scored: int, thresholds: Thresholds) -> str:
    return (
        f"{lag} messages wait, {before} did {thresholds.stream_stalled_minutes} min before, "
        f"and {scored} were scored meanwhile."
    )


def _finding(key: str, subject: str, message: str) -> Finding:
    return Finding(RULE, Severity.CRITICAL, subject, message, key=key)
