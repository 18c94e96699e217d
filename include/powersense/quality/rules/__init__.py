"""The rules: pure functions from fact rows to findings, one rule a file.

A rule's id is its module's name, the name of the query in `quality/sql` that gives its facts, and its heading in
docs/runbook.md.
"""

from __future__ import annotations

from powersense.quality.rules import (
    failed_dbt_tests,
    file_overdue,
    file_quarantined,
    file_run_failed,
    file_schema_changed,
    forecast_drift,
    forecast_error,
    forecast_fallback,
    impossible_values,
    ingestion_errors,
    load_anomaly,
    low_coverage,
    low_weather_coverage,
    quarantine_growth,
    revision_volume,
    stale_data,
    stale_forecast,
    stale_weather,
    stream_anomaly,
    stream_dead_letters,
    stream_model_stale,
    stream_stalled,
    stuck_values,
)
from powersense.quality.rules.finding import Evaluate, FactRow, Finding, Severity, Thresholds
from powersense.quality.rules.runs import FAILED_TASK, LATE_RUN, failed_task, late_run
from powersense.quality.rules.stale_data import everything_is_stale

CHECKED_RULES: dict[str, Evaluate] = {
    rule.RULE: rule.evaluate
    for rule in (
        stale_data,
        low_coverage,
        stuck_values,
        impossible_values,
        revision_volume,
        quarantine_growth,
        ingestion_errors,
        failed_dbt_tests,
        load_anomaly,
        stale_weather,
        low_weather_coverage,
        forecast_error,
        forecast_drift,
        stale_forecast,
        forecast_fallback,
        stream_anomaly,
        stream_dead_letters,
        stream_stalled,
        stream_model_stale,
        file_overdue,
        file_quarantined,
        file_schema_changed,
        file_run_failed,
    )
}
ALL_RULES = (*CHECKED_RULES, LATE_RUN, FAILED_TASK)

__all__ = [
    "ALL_RULES",
    "CHECKED_RULES",
    "FAILED_TASK",
    "LATE_RUN",
    "Evaluate",
    "FactRow",
    "Finding",
    "Severity",
    "Thresholds",
    "everything_is_stale",
    "failed_task",
    "late_run",
]
