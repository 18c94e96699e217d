"""Rows that the page asks for beside those of the data."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from powersense.api.data.parameters import VintageName


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FreshnessRow(_Row):
    """An area's newest load, weather and forecast, and the age from which each is stale.

    Null where none is of the last 31 days (weather: three). What never came is not called stale, but for the load.
    """

    area: str
    load_at: datetime | None
    load_limit_minutes: int
    is_load_stale: bool
    weather_at: datetime | None
    weather_limit_minutes: int
    is_weather_stale: bool
    forecast_at: datetime | None
    forecast_limit_minutes: int
    is_forecast_stale: bool


class QuarantineRow(_Row):
    """A record that was set aside: why, itself, and when it came first and last; an empty `area`: it names none."""

    source: str
    reason: str
    record_hash: str
    area: str
    observed_at: datetime | None
    detail: str
    record: str
    first_seen_at: datetime
    last_seen_at: datetime
    run_id: str


class QuarantineCountRow(_Row):
    """How many records of a source were set aside for a reason, and the newest one's detail."""

    source: str
    reason: str
    records: int
    areas: int
    first_seen_at: datetime
    last_seen_at: datetime
    example: str


class LatestRow(_Row):
    """An area's newest load, the newest one that a detector judged, and the last instant of its newest forecast.

    `judged_at` and what follows it are null where nothing of the newest day of all areas is judged, `forecast_until`
    where nothing was forecast in the 31 days before it.
    """

    area: str
    first_observed_at: datetime
    observed_at: datetime
    value_mw: float
    vintage: VintageName
    inserted_at: datetime
    judged_at: datetime | None
    judged_mw: float | None
    expected_mw: float | None
    lower_mw: float | None
    upper_mw: float | None
    z_score: float | None
    is_anomaly: bool | None
    forecast_until: datetime | None


class ExpectedRow(_Row):
    """A bucket of what a detector expected: the mean of its expectations, the widest band, and its anomalies.

    The worst anomaly is the one with the greatest z-score; null where there is none.
    """

    area: str
    bucket_at: datetime
    expected_mw: float
    lower_mw: float
    upper_mw: float
    anomalies: int
    worst_at: datetime | None
    worst_mw: float | None
    worst_z_score: float | None
