"""Build tables from recorded texts and records: types, wall-clock times, and one row per area and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from powersense.contracts import AREA_BY_FOLDED_NAME, AREAS, fold
from powersense.local.replay.portal import FIELDS, MISSING_TEXTS, TIME_FIELDS, fields_for
from powersense.local.replay.shift import instants_of, paris_wall, wall_seconds
from powersense.local.replay.table import Column, FieldType, Seconds, Table, empty_column, scattered

INSEE_BY_AREA = {area.name: area.insee for area in AREAS}
_RANK_OF_NATURE = {"Données temps réel": 0, "Données consolidées": 1, "Données définitives": 2}


class _Numbers(dict[str, float]):
    """Texts read as numbers once each: load curves repeat their values."""

    def __missing__(self, text: str) -> float:
        number = self[text] = np.nan if text in MISSING_TEXTS else float(text)
        return number


def number_column(texts: Sequence[str]) -> tuple[Column, FieldType]:
    """Return texts as numbers with NaN for missing ones; as texts where one is not a number.

    >>> number_column(["12", "ND", ""])
    (array([12., nan, nan]), 'int')
    """
    try:
        values = np.fromiter(map(_Numbers().__getitem__, texts), dtype=np.float64, count=len(texts))
    except ValueError:
        return text_column(texts), "text"
    known = values[~np.isnan(values)]
    return values, "int" if bool(np.all(known == np.rint(known))) else "double"


def text_column(texts: Sequence[str]) -> Column:
    """Return texts as they are, empty ones as None, equal ones shared."""
    shared: dict[str, str | None] = {"": None}
    column = np.empty(len(texts), dtype=object)
    column[:] = [shared.setdefault(text, text) for text in texts]
    return column


def mixed_column(values: Sequence[object]) -> tuple[Column, FieldType]:
    """Return JSON values as one column: numbers if all are, else texts, as the portal types a field."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in known):
        column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        return column, "double" if any(isinstance(value, float) for value in known) else "int"
    texts = np.empty(len(values), dtype=object)
    texts[:] = [None if value is None else str(value) for value in values]
    return texts, "text"


def wall_seconds_of(dates: Sequence[str], times: Sequence[str]) -> Seconds:
    """Return `YYYY-MM-DD` and `HH:MM` as wall-clock seconds."""
    day_s = {day: wall_seconds(datetime.fromisoformat(day)) for day in set(dates)}
    time_s = {time: int(time[:2]) * 3600 + int(time[3:5]) * 60 for time in set(times)}
    return np.array([day_s[day] + time_s[time] for day, time in zip(dates, times, strict=True)], dtype=np.int64)


def table_from_texts(dataset: str, columns: Mapping[str, Sequence[str]], *, is_whole_portal_row: bool) -> Table:
    """Return a table of one dataset from text columns under technical names.

    Args:
        dataset: names the declared types.
        columns: needs `date` and `heure`, or `date_heure`.
        is_whole_portal_row: add the portal's fields that the texts lack, as nulls.
    """
    declared = {field.name: field.type for field in FIELDS[dataset]}
    types: dict[str, FieldType] = {}
    arrays: dict[str, Column] = {}
    for name, texts in columns.items():
        if name in TIME_FIELDS:
            continue
        if declared.get(name) == "text":
            arrays[name], types[name] = text_column(texts), "text"
        else:
            arrays[name], types[name] = number_column(texts)
    missing = [field for field in FIELDS[dataset] if field.name not in columns] if is_whole_portal_row else []
    for field in missing:
        if field.name not in TIME_FIELDS:
            arrays[field.name], types[field.name] = empty_column(field, len(columns["date"])), field.type
    return finished_table(dataset, arrays, types, _wall_from(columns))


def table_from_records(dataset: str, records: Sequence[Mapping[str, object]]) -> Table:
    """Return a table of one dataset from JSON records, types as recorded."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    declared = {field.name: field.type for field in FIELDS[dataset]}
    types: dict[str, FieldType] = {}
    arrays: dict[str, Column] = {}
    for name in names:
        if name in TIME_FIELDS:
            continue
        if all(value is None for value in columns[name]) and name in declared:
            types[name] = declared[name]
            arrays[name] = empty_column(next(f for f in FIELDS[dataset] if f.name == name), len(records))
        else:
            arrays[name], types[name] = mixed_column(columns[name])
    times = {name: [str(value) for value in columns[name]] for name in TIME_FIELDS if name in columns}
    return finished_table(dataset, arrays, types, _wall_from(times))


def _wall_from(columns: Mapping[str, Sequence[str]]) -> Seconds:
    if "date" in columns and "heure" in columns:
        return wall_seconds_of(columns["date"], columns["heure"])
    moments = [paris_wall(datetime.fromisoformat(text)) for text in columns["date_heure"]]
    return np.array([wall_seconds(moment) for moment in moments], dtype=np.int64)


def finished_table(dataset: str, arrays: dict[str, Column], types: dict[str, FieldType], wall_s: Seconds) -> Table:
    """Return the table with the portal's area spelling, time fields, and rows in time order."""
    if "regional" in dataset:
        spellings = arrays["libelle_region"].tolist()
        portal = {text: AREA_BY_FOLDED_NAME.get(fold(str(text)), str(text)) for text in set(spellings)}
        arrays["libelle_region"] = text_column([portal[text] for text in spellings])
        arrays["code_insee_region"] = text_column([INSEE_BY_AREA.get(portal[text], "") for text in spellings])
        types |= {"libelle_region": "text", "code_insee_region": "text"}
    types |= {"date": "date", "heure": "text", "date_heure": "datetime"}
    fields = fields_for(dataset, [*arrays, *TIME_FIELDS], types)
    table = Table(fields, arrays, wall_s, instants_of(wall_s), scattered(len(wall_s)))
    return table.take(np.argsort(wall_s, kind="stable"))


def merge(dataset: str, tables: Sequence[Table]) -> Table:
    """Return one table of several; of two rows for one area and time the more final one stays, then the later read.

    A field typed differently in two recordings becomes text, as no portal field has two types.
    """
    names = list(dict.fromkeys(field.name for table in tables for field in table.fields))
    types: dict[str, FieldType] = {}
    arrays: dict[str, Column] = {}
    for name in names:
        kinds = {field.type for table in tables if (field := table.field(name)) is not None}
        types[name] = kinds.pop() if len(kinds) == 1 else "double" if kinds == {"int", "double"} else "text"
        if name not in TIME_FIELDS:
            arrays[name] = np.concatenate([_as_type(table, name, types[name]) for table in tables])
    wall_s = np.concatenate([table.wall_s for table in tables])
    kept = _most_final_rows(arrays, wall_s)
    fields = fields_for(dataset, names, types)
    merged = Table(fields, arrays, wall_s, instants_of(wall_s), scattered(len(wall_s)))
    return merged if np.array_equal(kept, np.arange(len(wall_s))) else merged.take(kept)


def _as_type(table: Table, name: str, kind: FieldType) -> Column:
    column = table.columns.get(name)
    field = table.field(name)
    if column is None or field is None:
        return np.full(len(table), None, dtype=object) if kind == "text" else np.full(len(table), np.nan)
    if kind == "text" and field.is_number:
        return text_column(["" if np.isnan(number) else f"{number:g}" for number in column.tolist()])
    return column


def _most_final_rows(arrays: Mapping[str, Column], wall_s: Seconds) -> Seconds:
    blank = np.full(len(wall_s), None, dtype=object)
    areas = arrays.get("libelle_region", arrays.get("perimetre", blank)).tolist()
    number_of_area = {area: number for number, area in enumerate(dict.fromkeys(areas))}
    codes = np.array([number_of_area[area] for area in areas], dtype=np.int64)
    natures = arrays.get("nature", blank).tolist()
    finality = np.array([_RANK_OF_NATURE.get(nature, 0) for nature in natures], dtype=np.int64)
    order = np.lexsort((np.arange(len(wall_s)), finality, codes, wall_s))
    last_of_key = np.ones(len(order), dtype=bool)
    last_of_key[:-1] = (np.diff(wall_s[order]) != 0) | (np.diff(codes[order]) != 0)
    return np.asarray(order[last_of_key], dtype=np.int64)
