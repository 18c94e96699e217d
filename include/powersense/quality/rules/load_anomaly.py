"""The load itself is anomalous."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, by_share

RULE = "load_anomaly"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the anomalous episodes that people have to know of.

    An episode is a problem while it is open, and after its end for at least `anomaly_visible_hours` from the moment
    its alert was raised: late or rescored data show many episodes only after they ended.

    Args:
        facts: one row per episode of the last week that is not retracted: `episode_id`, `area`, `metric`, `state`,
            `severity` (by its depth), `explanation`, `areas_at_once` (areas with an episode that overlaps it), `areas`
            (all that are scored), `raised_at` (UTC opening of its alert, None when it has none).
        now: the check's instant, UTC.
        thresholds: `anomaly_visible_hours` counts.
    """
    visible = timedelta(hours=thresholds.anomaly_visible_hours)
    return [
        _finding(row)
        for row in facts
        if row["state"] == "open" or row["raised_at"] is None or now < row["raised_at"] + visible
    ]


def _finding(row: FactRow) -> Finding:
    together = row["areas_at_once"]
    return Finding(
        rule=RULE,
        severity=max(by_share(together, row["areas"]), Severity(row["severity"]), key=lambda level: level.rank),
        area=row["area"],
        key=row["episode_id"],
        subject=f"Anomalous load in {row['area']}" + (f", one of {together} areas at once" if together > 1 else ""),
        message=row["explanation"],
    )
