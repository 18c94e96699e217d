"""Which group an alert opens in, and what a group looks like to those who tell people of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from powersense.quality.lifecycle import Alert
from powersense.quality.rules.finding import Severity

OPEN, ACKNOWLEDGED, CLOSED = "open", "acknowledged", "closed"


@dataclass(frozen=True)
class RuleGroups:
    """The groups that a rule has had.

    Attributes:
        lineage: changes with each new group of the rule, and with nothing else.
        open_groups: id of each group with an open alert, and when its last alert opened (UTC).
    """

    lineage: str = ""
    open_groups: Sequence[tuple[str, datetime]] = ()


def grouped(
    opened: Iterable[Alert], known: Mapping[str, RuleGroups], *, now: datetime, window: timedelta
) -> list[Alert]:
    """Return alerts that open at one instant, each with its group.

    An alert joins the open group of its rule whose last alert opened nearest to `now`, if that was within the window;
    else all that open together are a group of their own. The id of that follows from the groups before it, so that two
    steps that see the same open the same group, even where they found different problems.

    Args:
        opened: alerts without a group.
        known: by rule; a rule without groups may be missing.
        now: the check's instant, UTC.
        window: how long after its last opening a group takes in others.
    """
    return [
        replace(alert, group_id=_group_id(alert.rule, known.get(alert.rule, RuleGroups()), now=now, window=window))
        for alert in opened
    ]


def _group_id(rule: str, groups: RuleGroups, *, now: datetime, window: timedelta) -> str:
    near = [(abs(now - last), group_id) for group_id, last in groups.open_groups if abs(now - last) <= window]
    if near:
        return min(near)[1]
    return hashlib.sha256(f"{rule}\n{groups.lineage}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Group:
    """Alerts that people take on, silence and hear of as one.

    Attributes:
        state: open, acknowledged or closed.
        acknowledged_by: who took it on, None where nobody did or it got worse since; `acknowledged_at` is UTC.
        withdrawn_at: when it was given back last, UTC; None where the last word is another.
        alerts: open and closed ones, the oldest first; at least one.
        silenced: ids of open alerts below a silence.
    """

    group_id: str
    state: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    withdrawn_at: datetime | None
    alerts: tuple[Alert, ...]
    silenced: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """True until all its alerts are closed."""
        return self.state != CLOSED

    @property
    def audible(self) -> tuple[Alert, ...]:
        """Open alerts of which people may be told, the gravest first."""
        return tuple(gravest_first(a for a in self.alerts if a.is_open and a.alert_id not in self.silenced))


def group_of_one(alert: Alert) -> Group:
    """Return the group of an open alert that stands alone."""
    return Group(alert.group_id, OPEN, None, None, None, (alert,))


def gravest_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts in falling order of severity, then by age."""
    return sorted(alerts, key=lambda alert: (-alert.severity.rank, alert.opened_at, alert.fingerprint))


def worst(alerts: Sequence[Alert]) -> Severity:
    """Return the severity of the gravest of some alerts; there is at least one."""
    return max((alert.severity for alert in alerts), key=lambda severity: severity.rank)
