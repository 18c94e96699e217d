"""What each rule looks for, in a few words for people. Pure."""

from __future__ import annotations

RULE_TITLES: dict[str, str] = {
    "stale_data": "No recent load",
    "low_coverage": "Load has gaps",
    "stuck_values": "Load repeats one value",
    "impossible_values": "Impossible load",
    "revision_volume": "Load is being rewritten",
    "quarantine_growth": "Records are set aside",
    "ingestion_errors": "Ingestion fails or is overdue",
    "failed_dbt_tests": "dbt tests do not pass",
    "load_anomaly": "Anomalous load",
    "stale_weather": "No recent weather",
    "low_weather_coverage": "Weather has gaps",
    "forecast_error": "Forecasts err too much",
    "forecast_drift": "Forecasts have drifted",
    "stale_forecast": "No recent forecast",
    "forecast_fallback": "Forecasts come from a lower rung",
    "stream_anomaly": "Anomalies of the stream",
    "stream_dead_letters": "Too many dead letters",
    "stream_stalled": "The stream is stalled",
    "stream_model_stale": "The stream's models are old",
    "file_overdue": "No new files",
    "file_quarantined": "Files are quarantined",
    "file_schema_changed": "Files have other columns",
    "file_run_failed": "File loads fail",
    "late_run": "A run is late",
    "failed_task": "A task failed",
}
