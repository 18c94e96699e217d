"""Deliver what alerts owe, each notice by exactly one of several checks, and record what became of it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powersense.errors import ConfigurationError, NotificationError
from powersense.quality import notify
from powersense.quality.alerts import notifiable_alerts
from powersense.quality.facts import run_query, run_statement
from powersense.quality.notices import Event, Notice, Outcome, Record, owed
from powersense.quality.rules.finding import Severity
from powersense.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

_COLUMNS = ("alert_id", "event", "severity", "target", "attempt", "outcome", "claimant", "detail", "run_id")


def deliver(client: Client, *, settings: Settings, run_id: str) -> dict[str, int]:
    """Send every notice that is owed now; a failure is recorded and tried again by later checks, never raised.

    Args:
        client: writer.
        settings: `alert_notify_*` say whom to tell, from which severity.
        run_id: the run that tells.

    Returns:
        Counts of notices `notified` and `notify_failed`.
    """
    clock = datetime.now(UTC)
    least = Severity(settings.alert_notify_least)
    alerts = notifiable_alerts(client)
    records = _records(client, [alert.alert_id for alert in alerts])
    sent, failed = 0, 0
    for target in notify.targets(settings):
        due = [
            notice for alert in alerts if (notice := owed(alert, records, target=target.name, least=least, clock=clock))
        ]
        won = _claim(client, due, run_id=run_id)
        if not won:
            continue
        error = _send(target, won)
        _record(client, won, Outcome.FAILED if error else Outcome.SENT, detail=error, run_id=run_id)
        if error:
            failed += len(won)
        else:
            sent += len(won)
            run_statement(client, "mark_notified", alert_ids=[notice.alert.alert_id for notice in won])
    return {"notified": sent, "notify_failed": failed}


def _send(target: notify.Target, notices: Sequence[Notice]) -> str:
    """Send one message; return why it failed, or an empty string."""
    try:
        notify.send(target, notices)
    except (ConfigurationError, NotificationError) as error:
        logger.error("Notice not delivered: %s", error)
        return str(error)
    return ""


def _claim(client: Client, notices: Sequence[Notice], *, run_id: str) -> list[Notice]:
    """Return those of `notices` that this call may send: the engine keeps one claim per token."""
    claimant = uuid.uuid4().hex
    for notice in notices:
        row = _row(notice, Outcome.CLAIMED, claimant=claimant, detail="", run_id=run_id)
        token = {"insert_deduplicate": 1, "insert_deduplication_token": notice.token}
        client.insert("alert_notices", [row], column_names=_COLUMNS, settings=token)
    mine = {
        (row["alert_id"], row["event"], row["target"], row["attempt"], row["severity"])
        for row in run_query(client, "notice_records", alert_ids=[notice.alert.alert_id for notice in notices])
        if row["claimant"] == claimant
    }
    return [notice for notice in notices if _key(notice) in mine]


def _key(notice: Notice) -> tuple[str, str, str, int, str]:
    return (notice.alert.alert_id, notice.event.value, notice.target, notice.attempt, notice.alert.severity.value)


def _record(client: Client, notices: Iterable[Notice], outcome: Outcome, *, detail: str, run_id: str) -> None:
    rows = [_row(notice, outcome, claimant="", detail=detail, run_id=run_id) for notice in notices]
    client.insert("alert_notices", rows, column_names=_COLUMNS, settings={"insert_deduplicate": 0})


def _row(notice: Notice, outcome: Outcome, *, claimant: str, detail: str, run_id: str) -> list[object]:
    alert_id, event, target, attempt, severity = _key(notice)
    return [alert_id, event, severity, target, attempt, outcome.value, claimant, detail, run_id]


def _records(client: Client, alert_ids: list[str]) -> list[Record]:
    return [
        Record(
            alert_id=row["alert_id"],
            event=Event(row["event"]),
            severity=Severity(row["severity"]),
            target=row["target"],
            attempt=row["attempt"],
            outcome=Outcome(row["outcome"]),
            recorded_at=row["recorded_at"],
        )
        for row in run_query(client, "notice_records", alert_ids=alert_ids)
    ]
