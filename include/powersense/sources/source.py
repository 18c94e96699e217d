"""What a declared source must say, and what can be asked of it. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from powersense.contracts import Vintage


class Source(BaseModel):
    """One declared series of an Opendatasoft portal, or of RTE's files.

    Attributes:
        id: name of the source in PowerSense.
        dataset: the portal's dataset id; also the `source` of every row that comes from it.
        role: `live` is polled by ingest_load, `history` bootstraps and is re-read by reconcile_load, `files` is read
            from HISTORY_DATA_URL.
        publisher: who answers for the values.
        instant_field: field with an ISO instant that carries its offset; None where only wall-clock fields exist.
        local_date_field, local_time_field: wall-clock date and time of `time_zone`; they tell the ghost hour.
        vintage_field: field that names the vintage in RTE's words; `fixed_vintage` where there is none.
        area_field: field that names the area; `fixed_area` where there is none.
        accept_any_area: take area names as they are instead of quarantining those that contracts.AREAS lacks.
        areas: areas of a complete answer; empty where they are not known beforehand.
        cadence_minutes: spacing of records.
        lookahead_hours: how far past "now" published rows (forecasts) are asked for.
        retention_days: how far back a live dataset is asked for at most.
        first_year: first year with data; earlier history is not asked for.
        expected_metrics: metrics whose absence from an answer is reported.
        forecast_metrics: patterns of metrics that may lie in the future.
        valid_ranges: pattern → [lowest, highest] possible value, in the metric's unit; the first match counts.
        ignored_fields: fields that are neither keys nor metrics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    dataset: str = Field(pattern=r"^[A-Za-z0-9_@.\-]+$")
    role: Literal["live", "history", "files"]
    publisher: str = Field(min_length=1)
    instant_field: str | None = "date_heure"
    local_date_field: str | None = None
    local_time_field: str | None = None
    vintage_field: str | None = None
    fixed_vintage: Vintage | None = None
    area_field: str | None = None
    fixed_area: str | None = None
    accept_any_area: bool = False
    areas: tuple[str, ...] = ()
    time_zone: str = "Europe/Paris"
    cadence_minutes: int = Field(15, ge=1, le=1440)
    lookahead_hours: int = Field(0, ge=0)
    retention_days: int = Field(62, ge=1)
    first_year: int = Field(2012, ge=1990)
    expected_metrics: tuple[str, ...] = ()
    forecast_metrics: tuple[str, ...] = ()
    valid_ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)
    ignored_fields: tuple[str, ...] = ()
    column_aliases: dict[str, str] = Field(default_factory=dict)

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("no such IANA time zone; write one like Europe/Paris") from error
        return name

    @field_validator("valid_ranges")
    @classmethod
    def _ranges_rise(cls, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for pattern, (low, high) in ranges.items():
            if low > high:
                raise ValueError(f"{pattern}: lowest {low} exceeds highest {high}; swap them")
        return ranges

    @model_validator(mode="after")
    def _keys_are_complete(self) -> Self:
        if (self.area_field is None) == (self.fixed_area is None):
            raise ValueError("give exactly one of area_field and fixed_area")
        if (self.vintage_field is None) == (self.fixed_vintage is None):
            raise ValueError("give exactly one of vintage_field and fixed_vintage")
        if self.instant_field is None and not (self.local_date_field and self.local_time_field):
            raise ValueError("give instant_field, or both local_date_field and local_time_field")
        return self

    @property
    def key_fields(self) -> tuple[str, ...]:
        """Fields without which no record can be placed."""
        instant = (self.instant_field,) if self.instant_field else (self.local_date_field, self.local_time_field)
        return tuple(name for name in (*instant, self.area_field, self.vintage_field) if name)

    def is_metric(self, column: str) -> bool:
        """Tell whether a column holds values: whatever is no key, no wall-clock field and not ignored."""
        others = {*self.key_fields, self.local_date_field, self.local_time_field, *self.ignored_fields}
        return column not in others

    def is_forecast(self, metric: str) -> bool:
        """Tell whether values of `metric` may lie in the future."""
        return any(fnmatchcase(metric, pattern) for pattern in self.forecast_metrics)

    def valid_range(self, metric: str) -> tuple[float, float]:
        """Return the lowest and highest possible value of `metric`; infinite where nothing is declared."""
        for pattern, bounds in self.valid_ranges.items():
            if fnmatchcase(metric, pattern):
                return bounds
        return (float("-inf"), float("inf"))
