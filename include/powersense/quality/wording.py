"""How notices read. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from powersense.quality.notices import Event, Notice
from powersense.quality.rules.finding import stamp

MAX_TEXT = 600
MAX_ALERTS = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Links:
    """Where notices lead: address of the page (empty: nowhere), and of the runbook, to which the rule is added."""

    page: str = ""
    runbook: str = "docs/runbook.md"


def clean(text: str) -> str:
    r"""Return text on one line, without control or direction characters, cut to 600 characters.

    Messages quote upstream errors; what they hold must not forge lines of a log or a mail.

    >>> clean("HTTP 500\nSubject: forged")
    'HTTP 500 Subject: forged'
    """
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def compose(notices: Sequence[Notice], links: Links) -> tuple[str, str]:
    """Return title and plain-text body of one message for several notices, so that one outage is one message."""
    first = notices[0]
    others = sum(len(notice.alerts) for notice in notices) - 1
    more = f" (+{others})" if others else ""
    title = f"PowerSense {first.event} [{first.severity}] {clean(first.alerts[0].subject)}{more}"
    return title, "\n\n".join(_paragraph(notice, links) for notice in notices)


def _paragraph(notice: Notice, links: Links) -> str:
    lines = [
        f"[{notice.event}] [{alert.severity}] {clean(alert.subject)}\n{clean(alert.message)}"
        for alert in notice.alerts[:MAX_ALERTS]
    ]
    if len(notice.alerts) > MAX_ALERTS:
        lines.append(f"… and {len(notice.alerts) - MAX_ALERTS} more")
    lines.append(_standing(notice))
    group = notice.group
    if links.page:
        lines.append(f"Page: {links.page.rstrip('/')}/#/alerts/{group.group_id}")
    lines.append(f"Runbook: {links.runbook}#{notice.alerts[0].runbook}")
    return "\n".join(lines)


def _standing(notice: Notice) -> str:
    """Return since when it goes on, and who knows of it."""
    group = notice.group
    since = f"Since {stamp(min(alert.opened_at for alert in group.alerts))}"
    closed = [alert.closed_at for alert in group.alerts if alert.closed_at]
    if not group.is_open and closed:
        since += f", closed {stamp(max(closed))}"
    said = [f"{since}."]
    if group.acknowledged_by and group.acknowledged_at:
        said.append(f"Acknowledged by {clean(group.acknowledged_by)}, {stamp(group.acknowledged_at)}.")
    elif notice.event is Event.UNACKNOWLEDGED:
        said.append("Nobody has acknowledged it.")
    if group.silenced:
        said.append(f"{len(group.silenced)} more below a silence.")
    return " ".join(said)
