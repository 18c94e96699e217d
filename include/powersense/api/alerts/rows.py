"""Groups of alerts and silences as the API gives and takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from powersense.api.data.rows import AlertRow, Severity
from powersense.quality.history import Kind

GroupState = Literal["open", "acknowledged", "closed"]
SilenceState = Literal["active", "upcoming", "past"]
MAX_COMMENT = 2_000


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AlertGroupRow(_Row):
    """Alerts of one rule that opened together; severity, subject and message are those of the gravest open one.

    `silenced_until` is set while a silence lies over every open alert; `acknowledged_at` and `acknowledged_by` while an
    acknowledgement holds, and for good once the group is closed.
    """

    group_id: str
    rule: str
    severity: Severity
    state: GroupState
    areas: list[str]
    alerts: int
    open_alerts: int
    subject: str
    message: str
    runbook: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    silenced_until: datetime | None
    notified_at: datetime | None
    run_id: str


class HistoryRow(_Row):
    """Something that happened to a group; `who` is a person, or the targets of a notice."""

    at: datetime
    kind: Kind
    who: str
    text: str


class AlertGroup(AlertGroupRow):
    """A group with its alerts, the newest first, and its history, the oldest first."""

    members: list[AlertRow]
    history: list[HistoryRow]


class SilenceRow(_Row):
    """A window in which nobody is told of alerts: of some rules (none: all) in some areas (none: all)."""

    silence_id: str
    rules: list[str]
    areas: list[str]
    starts_at: datetime
    ends_at: datetime
    reason: str
    author: str
    ended_by: str
    created_at: datetime
    state: SilenceState


class RuleRow(_Row):
    """A rule that raises alerts, and the address of its part of the runbook."""

    rule: str
    title: str
    runbook: str


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


class Acknowledgement(_Request):
    """What taking a group on may say."""

    comment: str = Field("", max_length=MAX_COMMENT)


class Comment(_Request):
    """What somebody says about a group."""

    comment: str = Field(min_length=1, max_length=MAX_COMMENT)


class NewSilence(_Request):
    """A silence to be: of rules and areas (none: all), from now or `starts_at` on, until `ends_at`."""

    rules: list[str] = Field(default_factory=list, max_length=100)
    areas: list[str] = Field(default_factory=list, max_length=50)
    starts_at: str = Field("", max_length=64, description="an instant with its zone; default: now")
    ends_at: str = Field(max_length=64, description="an instant with its zone, 31 days after the start at most")
    reason: str = Field(min_length=1, max_length=MAX_COMMENT)
