"""The forecasts of an area lie off to one side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share

RULE = "forecast_drift"
# A hundredth of the load: a smaller shift is within the level difference of two vintages, however steady it is.
LEAST_SHIFT = 0.01
_REFERENCES = {"same_season": "in the same season of earlier years", "weeks_before": "in the eight weeks before"}


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas whose mean residual of the last 14 days is not what it used to be.

    Args:
        facts: one row per area whose residuals have a reference: `area`, `recent_days`, `mean_residual_recent` and
            `mean_residual_reference` (load less forecast of the day ahead, shares of the load), `reference`, `z_score`.
        now: the check's instant, UTC.
        thresholds: `max_forecast_drift` counts.
    """
    limit = thresholds.max_forecast_drift
    drifted = [row for row in facts if abs(row["z_score"]) > limit and _shift(row) >= LEAST_SHIFT]
    severity = by_share(len(drifted), len(facts))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"The forecasts of {row['area']} have drifted",
            message=(
                f"Over {row['recent_days']} of the last 14 days the load lay {row['mean_residual_recent']:+.1%} off "
                f"the forecast of the day ahead on average, and {row['mean_residual_reference']:+.1%} "
                f"{_REFERENCES[row['reference']]} (z = {row['z_score']:.1f}; the limit is {limit:g})."
            ),
        )
        for row in drifted
    ]


def _shift(row: FactRow) -> float:
    return abs(float(row["mean_residual_recent"]) - float(row["mean_residual_reference"]))
