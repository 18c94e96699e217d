"""Deliver what groups of alerts owe, each notice by exactly one of several checks, and record what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from powersense.quality import notify
from powersense.quality.facts import run_query, run_statement
from powersense.quality.groups import notifiable_groups
from powersense.quality.notices import Event, Notice, Outcome, Policy, Record, owed
from powersense.quality.rules.finding import Severity
from powersense.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# The first six are a notice's key.
_COLUMNS = (
    *("alert_id", "event", "target", "attempt", "severity", "occasion"),
    *("alert_ids", "outcome", "claimant", "detail", "run_id"),
)


def deliver(client: Client, *, settings: Settings, run_id: str, clock: datetime | None = None) -> dict[str, int]:
    """Send every notice that is owed now; a failure is recorded and tried again by later checks, never raised.

    Args:
        client: writer.
        settings: `alert_notify_*` and `alert_escalate_*` say whom to tell of what.
        run_id: the run that tells.
        clock: when it is, by people's clock and not by that of a check, which may lie in the past; UTC, default now.

    Returns:
        Counts of notices `notified` and `notify_failed`.
    """
    clock = clock or datetime.now(UTC)
    groups = notifiable_groups(client, at=clock)
    records = _records(client, [group.group_id for group in groups])
    sent, failed = 0, 0
    for target, policy in _audience(settings):
        due = [
            notice
            for group in groups
            if (notice := owed(group, records, target=target.name, policy=policy, clock=clock)) is not None
        ]
        won = _claim(client, due, run_id=run_id)
        if not won:
            continue
        error = notify.try_send(target, won)
        _record(client, won, Outcome.FAILED if error else Outcome.SENT, detail=error, run_id=run_id)
        if error:
            failed += len(won)
        else:
            sent += len(won)
            told = [alert.alert_id for notice in won for alert in notice.alerts]
            run_statement(client, "mark_notified", alert_ids=told)
    return {"notified": sent, "notify_failed": failed}


def _audience(settings: Settings) -> Iterator[tuple[notify.Target, Policy]]:
    policy = Policy(
        least=Severity(settings.alert_notify_least),
        remind_least=Severity(settings.alert_escalate_least),
        remind_after=timedelta(minutes=settings.alert_escalate_minutes),
    )
    for target in notify.targets(settings):
        yield target, policy
    for target in notify.escalation_targets(settings):
        yield target, replace(policy, only_reminders=True)


def _claim(client: Client, notices: Sequence[Notice], *, run_id: str) -> list[Notice]:
    """Return those of `notices` that this call may send: the engine keeps one claim per token."""
    if not notices:
        return []
    claimant = uuid.uuid4().hex
    for notice in notices:
        row = _row(notice, Outcome.CLAIMED, claimant=claimant, detail="", run_id=run_id)
        token = {"insert_deduplicate": 1, "insert_deduplication_token": notice.token}
        client.insert("alert_notices", [row], column_names=_COLUMNS, settings=token)
    mine = {
        (row["alert_id"], row["event"], row["target"], row["attempt"], row["severity"], row["occasion"])
        for row in run_query(client, "notice_records", group_ids=[notice.group.group_id for notice in notices])
        if row["claimant"] == claimant
    }
    return [notice for notice in notices if notice.key in mine]


def _record(client: Client, notices: Iterable[Notice], outcome: Outcome, *, detail: str, run_id: str) -> None:
    rows = [_row(notice, outcome, claimant="", detail=detail, run_id=run_id) for notice in notices]
    client.insert("alert_notices", rows, column_names=_COLUMNS, settings={"insert_deduplicate": 0})


def _row(notice: Notice, outcome: Outcome, *, claimant: str, detail: str, run_id: str) -> list[object]:
    told = [alert.alert_id for alert in notice.alerts]
    return [
        *(str(part) if isinstance(part, str) else part for part in notice.key),
        told,
        outcome.value,
        claimant,
        detail,
        run_id,
    ]


def _records(client: Client, group_ids: list[str]) -> list[Record]:
    return [
        Record(
            group_id=row["alert_id"],
            event=Event(row["event"]),
            severity=Severity(row["severity"]),
            target=row["target"],
            attempt=row["attempt"],
            outcome=Outcome(row["outcome"]),
            recorded_at=row["recorded_at"],
            alert_ids=frozenset(row["alert_ids"]),
            occasion=row["occasion"],
        )
        for row in run_query(client, "notice_records", group_ids=group_ids)
    ]
