"""What happened to a group of alerts, as one list by time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

Kind = Literal[
    "opened",
    "joined",
    "recovered",
    "closed",
    "acknowledged",
    "unacknowledged",
    "comment",
    "silenced",
    "notified",
    "notify_failed",
]
_ACTS: dict[str, Kind] = {
    "acknowledge": "acknowledged",
    "unacknowledge": "unacknowledged",
    "comment": "comment",
}


@dataclass(frozen=True)
class Entry:
    """Something that happened.

    Attributes:
        at: UTC. Openings and recoveries are instants of checks, everything else is the warehouse's clock.
        who: the person, or the targets of a notice; empty where nobody did it.
        text: an alert's subject, a comment, a silence's reason, or what the notice told of.
    """

    at: datetime
    kind: Kind
    who: str
    text: str


def history(
    *,
    members: Sequence[dict[str, Any]],
    acts: Iterable[dict[str, Any]],
    notices: Iterable[dict[str, Any]],
    silences: Iterable[dict[str, Any]],
) -> list[Entry]:
    """Return what happened to a group, the oldest first.

    Args:
        members: its alerts: `subject`, `opened_at`, `closed_at` (None while open).
        acts: rows of `alert_actions`.
        notices: outcomes of notices: `event`, `severity`, `occasion`, `attempt`, `target`, `outcome` (sent or failed),
            `recorded_at`.
        silences: those that lay over one of its alerts while it was open: `author`, `reason`, `began_at`.
    """
    entries = [
        *_lives(members),
        *(Entry(act["acted_at"], _ACTS[act["action"]], act["author"], act["comment"]) for act in acts),
        *(Entry(silence["began_at"], "silenced", silence["author"], silence["reason"]) for silence in silences),
        *_told(notices),
    ]
    # Sorting keeps the order of what happened at one instant.
    return sorted(entries, key=lambda entry: entry.at)


def _lives(members: Sequence[dict[str, Any]]) -> Iterable[Entry]:
    first = min(member["opened_at"] for member in members)
    is_over = all(member["closed_at"] for member in members)
    last = max(member["closed_at"] for member in members) if is_over else None
    for member in members:
        yield Entry(member["opened_at"], "opened" if member["opened_at"] == first else "joined", "", member["subject"])
    for member in members:
        if member["closed_at"]:
            kind: Kind = "closed" if member["closed_at"] == last else "recovered"
            yield Entry(member["closed_at"], kind, "", member["subject"])


def _told(notices: Iterable[dict[str, Any]]) -> Iterable[Entry]:
    """Return one entry per notice and outcome: its targets are told one after another."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["event"], row["severity"], row["outcome"], row["occasion"], row["attempt"]

    for (event, severity, outcome, *_), rows in groupby(sorted(notices, key=key), key=key):
        found = sorted(rows, key=lambda row: row["recorded_at"])
        targets = ", ".join(dict.fromkeys(row["target"] for row in found))
        kind: Kind = "notified" if outcome == "sent" else "notify_failed"
        yield Entry(found[0]["recorded_at"], kind, targets, f"{event} [{severity}]")
