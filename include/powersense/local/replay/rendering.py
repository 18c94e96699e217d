"""Write chosen rows as the portal does: JSON, CSV, parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any, TypeAlias

import numpy as np

from powersense.local.replay.matching import date_texts, time_texts
from powersense.local.replay.query import Page
from powersense.local.replay.shift import offsets_of
from powersense.local.replay.table import Field, Seconds, Table

Row: TypeAlias = dict[str, Any]
CHUNK_ROWS = 2_000
_PARQUET_TYPES = {"int": "int64", "double": "float64", "text": "string", "date": "string"}


def zoned_texts(instant_s: Seconds, zone: tzinfo) -> list[str]:
    """Return instants as ISO 8601 with the zone's offset.

    >>> from zoneinfo import ZoneInfo
    >>> zoned_texts(np.array([1506722400]), ZoneInfo("Europe/Paris"))
    ['2017-09-30T00:00:00+02:00']
    """
    offsets = offsets_of(instant_s, zone)
    local = np.datetime_as_string((instant_s + offsets).astype("datetime64[s]"), unit="s")
    suffixes = {
        offset: f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02d}:{abs(offset) % 3600 // 60:02d}"
        for offset in set(offsets.tolist())
    }
    return [text + suffixes[offset] for text, offset in zip(local.tolist(), offsets.tolist(), strict=True)]


def _json_values(table: Table, field: Field, source: str, zone: tzinfo) -> list[Any]:
    if field.type == "datetime":
        return zoned_texts(table.instant_s, zone)
    if field.type == "date":
        return list(date_texts(table.wall_s).tolist())
    if source == "heure":
        return list(time_texts(table.wall_s).tolist())
    values = table.columns[source].tolist()
    if field.type == "int":
        return [None if value != value else int(value) for value in values]  # noqa: PLR0124
    if field.type == "double":
        return [None if value != value else value for value in values]  # noqa: PLR0124
    return list(values)


def _columns_of(page: Page, zone: tzinfo, first: int, last: int | None) -> list[list[Any]]:
    part = page.rows.take(slice(first, last))
    return [_json_values(part, field, page.sources[field.name], zone) for field in page.fields]


def rows_of(page: Page, zone: tzinfo) -> list[Row]:
    """Return the records of a page, JSON-ready."""
    names = [field.name for field in page.fields]
    return [dict(zip(names, values, strict=True)) for values in zip(*_columns_of(page, zone, 0, None), strict=True)]


def as_json(value: object) -> bytes:
    """Return compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _firsts(page: Page) -> range:
    """Return where the parts begin that are written one after the other: no export stands in memory whole."""
    return range(0, len(page.rows), CHUNK_ROWS)


def json_export(page: Page, zone: tzinfo) -> Iterator[bytes]:
    """Yield a bare JSON array; each distinct value of a column is encoded once a part."""
    names = [as_json(field.name).decode().replace("%", "%%") for field in page.fields]
    template = "{" + ",".join(f"{name}:%s" for name in names) + "}"
    opening = "["
    for first in _firsts(page):
        encoded = []
        for values in _columns_of(page, zone, first, first + CHUNK_ROWS):
            texts = {value: as_json(value).decode() for value in set(values)}
            encoded.append([texts[value] for value in values])
        yield (opening + ",".join(template % row for row in zip(*encoded, strict=True))).encode()
        opening = ","
    yield b"[]" if opening == "[" else b"]"


def csv_parts(page: Page, zone: tzinfo) -> Iterator[Iterable[Sequence[Any]]]:
    """Yield a page's rows for `csv_export`, part by part."""
    for first in _firsts(page):
        yield zip(*_columns_of(page, zone, first, first + CHUNK_ROWS), strict=True)


def csv_export(
    parts: Iterable[Iterable[Sequence[Any]]],
    fields: Sequence[Field],
    *,
    delimiter: str,
    use_labels: bool,
    with_bom: bool,
) -> Iterator[bytes]:
    """Yield CSV with CRLF; the header holds French labels or technical names, null is empty."""
    header = [field.label if use_labels else field.name for field in fields]
    yield ("\ufeff" if with_bom else "").encode() + _csv_lines([header], delimiter)
    for part in parts:
        yield _csv_lines(part, delimiter)


def _csv_lines(rows: Iterable[Sequence[object]], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def parquet_export(page_csv: bytes, fields: Sequence[Field]) -> bytes:
    """Return parquet of an export already written as comma-separated CSV with technical names.

    Going through Arrow's CSV reader keeps pandas out of the server: building Arrow arrays from Python lists imports it.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    types = {
        field.name: pa.timestamp("ms", tz="UTC") if field.type == "datetime" else _PARQUET_TYPES[field.type]
        for field in fields
    }
    options = pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    sink = io.BytesIO()
    pa.parquet.write_table(pa.csv.read_csv(io.BytesIO(page_csv), convert_options=options), sink)
    return sink.getvalue()
