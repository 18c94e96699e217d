"""Rows of the Data API's answers, as its description shows them; the server makes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from powersense.api.data.parameters import VintageName

Direction = Literal["low", "none", "high"]
EpisodeState = Literal["open", "closed", "retracted"]
EpisodeLabel = Literal["true_event", "data_error", "false_alarm"]
EpisodeLabelOrNone = Literal["true_event", "data_error", "false_alarm", "none"]
AlertState = Literal["open", "closed"]
Severity = Literal["info", "warning", "critical"]
RunState = Literal["running", "success", "failed"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AreaRow(_Row):
    """A perimeter; France has no INSEE code."""

    name: str
    insee_code: str
    is_national: bool


class SeriesRow(_Row):
    """A stored series: its first and last instant with a value, how many instants, and its unit where known."""

    metric: str
    area: str
    vintage: VintageName
    unit: str | None
    first_observed_at: datetime
    last_observed_at: datetime
    instants: int


class MeasurementRow(_Row):
    """A value with its version and the run that wrote it; null is a version that was published blank."""

    metric: str
    area: str
    observed_at: datetime
    value: float | None
    vintage: VintageName
    version: int
    publisher: str
    source: str
    run_id: str
    inserted_at: datetime


class CurveRow(_Row):
    """A bucket of the curve: its first instant, and the least, mean and greatest of its values."""

    area: str
    bucket_at: datetime
    min: float
    mean: float
    max: float
    values: int


class CoverageRow(_Row):
    """A series' Paris day: values expected and received."""

    metric: str
    area: str
    day: date
    expected_values: int
    received_values: int
    coverage_ratio: float
    is_partial_day: bool
    last_observed_at: datetime | None


class ScoreRow(_Row):
    """A detector's judgement of one value."""

    detector: str
    metric: str
    area: str
    observed_at: datetime
    value: float
    expected_mw: float | None
    lower_mw: float | None
    upper_mw: float | None
    z_score: float | None
    direction: Direction
    is_anomaly: bool
    status: Literal["scored", "insufficient_history", "superseded"]
    vintage: VintageName
    version: int
    sample_size: int
    run_id: str
    scored_at: datetime


class EpisodeRow(_Row):
    """Contiguous anomalies of one series, and what people say of them; null where nobody says anything."""

    episode_id: str
    detector: str
    metric: str
    area: str
    started_at: datetime
    ended_at: datetime
    points: int
    peak_at: datetime
    peak_z_score: float
    peak_deviation_mw: float
    direction: Direction
    severity: str
    explanation: str
    state: EpisodeState
    label: EpisodeLabel | None
    label_comment: str | None
    labelled_by: str | None
    labelled_at: datetime | None
    run_id: str
    updated_at: datetime


class ForecastRow(_Row):
    """A half-hour of an issued forecast: seven quantiles, and how it was made."""

    area: str
    issued_at: datetime
    target_at: datetime
    lead_minutes: int
    q025_mw: float
    q100_mw: float
    q250_mw: float
    q500_mw: float
    q750_mw: float
    q900_mw: float
    q975_mw: float
    model: str
    model_id: str
    fallback_level: int
    fallback_reason: str
    load_age_minutes: int
    weather_age_minutes: int | None
    run_id: str


class ScorecardRow(_Row):
    """How an area's forecasts of the last year did, by season, days ahead and model; shares where not in MW."""

    area: str
    season: str
    day_lead: int
    model: str
    days: int
    half_hours: int
    mape: float | None
    rmse_mw: float | None
    bias_mw: float | None
    pinball_mw: float | None
    coverage_80: float | None
    rte_mape: float | None
    rte_rmse_mw: float | None


class WeatherRow(_Row):
    """An area's hour of observed weather; null where no station measures it."""

    area: str
    observed_at: datetime
    temperature_c: float | None
    wind_speed_ms: float | None
    cloud_cover_pct: float | None
    stations: int


class AlertRow(_Row):
    """A problem from opening to closing."""

    alert_id: str
    rule: str
    severity: Severity
    area: str
    subject: str
    message: str
    runbook: str
    state: AlertState
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    occurrences: int
    notified_at: datetime | None
    run_id: str
    group_id: str


class IngestionRunRow(_Row):
    """One batch of an ingestion run, in its latest state."""

    batch_id: str
    run_id: str
    dag_id: str
    source: str
    window_start: datetime
    window_end: datetime
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    records_seen: int
    rows_seen: int
    rows_new: int
    rows_revised: int
    rows_unchanged: int
    rows_quarantined: int
    newest_observed_at: datetime | None
    error: str


class ModelRow(_Row):
    """A trained forecast model; `metrics` is JSON, `last_action` what was last decided about it, if anything."""

    area: str
    model_id: str
    model: str
    trained_at: datetime
    train_from: datetime
    data_until: datetime
    vintage: VintageName
    uses_weather: bool
    metrics: str
    code_version: str
    last_action: str
    last_decided_at: datetime | None
    run_id: str
