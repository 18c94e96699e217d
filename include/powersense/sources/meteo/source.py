"""What a weather source must say, and the declared ones. Pure but for reading weather.yaml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from powersense.contracts import Vintage
from powersense.errors import SourceDeclarationError

BUNDLED = Path(__file__).with_name("weather.yaml")


class Column(BaseModel):
    """One published column: round(read_as(value) * scale + offset).

    Attributes:
        metric: what it becomes; the name ends in its unit.
        scale, offset: to the metric's unit.
        read_as: published code → published value that it stands for.
        is_required: a file without it is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    scale: float = 1.0
    offset: float = 0.0
    read_as: dict[float, float] = Field(default_factory=dict)
    is_required: bool = False


class MeteoSource(BaseModel):
    """One upstream of observed weather.

    Attributes:
        id: name in PowerSense.
        dataset: `source` of its rows and of its run records.
        address: below its base URL, with placeholders.
        station_field, station_ids: column of the station, and whose numbers it holds.
        instant_field, instant_format: column of the instant, UTC, and how it is written (strptime).
        vintage: of its values.
        quality_prefix: before a column's name, names the column of its quality code; None where there is none.
        vintage_by_quality: quality codes that make another vintage.
        ignored_stations: prefixes of station numbers that are known and left out: overseas.
        missing_words: what it writes for an absent value, beyond `values.MISSING_WORDS`.
        columns: published column → metric.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Literal["observations", "hourly", "climatology", "synop"]
    dataset: str = Field(pattern=r"^[a-z][a-z0-9\-]*$")
    address: str
    station_field: str
    station_ids: Literal["meteo_france", "omm"]
    instant_field: str
    instant_format: str
    vintage: Vintage
    quality_prefix: str | None = None
    vintage_by_quality: dict[str, Vintage] = Field(default_factory=dict)
    ignored_stations: tuple[str, ...] = ()
    missing_words: tuple[str, ...] = ()
    columns: dict[str, Column]

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Columns without which a file cannot be read."""
        required = [name for name, column in self.columns.items() if column.is_required]
        return (self.station_field, self.instant_field, *required)

    @property
    def known_columns(self) -> tuple[str, ...]:
        """Columns that are read where a file has them."""
        quality = [f"{self.quality_prefix}{name}" for name in self.columns] if self.quality_prefix else []
        return (self.station_field, self.instant_field, *self.columns, *quality)


class MeteoCatalogue(BaseModel):
    """All of weather.yaml.

    Attributes:
        publisher: who answers for the values.
        decimals: to which converted values are rounded, so that 289.25 K is 16.1 °C and no other double near it.
        valid_ranges: metric → [lowest, highest] possible value.
        sources: the upstreams.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    publisher: str
    decimals: int = Field(ge=0, le=6)
    valid_ranges: dict[str, tuple[float, float]]
    sources: tuple[MeteoSource, ...]


@lru_cache(maxsize=2)
def load_meteo_catalogue(path: Path = BUNDLED) -> MeteoCatalogue:
    """Return the declared weather sources.

    Raises:
        SourceDeclarationError: the file is unreadable or breaks the contract; names each field and its value.
    """
    try:
        return MeteoCatalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise SourceDeclarationError(f"{path} cannot be read as YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}={item['input']!r}: {item['msg']}" for item in error.errors()
        )
        raise SourceDeclarationError(f"{path.name}: {problems}. Correct the entry.") from error


def meteo_source(source_id: str) -> MeteoSource:
    """Return a declared source.

    Raises:
        SourceDeclarationError: no source has this id.
    """
    found = {source.id: source for source in load_meteo_catalogue().sources}
    if source_id not in found:
        raise SourceDeclarationError(f"weather source {source_id!r} is not declared; known: {sorted(found)}")
    return found[source_id]  # type: ignore[index]
