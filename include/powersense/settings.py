"""One frozen settings object, read from the environment once per process."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from powersense.errors import ConfigurationError

# The names that Kafka allows.
_TOPIC = r"^[A-Za-z0-9._\-]{1,249}$"


class Settings(BaseSettings):
    """Options of PowerSense; each field is the environment variable of the same name in upper case.

    Durations end in their unit; loads are in MW. `.env.example` documents every option for operators.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    clickhouse_database: str = Field("powersense", pattern=r"^[a-z][a-z0-9_]*$")
    clickhouse_marts_database: str = Field("powersense_marts", pattern=r"^[a-z][a-z0-9_]*$")
    clickhouse_files_database: str = Field("powersense_files", pattern=r"^[a-z][a-z0-9_]*$")
    clickhouse_cluster: str = Field("", pattern=r"^[A-Za-z0-9_\-]*$")

    api_url: str | None = None
    history_data_url: str | None = None
    history_start_year: int = Field(2012, ge=2012)
    ingest_interval_seconds: int = Field(300, ge=60, le=86_400)
    ingest_lookback_hours: int = Field(24, ge=1)
    http_timeout_seconds: float = Field(30.0, gt=0)
    http_max_attempts: int = Field(5, ge=1)
    powersense_sources_file: str | None = None

    dept: str = ""
    weather_lookback_hours: int = Field(24, ge=1, le=24)
    weather_repair_days: int = Field(7, ge=1, le=60)
    weather_files_per_run: int = Field(8, ge=1)
    meteo_requests_per_minute: int = Field(50, ge=0)
    meteo_hourly_url: str = "https://object.files.data.gouv.fr/meteofrance/data/synchro_ftp/BASE/HOR"
    synop_url: str = "https://donneespubliques.meteofrance.fr/donnees_libres/Txt/Synop/Archive"
    weather_forecast_url: str = "https://api.open-meteo.com/v1/forecast"

    score_method: Literal["robust", "classic"] = "robust"
    score_threshold: float = Field(3.0, gt=0)
    score_lookback_days: int = Field(365, ge=7)
    score_min_samples: int = Field(3, ge=2)
    score_min_deviation_mw: float = Field(100.0, ge=0)
    score_min_deviation_share: float = Field(0.25, ge=0, lt=1)
    score_due_days: int = Field(62, ge=1)
    score_episode_gap_minutes: int = Field(60, ge=15)
    forecast_vintage: Literal["realtime", "consolidated", "definitive"] = "definitive"
    forecast_history_days: int = Field(70, ge=35)
    forecast_train_years: int = Field(6, ge=1)
    forecast_evaluation_days: int = Field(28, ge=8)
    forecast_promotion_margin: float = Field(0.02, ge=0, lt=1)
    model_store_url: str = ""
    forecast_residual_threshold: float = Field(4.0, gt=0)
    forecast_residual_min_mw: float = Field(100.0, ge=0)
    forecast_residual_min_share: float = Field(0.15, ge=0, lt=1)

    alert_notify_urls: str = ""
    alert_notify_connection: str = ""
    alert_notify_least: Literal["info", "warning", "critical"] = "warning"
    alert_group_minutes: int = Field(60, ge=0, le=1_440)
    alert_escalate_minutes: int = Field(30, ge=0, le=10_080)
    alert_escalate_least: Literal["info", "warning", "critical"] = "critical"
    alert_escalate_urls: str = ""
    powersense_public_url: str = ""
    powersense_runbook_url: str = "docs/runbook.md"
    quality_stale_minutes: int = Field(120, ge=5)
    quality_min_coverage: float = Field(0.9, gt=0, le=1)
    quality_stuck_steps: int = Field(6, ge=2)
    quality_max_imbalance: float = Field(0.1, gt=0)
    quality_max_revisions: int = Field(48, ge=0)
    quality_max_quarantined: int = Field(100, ge=0)
    quality_ingest_overdue_minutes: int = Field(60, ge=5)
    quality_stale_weather_hours: int = Field(12, ge=4)
    quality_stale_forecast_hours: int = Field(3, ge=1)
    quality_max_forecast_mape: float = Field(0.06, gt=0)
    quality_max_forecast_drift: float = Field(3.0, gt=0)
    quality_anomaly_visible_hours: int = Field(24, ge=0)
    quality_stream_anomaly_minutes: int = Field(60, ge=15)
    quality_max_dead_letter_share: float = Field(0.01, ge=0, lt=1)
    quality_stream_stalled_minutes: int = Field(10, ge=1)
    quality_stale_stream_model_days: int = Field(30, ge=1)
    quarantine_retention_days: int = Field(365, ge=1)
    landing_retention_days: int = Field(7, ge=1)

    file_ingestions_folder: str = ""
    file_source_folders: str = ""
    file_claim_minutes: int = Field(30, ge=1, le=24 * 60)

    backtest_issue_hour: int = Field(18, ge=0, le=23)

    kafka_bootstrap_servers: str = ""
    kafka_consumer_group: str = Field("detection-anomalies-service", min_length=1)
    kafka_topic_input_features: str = Field("extracted-features", pattern=_TOPIC)
    kafka_topic_output_anomalies: str = Field("anomalies-detected", pattern=_TOPIC)
    kafka_topic_dead_letter: str = Field("extracted-features-dead-letter", pattern=_TOPIC)
    kafka_auto_offset_reset: Literal["earliest", "latest", "error"] = "earliest"
    kafka_session_timeout_ms: int = Field(6_000, ge=1_000, le=300_000)
    kafka_topic_partitions: int = Field(6, ge=1)
    stream_delivery: Literal["auto", "transactions", "at_least_once"] = "auto"
    stream_batch_messages: int = Field(2_000, ge=1, le=100_000)
    stream_batch_milliseconds: int = Field(50, ge=1, le=60_000)
    stream_message_bytes: int = Field(262_144, ge=1_024, le=600_000)
    stream_untrained: Literal["hold", "pass"] = "hold"
    stream_models: str = ""
    stream_model_poll_seconds: float = Field(30.0, gt=0)
    stream_max_series: int = Field(20_000, ge=1)
    stream_rebuild_messages: int = Field(50_000, ge=0)
    stream_metrics_port: int = Field(0, ge=0, le=65_535)
    stream_landing: Literal["on", "off"] = "on"
    stream_train_weeks: int = Field(12, ge=1, le=520)
    stream_train_max_rows: int = Field(200_000, ge=100)
    stream_train_max_bytes: int = Field(67_108_864, ge=1_024)
    stream_publish_hours: int = Field(72, ge=1, le=744)
    stream_micro_batches: Literal["auto", "always", "off"] = "auto"
    stream_micro_batch_seconds: int = Field(45, ge=1, le=600)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    powersense_api_keys: str = ""
    powersense_api_key_files: str = ""
    deadman_minutes: float = Field(20.0, ge=0, le=10_080)
    powersense_api_port: int = Field(8090, ge=1, le=65_535)
    api_requests_per_minute: int = Field(1_200, ge=0)
    api_concurrent_queries: int = Field(8, ge=1, le=256)
    api_concurrent_streams: int = Field(4, ge=1, le=256)
    api_query_seconds: int = Field(10, ge=1, le=600)
    api_stream_seconds: int = Field(900, ge=1, le=86_400)
    api_stalled_seconds: float = Field(30.0, gt=0, le=3_600)
    api_push_max_rows: int = Field(20_000, ge=1, le=200_000)

    reader_connection: str = "clickhouse_reader"
    writer_connection: str = "clickhouse_default"
    loader_connection: str = "clickhouse_loader"
    odre_connection: str = "odre_default"
    meteo_france_connection: str = "meteo_france_default"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings.

    Raises:
        ConfigurationError: a variable has a value that its field refuses; names the variable, the value and the rule.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{str(item['loc'][0]).upper()}={item.get('input')!r}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(f"{problems}. Correct it in the environment or .env; see .env.example.") from error
