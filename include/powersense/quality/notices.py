"""Which notice a group of alerts owes to a target. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from powersense.quality.grouping import OPEN, Group, gravest_first, group_of_one, worst
from powersense.quality.lifecycle import Alert
from powersense.quality.rules.finding import Severity

MAX_ATTEMPTS = 3
CLAIM_EXPIRES_AFTER = timedelta(minutes=10)


class Event(StrEnum):
    """What a notice tells: of a group, of its rise in severity, of alerts that joined it, or that nobody took it on."""

    OPENED = "opened"
    ESCALATED = "escalated"
    CLOSED = "closed"
    JOINED = "joined"
    UNACKNOWLEDGED = "unacknowledged"


class Outcome(StrEnum):
    """What became of a notice."""

    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Policy:
    """Who is told of what.

    Attributes:
        least: severity below which nobody is told.
        remind_least: severity from which people are reminded of what nobody acknowledged.
        remind_after: how long after they were told; zero never reminds.
        only_reminders: True for targets that hear of a group only once nobody acknowledged it, and of its end.
    """

    least: Severity
    remind_least: Severity = Severity.CRITICAL
    remind_after: timedelta = timedelta()
    only_reminders: bool = False


@dataclass(frozen=True)
class Notice:
    """One thing to tell one target once.

    Attributes:
        alerts: those that it names, the gravest first; at least one.
        severity: of the gravest of them.
        attempt: counts from 1.
        occasion: tells notices of one event and severity apart; empty where there is but one.
    """

    group: Group
    event: Event
    target: str
    alerts: tuple[Alert, ...]
    severity: Severity
    attempt: int = 1
    occasion: str = ""

    @property
    def key(self) -> tuple[str, str, str, int, str, str]:
        """What identifies this attempt, the same whoever makes it."""
        return self.group.group_id, self.event, self.target, self.attempt, self.severity, self.occasion

    @property
    def token(self) -> str:
        """The same as one text; a group closes once, whatever its severity then."""
        severity = self.severity if self.event is not Event.CLOSED else ""
        parts = (self.group.group_id, self.event, severity, self.target, str(self.attempt), self.occasion)
        return "|".join(parts).removesuffix("|")


def first_notice(alert: Alert, *, target: str) -> Notice:
    """Return the notice of an alert of which nothing is stored."""
    return Notice(group_of_one(alert), Event.OPENED, target, (alert,), alert.severity)


@dataclass(frozen=True)
class Record:
    """One row of table `alert_notices`; `alert_ids` names the alerts of which it told."""

    group_id: str
    event: Event
    severity: Severity
    target: str
    attempt: int
    outcome: Outcome
    recorded_at: datetime
    alert_ids: frozenset[str] = frozenset()
    occasion: str = ""


def owed(group: Group, records: Iterable[Record], *, target: str, policy: Policy, clock: datetime) -> Notice | None:
    """Return the notice that a group still owes to a target, or None.

    A target hears of a group once when it opens, once for each rise to a severity that it has not heard of, of each
    alert that joins, once if nobody takes it on, and once when it closes, if it heard that it opened. Below a silence
    nothing is owed but the closing. A failed notice is tried again, at most three times.

    Args:
        group: as stored now.
        records: everything recorded about notices.
        target: name of the target.
        policy: what this target is told of.
        clock: wall-clock instant, UTC; a claim older than ten minutes without an outcome counts as failed.
    """
    about = [record for record in records if record.group_id == group.group_id]
    due = _due(group, about, target=target, policy=policy, clock=clock)
    if due is None:
        return None
    tries = [record for record in about if record.target == target and _is_try(record, due)]
    last = max((record.attempt for record in tries), default=0)
    at_last = [record for record in tries if record.attempt == last]
    is_under_way = at_last and not any(record.outcome is Outcome.FAILED for record in at_last)
    if is_under_way and clock - max(record.recorded_at for record in at_last) < CLAIM_EXPIRES_AFTER:
        return None
    if last >= MAX_ATTEMPTS:
        return None
    return Notice(group, due.event, target, due.alerts, due.severity, last + 1, due.occasion)


def _due(group: Group, about: Sequence[Record], *, target: str, policy: Policy, clock: datetime) -> Notice | None:
    """Return what is to be told now, as a first attempt."""
    heard = [r for r in about if r.target == target and r.outcome is Outcome.SENT]
    if not group.is_open:
        is_owed = heard and all(record.event is not Event.CLOSED for record in heard)
        return _notice(group, Event.CLOSED, target, gravest_first(group.alerts)) if is_owed else None
    audible = [alert for alert in group.audible if alert.severity.rank >= policy.least.rank]
    if not audible:
        return None
    news = None if policy.only_reminders else _news(group, heard, audible, target=target)
    if news is not None:
        return news
    if worst(audible).rank < policy.remind_least.rank or not _is_overdue(group, about, policy=policy, clock=clock):
        return None
    occasion = group.withdrawn_at.isoformat() if group.withdrawn_at else ""
    due = _notice(group, Event.UNACKNOWLEDGED, target, audible, occasion=occasion)
    return None if any(_is_try(record, due) for record in heard) else due


def _news(group: Group, heard: Sequence[Record], audible: Sequence[Alert], *, target: str) -> Notice | None:
    """Return what a target that heard all this of an open group has not heard yet."""
    if not heard:
        return _notice(group, Event.OPENED, target, audible)
    if worst(audible).rank > max(record.severity.rank for record in heard):
        return _notice(group, Event.ESCALATED, target, audible)
    told = frozenset[str]().union(*(record.alert_ids for record in heard))
    joined = [alert for alert in audible if alert.alert_id not in told]
    if not joined:
        return None
    ids = ",".join(sorted(alert.alert_id for alert in joined))
    return _notice(group, Event.JOINED, target, joined, occasion=hashlib.sha256(ids.encode()).hexdigest()[:16])


def _is_overdue(group: Group, about: Sequence[Record], *, policy: Policy, clock: datetime) -> bool:
    """Tell whether nobody took a group on for too long since somebody was told, or since it was given back."""
    if group.state != OPEN or not policy.remind_after:
        return False
    told = [
        record.recorded_at
        for record in about
        if record.outcome is Outcome.SENT and record.severity.rank >= policy.remind_least.rank
    ]
    return bool(told) and clock - max(min(told), group.withdrawn_at or min(told)) >= policy.remind_after


def _notice(group: Group, event: Event, target: str, alerts: Sequence[Alert], *, occasion: str = "") -> Notice:
    return Notice(group, event, target, tuple(alerts), worst(alerts), occasion=occasion)


def _is_try(record: Record, due: Notice) -> bool:
    is_same = record.event is due.event and record.occasion == due.occasion
    return is_same and (due.event is Event.CLOSED or record.severity is due.severity)
