"""Record faults on weather: the damages of the portal's records, under the names that weather has for its keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from powersense.local.replay.damage import damaged
from powersense.local.replay.faults import Fault
from powersense.local.replay.rendering import Row

# What `damage` calls the instant and the area of a record.
_INSTANT, _AREA, _DAY = "date_heure", "perimetre", "date"


@dataclass(frozen=True)
class Keys:
    """Where the records of one publication name their station and their instant.

    Attributes:
        station: field of the station.
        instant: field of the instant.
        form: how the instant is written.
    """

    station: str
    instant: str
    form: str


SYNOP = Keys("numer_sta", "date", "%Y%m%d%H%M%S")
HOURLY = Keys("NUM_POSTE", "AAAAMMJJHH", "%Y%m%d%H")
OBSERVATIONS = Keys("geo_id_insee", "validity_time", "%Y-%m-%dT%H:%M:%SZ")


def spoiled_records(records: Sequence[Row], faults: list[Fault], keys: Keys, *, now: datetime) -> list[Row]:
    """Return records after all record faults; a fault's `area` selects a station, `date_heure` means the instant.

    Args:
        records: as they would be answered.
        faults: record faults; those whose `column` the records lack change nothing.
        keys: of these records.
        now: the served timeline's clock, aware.
    """
    renamed = []
    for record in records:
        instant = datetime.strptime(record[keys.instant], keys.form).replace(tzinfo=UTC)
        renamed.append({**record, _AREA: record[keys.station], _INSTANT: instant.isoformat()})
    return [_named_back(record, keys) for record in damaged(renamed, faults, now=now)]


def _named_back(record: Row, keys: Keys) -> Row:
    area, instant = record.pop(_AREA, None), record.pop(_INSTANT, None)
    if keys.instant != _DAY:
        record.pop(_DAY, None)
    if area is None:
        record.pop(keys.station, None)
    if isinstance(instant, str):
        record[keys.instant] = datetime.fromisoformat(instant).astimezone(UTC).strftime(keys.form)
    else:
        record.pop(keys.instant, None)
    return record


def spoiled_rows(
    rows: list[list[str]], faults: list[Fault], keys: Keys, *, missing: str, now: datetime
) -> list[list[str]]:
    """Return a file's header and rows after all record faults.

    Args:
        rows: header first.
        faults: record faults.
        keys: of this file.
        missing: how the file writes a missing value.
        now: the served timeline's clock, aware.
    """
    header, *lines = rows
    texts = {keys.station, keys.instant}
    records = [
        {name: text if name in texts else _value(text, missing) for name, text in zip(header, line, strict=True)}
        for line in lines
    ]
    spoiled = spoiled_records(records, faults, keys, now=now)
    names = list(dict.fromkeys(name for record in spoiled for name in record)) if spoiled else header
    return [names, *([_text(record.get(name), missing) for name in names] for record in spoiled)]


def _value(text: str, missing: str) -> Any:
    if text in ("", missing):
        return None
    with suppress(ValueError):
        return float(text)
    return text


def _text(value: Any, missing: str) -> str:
    if value is None:
        return missing
    return f"{value:.10g}" if isinstance(value, float) else str(value)
