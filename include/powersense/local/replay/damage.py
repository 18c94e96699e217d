"""Spoil records as upstreams have been seen to: each function takes JSON-ready records and returns spoiled copies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from powersense.errors import ConfigurationError
from powersense.local.replay.clock import parse_instant
from powersense.local.replay.faults import Fault, FaultKind
from powersense.local.replay.portal import KEPT_WHEN_BLANK
from powersense.local.replay.rendering import Row

LOAD = "consommation"
_AREA_FIELDS = ("perimetre", "libelle_region", "code_insee_region")


def damaged(rows: list[Row], faults: list[Fault], *, now: datetime) -> list[Row]:
    """Return the records after all record faults, in the order in which they were injected.

    Args:
        rows: records as they would be answered.
        faults: record faults.
        now: the served timeline's clock, aware.
    """
    spoiled = [dict(row) for row in rows]
    for fault in faults:
        spoiled = _DAMAGES[fault.kind](spoiled, fault.options, now)
    return spoiled


def _instant(row: Row) -> datetime | None:
    text = row.get("date_heure")
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _chosen(rows: list[Row], options: dict[str, Any], *, with_value: str | None = None) -> list[Row]:
    """Return the records that the fault's selectors name: area, since (included), until (excluded), first `rows`."""
    since = parse_instant(options["since"]) if options.get("since") else datetime.min.replace(tzinfo=UTC)
    until = parse_instant(options["until"]) if options.get("until") else datetime.max.replace(tzinfo=UTC)
    area = options.get("area")
    chosen = [
        row
        for row in rows
        if (area is None or area in [row.get(name) for name in _AREA_FIELDS])
        and since <= (_instant(row) or since) < until
        and (with_value is None or row.get(with_value) is not None)
    ]
    return chosen[: options.get("rows")]


def _blank_latest(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Blank the newest steps that have a load."""
    filled = sorted({str(row["date_heure"]) for row in rows if row.get(LOAD) is not None and "date_heure" in row})
    latest = set(filled[-int(options["steps"]) :])
    return [
        {name: value if name in KEPT_WHEN_BLANK else None for name, value in row.items()}
        if row.get("date_heure") in latest
        else row
        for row in rows
    ]


def _revised(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Change values: `value * factor + add`, rounded as the field is."""
    for row in _chosen(rows, options, with_value=options["column"]):
        value = row[options["column"]]
        moved = value * options["factor"] + options["add"]
        row[options["column"]] = round(moved) if isinstance(value, int) else moved
    return rows


def _schema_drift(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Add a column, drop one, or turn numbers into texts or into ND."""
    mode = options["mode"]
    if mode not in ("new_column", "missing_column", "string_numbers", "nd"):
        raise ConfigurationError(
            f"schema_drift mode={mode!r}: expected new_column, missing_column, string_numbers or nd."
        )
    for row in _chosen(rows, options):
        numbers = [name for name, value in row.items() if isinstance(value, int | float)]
        names = [options["column"]] if options["column"] else numbers
        if mode == "new_column":
            row[options["column"] or "nouvelle_filiere"] = options["value"]
        elif mode == "missing_column":
            row.pop(options["column"] or "eolien", None)
        else:
            row.update({name: "ND" if mode == "nd" else str(row[name]) for name in names if row.get(name) is not None})
    return rows


def _missing_key(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Leave a key out of the record; the key `area` stands for every field that names the area."""
    for row in _chosen(rows, options):
        for name in _AREA_FIELDS if options["key"] == "area" else (options["key"],):
            row.pop(name, None)
    return rows


def _replaced(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Put the fault's value in place of a recorded one."""
    for row in _chosen(rows, options, with_value=options["column"]):
        row[options["column"]] = options["value"]
    return rows


def _duplicate_instant(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Repeat records; with `add` the copies contradict the originals."""
    column = options["column"]
    copies = [dict(row) for row in _chosen(rows, options, with_value=column)]
    for copy in copies:
        copy[column] += options["add"]
    return rows + copies


def _ghost_hour(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Add spring's ghosts: same `date_heure`, `heure` an hour earlier, other values."""
    column = options["column"]
    ghosts = [dict(row) for row in _chosen(rows, options, with_value=column) if isinstance(row.get("heure"), str)]
    for ghost in ghosts:
        hour, minute = ghost["heure"].split(":")
        ghost["heure"] = f"{(int(hour) - 1) % 24:02d}:{minute}"
        ghost[column] += options["add"]
    return ghosts + rows


def _future_rows(rows: list[Row], options: dict[str, Any], now: datetime) -> list[Row]:
    """Give rows after now a load; where the answer has none, add rows of a day ahead."""
    later = [row for row in rows if (_instant(row) or now) > now]
    if not later:
        step = timedelta(days=max(1, (now - max((_instant(row) or now for row in rows), default=now)).days + 2))
        for row in _chosen(rows, options):
            moved = (_instant(row) or now) + step
            later.append({**row, "date_heure": moved.isoformat(), "date": moved.date().isoformat()})
        rows = rows + later
    for row in _chosen(later, options):
        row[options["column"]] = options["value"]
    return rows


_DAMAGES: dict[FaultKind, Callable[[list[Row], dict[str, Any], datetime], list[Row]]] = {
    FaultKind.BLANK_LATEST: _blank_latest,
    FaultKind.REVISED: _revised,
    FaultKind.SCHEMA_DRIFT: _schema_drift,
    FaultKind.MISSING_KEY: _missing_key,
    FaultKind.WRONG_TYPE: _replaced,
    FaultKind.OUT_OF_RANGE: _replaced,
    FaultKind.DUPLICATE_INSTANT: _duplicate_instant,
    FaultKind.GHOST_HOUR: _ghost_hour,
    FaultKind.FUTURE_ROWS: _future_rows,
}
