"""The sources that PowerSense reads, declared in YAML and checked once."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from powersense.contracts import Vintage
from powersense.errors import SourceDeclarationError
from powersense.settings import get_settings

BUNDLED = Path(__file__).with_name("catalogue.yaml")


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
        area_count: areas in a complete answer.
        cadence_minutes: spacing of records.
        lookahead_hours: how far past "now" published rows (forecasts) are asked for.
        retention_days: how far back a live dataset surely reaches.
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
    area_count: int = Field(1, ge=1)
    time_zone: str = "Europe/Paris"
    cadence_minutes: int = Field(15, ge=1, le=1440)
    lookahead_hours: int = Field(0, ge=0)
    retention_days: int = Field(30, ge=1)
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


@lru_cache(maxsize=4)
def load_catalogue(extra_file: str | None = None) -> dict[str, Source]:
    """Return the bundled sources, and those of `extra_file`, by id.

    Raises:
        SourceDeclarationError: a file is unreadable or an entry breaks the contract; names file, entry, field and value.
    """
    sources: dict[str, Source] = {}
    aliases: dict[str, str] = {}
    for path in filter(None, (BUNDLED, Path(extra_file) if extra_file else None)):
        document = _read(path)
        aliases |= document.get("column_aliases") or {}
        for position, entry in enumerate(document.get("sources") or []):
            source = _declare(path, position, entry, aliases)
            sources[source.id] = source
    return sources


def get_source(source_id: str) -> Source:
    """Return a declared source.

    Raises:
        SourceDeclarationError: no source has this id.
    """
    sources = load_catalogue(get_settings().powersense_sources_file)
    if source_id not in sources:
        raise SourceDeclarationError(
            f"source {source_id!r} is not declared; known: {sorted(sources)}. Add it to POWERSENSE_SOURCES_FILE."
        )
    return sources[source_id]


def sources_of(role: Literal["live", "history", "files"]) -> list[Source]:
    """Return the declared sources of a role, in the order of declaration."""
    return [source for source in load_catalogue(get_settings().powersense_sources_file).values() if source.role == role]


def _read(path: Path) -> dict[str, Any]:
    """Read one catalogue file.

    Raises:
        SourceDeclarationError: it cannot be read, is no YAML, or is no mapping with a list `sources`.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SourceDeclarationError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("sources"), list):
        raise SourceDeclarationError(f"{path} must be a mapping with a list 'sources'; see the bundled catalogue.yaml")
    return document


def _declare(path: Path, position: int, entry: Any, aliases: dict[str, str]) -> Source:
    """Check one entry.

    Raises:
        SourceDeclarationError: names the file, the entry, the field, its value and the rule it breaks.
    """
    name = entry.get("id", f"number {position + 1}") if isinstance(entry, dict) else f"number {position + 1}"
    try:
        if isinstance(entry, dict):
            entry = {**entry, "column_aliases": {**aliases, **(entry.get("column_aliases") or {})}}
        return Source.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'entry'}={item['input']!r}: {item['msg']}"
            for item in error.errors()
        )
        raise SourceDeclarationError(f"{path.name}, source {name}: {problems}. Correct the entry.") from error
