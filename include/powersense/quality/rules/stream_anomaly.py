"""An asset's messages are anomalous."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from powersense.quality.rules.finding import FactRow, Finding, Severity, Thresholds, stamp

RULE = "stream_anomaly"


def evaluate(facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
    """Find the assets with anomalies of the stream that people have to know of; one alert each, while they go on.

    Args:
        facts: one row per asset with anomalies of high or critical criticality among the messages of the last week
            that were scored within `stream_anomaly_minutes`: `asset_id`, `area` (the same where the asset is one, else
            empty), `anomalies`, `messages`, `critical` (anomalies of that criticality), `first_at` and `last_at`
            (instants of the messages, UTC), `worst_score` (0 to 1), `worst_sensor_id`, `models` (that flagged the
            worst).
        now: the check's instant, UTC.
        thresholds: `stream_anomaly_minutes` is named in the message; the query applies it.
    """
    return [
        Finding(
            rule=RULE,
            severity=Severity.CRITICAL if row["critical"] else Severity.WARNING,
            area=row["area"],
            key=row["asset_id"],
            subject=f"The stream of {row['asset_id']} is anomalous",
            message=(
                f"{row['anomalies']} of the {row['messages']} messages scored in the last "
                f"{thresholds.stream_anomaly_minutes} min, from {stamp(row['first_at'])} to {stamp(row['last_at'])}. "
                f"{_worst(row)}"
            ),
        )
        for row in facts
    ]


def _worst(row: FactRow) -> str:
    sensor = f" of sensor {row['worst_sensor_id']}" if row["worst_sensor_id"] else ""
    return (
        f"The worst{sensor} scores {row['worst_score']:.2f}, flagged by {', '.join(row['models']) or 'the ensemble'}."
    )
