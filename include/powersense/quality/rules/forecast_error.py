"""The forecasts of an area are no better than last week's load."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Thresholds, by_share

RULE = "forecast_error"
# Two days' worth: less may be one strike, or one public holiday.
LEAST_HALF_HOURS = 96


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the areas whose forecasts of the day ahead erred too much in the last seven days.

    Args:
        facts: one row per area with forecasts of the last seven days that were compared: `area`, `half_hours`, `mape`
            (mean absolute error over the load, a share), `rte_mape` (that of RTE's own forecast, None without one).
        now: the check's instant, UTC.
        thresholds: `max_forecast_mape` counts.
    """
    compared = [row for row in facts if row["half_hours"] >= LEAST_HALF_HOURS]
    wrong = [row for row in compared if row["mape"] > thresholds.max_forecast_mape]
    severity = by_share(len(wrong), len(compared))
    return [
        Finding(
            rule=RULE,
            severity=severity,
            area=row["area"],
            subject=f"The forecasts of {row['area']} err too much",
            message=(
                f"Over {row['half_hours']} half-hours of the last seven days the forecast of the day ahead erred by "
                f"{row['mape']:.1%} of the load on average; the limit is {thresholds.max_forecast_mape:.1%}"
                + ("." if row["rte_mape"] is None else f". RTE's own forecast erred by {row['rte_mape']:.1%}.")
            ),
        )
        for row in wrong
    ]
