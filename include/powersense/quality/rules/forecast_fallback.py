"""An area's newest forecast is not the champion's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "forecast_fallback"

_BY = {1: "the last good model", 2: "a model without weather", 3: "the analogue", 4: "the load of last week"}
# From here on no trained model forecasts.
_CRITICAL_LEVEL = 3


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas whose newest forecast comes from a lower rung of the ladder.

    Args:
        facts: one row per area with a forecast of the last days: `area`, `issued_at` (UTC, of the newest), `level`
            (0 champion to 4 last week), `reason`.
        now: the check's instant, UTC.
        thresholds: not used.
    """
    return [
        Finding(
            rule=RULE,
            severity=Severity.CRITICAL if row["level"] >= _CRITICAL_LEVEL else Severity.WARNING,
            area=row["area"],
            subject=f"{row['area']} is forecast by {_BY.get(row['level'], 'a lower rung')}",
            message=f"Issue of {stamp(row['issued_at'])}, level {row['level']}: {row['reason']}",
        )
        for row in facts
        if row["level"] > 0
    ]
