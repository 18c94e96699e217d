"""The load itself is anomalous."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.detection.labels import Label
from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, by_share

RULE = "load_anomaly"
_NO_PROBLEM = {Label.FALSE_ALARM, Label.DATA_ERROR}


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the anomalous episodes that people have to know of.

    An episode is a problem while it is open, and after its end for at least `anomaly_visible_hours` from the moment
    its alert was raised: late or rescored data show many episodes only after they ended. What several detectors find
    in one area at one time is one problem, under the alert that was raised first; one that people label as a false
    alarm or as an error of the data is none, unless they say of another detector's finding that it was a true event.

    Args:
        facts: one row per episode of the last week that is not retracted: `episode_id`, `detector`, `area`, `metric`,
            `state`, `started_at`, `ended_at` (UTC), `severity` (by its depth), `explanation`, `areas_at_once` (areas
            with an episode that overlaps it), `areas` (all that are scored), `raised_at` (UTC opening of its alert,
            None when it has none), `label` (what people say of it, `none` by default).
        now: the check's instant, UTC.
        thresholds: `anomaly_visible_hours` counts.
    """
    visible = timedelta(hours=thresholds.anomaly_visible_hours)
    return [_finding(group) for group in _problems(facts) if _is_told(group, now=now, visible=visible)]


def _problems(facts: Sequence[FactRow]) -> list[list[FactRow]]:
    """Return the episodes in groups of one problem each, the one that lends its alert first.

    An episode joins one of another detector that overlaps it in the same area: raised ones lead, then the earlier ones.
    """
    groups: list[list[FactRow]] = []
    for row in sorted(facts, key=_precedence):
        group = next((group for group in groups if _is_seen_twice(group[0], row)), None)
        if group is None:
            groups.append([row])
        else:
            group.append(row)
    return groups


def _precedence(row: FactRow) -> tuple[bool, datetime, datetime, str]:
    is_new = row["raised_at"] is None
    return is_new, row["started_at"] if is_new else row["raised_at"], row["started_at"], row["episode_id"]


def _is_seen_twice(one: FactRow, other: FactRow) -> bool:
    return (
        (one["area"], one["metric"]) == (other["area"], other["metric"])
        and one["detector"] != other["detector"]
        and one["started_at"] < other["ended_at"]
        and other["started_at"] < one["ended_at"]
    )


def _is_told(group: Sequence[FactRow], *, now: datetime, visible: timedelta) -> bool:
    labels = {row["label"] for row in group}
    if labels & _NO_PROBLEM and Label.TRUE_EVENT not in labels:
        return False
    raised_at = group[0]["raised_at"]
    return raised_at is None or now < raised_at + visible or any(row["state"] == "open" for row in group)


def _finding(group: Sequence[FactRow]) -> Finding:
    first = group[0]
    together = max(row["areas_at_once"] for row in group)
    depth = max((Severity(row["severity"]) for row in group), key=lambda level: level.rank)
    detectors = " and ".join(sorted({row["detector"] for row in group}))
    return Finding(
        rule=RULE,
        severity=max(by_share(together, first["areas"]), depth, key=lambda level: level.rank),
        area=first["area"],
        key=first["episode_id"],
        subject=f"Anomalous load in {first['area']}" + (f", one of {together} areas at once" if together > 1 else ""),
        message=f"{first['explanation']} Found by {detectors}.",
    )
