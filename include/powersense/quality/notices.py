"""Which notice an alert owes to a target, and how it reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from powersense.quality.lifecycle import Alert
from powersense.quality.rules.finding import Severity, stamp

MAX_ATTEMPTS = 3
CLAIM_EXPIRES_AFTER = timedelta(minutes=10)
MAX_TEXT = 600
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Event(StrEnum):
    """What a notice tells."""

    OPENED = "opened"
    ESCALATED = "escalated"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What became of a notice."""

    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Notice:
    """One thing to tell one target once; `attempt` counts from 1."""

    alert: Alert
    event: Event
    target: str
    attempt: int = 1

    @property
    def token(self) -> str:
        """Identity of this attempt, the same whoever makes it."""
        severity = self.alert.severity if self.event is not Event.CLOSED else ""
        return "|".join((self.alert.alert_id, self.event, severity, self.target, str(self.attempt)))


@dataclass(frozen=True)
class Record:
    """One row of table `alert_notices`."""

    alert_id: str
    event: Event
    severity: Severity
    target: str
    attempt: int
    outcome: Outcome
    recorded_at: datetime


def owed(alert: Alert, records: Iterable[Record], *, target: str, least: Severity, clock: datetime) -> Notice | None:
    """Return the notice that an alert still owes to a target, or None.

    A target hears of an alert once when it opens, once for each rise to a severity it has not heard of, and once when
    it closes (if it heard that it opened). A failed notice is tried again, at most three times.

    Args:
        alert: as stored now.
        records: everything recorded about this alert.
        target: name of the target.
        least: severity below which nobody is told.
        clock: wall-clock instant, UTC; a claim older than ten minutes without an outcome counts as failed.
    """
    mine = [record for record in records if record.alert_id == alert.alert_id and record.target == target]
    sent = [record for record in mine if record.outcome is Outcome.SENT]
    event = _due_event(alert, sent, least)
    if event is None:
        return None
    tries = [record for record in mine if record.event is event and (event is Event.CLOSED or _same(record, alert))]
    last = max((record.attempt for record in tries), default=0)
    at_last = [record for record in tries if record.attempt == last]
    is_under_way = at_last and not any(record.outcome is Outcome.FAILED for record in at_last)
    if is_under_way and clock - max(record.recorded_at for record in at_last) < CLAIM_EXPIRES_AFTER:
        return None
    return Notice(alert, event, target, last + 1) if last < MAX_ATTEMPTS else None


def _due_event(alert: Alert, sent: Sequence[Record], least: Severity) -> Event | None:
    heard = [record.severity.rank for record in sent if record.event is not Event.CLOSED]
    if not alert.is_open:
        return Event.CLOSED if heard and not any(record.event is Event.CLOSED for record in sent) else None
    if alert.severity.rank < least.rank:
        return None
    if not heard:
        return Event.OPENED
    return Event.ESCALATED if alert.severity.rank > max(heard) else None


def _same(record: Record, alert: Alert) -> bool:
    return record.severity is alert.severity


def clean(text: str) -> str:
    r"""Return text on one line, without control or direction characters, cut to 600 characters.

    Messages quote upstream errors; what they hold must not forge lines of a log or a mail.

    >>> clean("HTTP 500\nSubject: forged")
    'HTTP 500 Subject: forged'
    """
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def compose(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return title and plain-text body of one message for several notices, so that one outage is one message."""
    first = notices[0]
    more = f" (+{len(notices) - 1})" if len(notices) > 1 else ""
    title = f"PowerSense {first.event} [{first.alert.severity}] {clean(first.alert.subject)}{more}"
    return title, "\n\n".join(_paragraph(notice) for notice in notices)


def _paragraph(notice: Notice) -> str:
    alert = notice.alert
    until = f", closed {stamp(alert.closed_at)}" if alert.closed_at else ""
    return (
        f"[{notice.event}] [{alert.severity}] {clean(alert.subject)}\n{clean(alert.message)}\n"
        f"Since {stamp(alert.opened_at)}{until}. Runbook: docs/runbook.md#{alert.runbook}"
    )
