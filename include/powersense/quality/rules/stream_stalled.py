"""Messages of the stream wait, and nobody gets through them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, span, stamp

RULE = "stream_stalled"
_STOPPED = "stopped"
# Heartbeats this close tell of the same messages; and those this close, of workers that were stopped together.
_AT_ONCE, _TOGETHER = timedelta(minutes=1), timedelta(seconds=10)
_IN_USE = timedelta(days=1)


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find a stream that nobody scores, that has no model, or that falls behind, whoever scores it.

    A worker that was stopped, with no message waiting, is nobody's trouble; an installation where nothing ever beat has
    no facts. Who catches up is left alone: behind is a stream with at least as many messages waiting as at the start of
    the last `stream_stalled_minutes`, and more than were scored in them. Heartbeats of several workers, one after
    another or beside each other, are one stream's.

    Args:
        facts: one row per worker with a heartbeat in the last week, and one of the DAG `score_features`
            (`is_micro_batches`) where it scores: `worker_id`, `beat_at` and `state` of the newest one, `lag` (messages
            that waited then; the DAG's are those of the whole group), and of the last `stream_stalled_minutes` and a
            little more: `watched_since` (first heartbeat), `lag_before` (then), `scored` (messages since),
            `is_always_waiting` (for a model, at each heartbeat), `has_scored` (more than a minute ago), and, the same
            on each row, `landed` (results stored since) and `landed_in_week`; instants UTC.
        now: the check's instant, UTC.
        thresholds: `stream_stalled_minutes` counts.
    """
    silent_since = now - timedelta(minutes=thresholds.stream_stalled_minutes)
    recent = [row for row in facts if row["beat_at"] > silent_since]
    if all(row["state"] == _STOPPED for row in recent):
        return [] if recent else _silent(facts, now=now)
    if all(row["watched_since"] > silent_since for row in recent):
        return []
    return [*_waiting(recent, silent_since, thresholds), *_not_landing(recent, thresholds)]


def _waiting(recent: Sequence[FactRow], silent_since: datetime, thresholds: Thresholds) -> list[Finding]:
    beating = [row for row in recent if row["state"] != _STOPPED]
    newest = max(row["beat_at"] for row in beating)
    lag = _sum("lag", [row for row in beating if row["beat_at"] >= newest - _AT_ONCE])
    before = _sum("lag_before", [row for row in recent if row["watched_since"] <= silent_since])
    scored = sum(row["scored"] for row in recent)
    if lag and all(row["is_always_waiting"] for row in recent):
        return [_finding("model", "The stream waits for a model", _without_model(lag, beating, thresholds))]
    if before and lag >= before and lag > scored:
        return [_finding("lag", "The stream falls behind", _behind(lag, before, scored, thresholds))]
    return []


def _sum(name: str, rows: Sequence[FactRow]) -> int:
    """Return the messages that wait for the workers, else for the DAG: its are the same messages."""
    workers = [row[name] for row in rows if not row["is_micro_batches"]]
    return sum(workers or [row[name] for row in rows])


def _not_landing(recent: Sequence[FactRow], thresholds: Thresholds) -> list[Finding]:
    """Return the finding for results that no longer reach ClickHouse; who never lands them here is not told."""
    if recent[0]["landed"] or not recent[0]["landed_in_week"] or not any(row["has_scored"] for row in recent):
        return []
    message = (
        f"Messages were scored in the last {thresholds.stream_stalled_minutes} min, but none of their results is in "
        f"stream_results. They are in the topic, and land once the sink goes on."
    )
    return [Finding(RULE, Severity.WARNING, "Results of the stream do not land", message, key="landing")]


def _silent(facts: Sequence[FactRow], *, now: datetime) -> list[Finding]:
    """Return the finding for a stream that nobody scores any more.

    That is where the last to beat died, where it left messages behind, or where the DAG, which scores each minute
    unless a worker does, scored within a day.
    """
    if not facts:
        return []
    last = max(facts, key=lambda row: row["beat_at"])
    batches = next((row for row in facts if row["is_micro_batches"] and row["beat_at"] > now - _IN_USE), None)
    has_died = not last["is_micro_batches"] and last["state"] != _STOPPED
    # Who is told to end at the same time leaves its own messages, and nobody takes them over.
    left = _sum("lag", [row for row in facts if row["beat_at"] >= last["beat_at"] - _TOGETHER])
    if not (has_died or left or batches):
        return []
    message = (
        f"The last heartbeat, of {last['worker_id']} ({last['state']}), is of {stamp(last['beat_at'])}, "
        f"{span((now - last['beat_at']).total_seconds() / 60)} ago; {left} messages waited then."
    )
    if batches and batches is not last:
        message += f" {batches['worker_id']}, which scored until {stamp(batches['beat_at'])}, has not taken over."
    return [_finding("worker", "Nobody scores the stream" if batches else "The stream has no worker", message)]


def _without_model(lag: int, beating: Sequence[FactRow], thresholds: Thresholds) -> str:
    workers = sum(not row["is_micro_batches"] for row in beating)
    who = f"{workers} workers" if workers else beating[0]["worker_id"]
    return (
        f"{lag} messages have been held back for {thresholds.stream_stalled_minutes} min or more by {who}, "
        f"since no model is trained or none can be read."
    )


def _behind(lag: int, before: int, scored: int, thresholds: Thresholds) -> str:
    return (
        f"{lag} messages wait, {before} did {thresholds.stream_stalled_minutes} min before, "
        f"and {scored} were scored meanwhile."
    )


def _finding(key: str, subject: str, message: str) -> Finding:
    return Finding(RULE, Severity.CRITICAL, subject, message, key=key)
