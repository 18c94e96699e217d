"""The life of one alert: opened by a finding, kept by its repetition, closed by its absence. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from powersense.quality.rules.finding import Finding, Severity

OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True)
class Alert:
    """One problem from its first finding to its recovery; a row of table `alerts`.

    Attributes:
        alert_id: derived from the fingerprint and the alert before it, so that two checks that open the same problem
            at once write one alert.
        fingerprint: identity of the problem; at most one alert per fingerprint is open.
        opened_at: check instant of the first finding, UTC. `last_seen_at` is that of the newest.
        closed_at: check instant of the recovery, UTC; None while open.
        occurrences: checks that saw the problem, each instant counted once.
        run_id: the run that changed the alert last.
        group_id: the group that it opened in; its own id until a group is chosen.
    """

    alert_id: str
    fingerprint: str
    rule: str
    severity: Severity
    area: str
    subject: str
    message: str
    runbook: str
    state: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    occurrences: int
    notified_at: datetime | None
    run_id: str
    group_id: str

    @property
    def is_open(self) -> bool:
        """True until recovery."""
        return self.state == OPEN


def advance(current: Alert | None, finding: Finding | None, *, now: datetime, run_id: str) -> Alert | None:
    """Return what a check at `now` makes of a problem's latest alert, or None when nothing changes.

    A check older than what is already known changes nothing, so a late, repeated or backfilled check is harmless.

    Args:
        current: the fingerprint's latest alert, open or closed; None when it never had one.
        finding: what the check found under this fingerprint; None when its rule ran and found nothing.
        now: the check's instant, UTC.
        run_id: the check's run.
    """
    if finding is None:
        return _close(current, now=now, run_id=run_id) if current is not None else None
    if current is None or not current.is_open:
        return _open(current, finding, now=now, run_id=run_id)
    return _repeat(current, finding, now=now, run_id=run_id)


def _open(previous: Alert | None, finding: Finding, *, now: datetime, run_id: str) -> Alert | None:
    if previous is not None and previous.closed_at is not None and now <= previous.closed_at:
        return None
    seed = f"{finding.fingerprint}\n{previous.alert_id if previous else ''}"
    alert_id = hashlib.sha256(seed.encode()).hexdigest()[:16]
    return Alert(
        alert_id=alert_id,
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        severity=finding.severity,
        area=finding.area,
        subject=finding.subject,
        message=finding.message,
        runbook=finding.rule,
        state=OPEN,
        opened_at=now,
        last_seen_at=now,
        closed_at=None,
        occurrences=1,
        notified_at=None,
        run_id=run_id,
        group_id=alert_id,
    )


def _repeat(current: Alert, finding: Finding, *, now: datetime, run_id: str) -> Alert | None:
    if now < current.last_seen_at:
        return None
    is_same_check = now == current.last_seen_at
    seen = replace(
        current,
        severity=finding.severity,
        subject=finding.subject,
        message=finding.message,
        last_seen_at=now,
        occurrences=current.occurrences + (0 if is_same_check else 1),
    )
    return None if seen == current else replace(seen, run_id=run_id)


def _close(current: Alert, *, now: datetime, run_id: str) -> Alert | None:
    if not current.is_open or now < current.last_seen_at:
        return None
    return replace(current, state=CLOSED, closed_at=now, run_id=run_id)
