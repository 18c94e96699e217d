"""What people do about a group of alerts: rows of table `alert_actions`, which are only ever added."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from powersense.quality.rules.finding import Severity

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS = ("group_id", "action", "author", "comment", "severity", "action_id")


class Action(StrEnum):
    """What was done: took it on, gave it back, or said something about it."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    COMMENT = "comment"


@dataclass(frozen=True)
class Act:
    """What somebody did.

    Attributes:
        group_id: of an existing group.
        action: of acknowledging and giving back the newest counts.
        author: who, as the API knows them.
        severity: the group's severity that they saw: an acknowledgement does not hold for a worse one.
        comment: their words, may be empty.
    """

    group_id: str
    action: Action
    author: str
    severity: Severity
    comment: str = ""


def record(client: Client, act: Act) -> None:
    """Add an act; the server's clock dates it."""
    row = [act.group_id, act.action.value, act.author, act.comment, act.severity.value, uuid.uuid4().hex]
    client.insert("alert_actions", [row], column_names=_COLUMNS, settings={"insert_deduplicate": 0})
