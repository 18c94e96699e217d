"""`/exports/{json,csv,parquet}`: no row limit, and the portal's way of failing midway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from powersense.local.replay.query import Page, Parameters, Query
from powersense.local.replay.refusals import MAX_WINDOW, interruption, window_too_deep
from powersense.local.replay.rendering import Row, as_json, csv_export, csv_parts, json_export, parquet_export
from powersense.local.replay.table import Field

MEDIA_TYPES = {
    "json": "application/json; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class ExportOptions:
    """Options of a CSV export."""

    delimiter: str = ";"
    use_labels: bool = False
    with_bom: bool = True

    @classmethod
    def of(cls, parameters: Parameters) -> ExportOptions:
        """Read them from request parameters."""
        return cls(
            delimiter=parameters.get("delimiter", ";") or ";",
            use_labels=parameters.get("use_labels", "false").casefold() == "true",
            with_bom=parameters.get("with_bom", "true").casefold() == "true",
        )

    def write(self, parts: Iterable[Iterable[Sequence[Any]]], fields: Sequence[Field]) -> Iterator[bytes]:
        """Yield the CSV of rows."""
        return csv_export(parts, fields, delimiter=self.delimiter, use_labels=self.use_labels, with_bom=self.with_bom)


def export(page: Page, query: Query, form: str, options: ExportOptions, spoiled: list[Row] | None) -> Iterator[bytes]:
    """Yield an export.

    An offset that reaches past the paging window gives a 200 whose body ends in the error's text, as the portal does.

    Args:
        page: what the query chose.
        query: for its zone, limit and offset.
        form: `json`, `csv` or `parquet`.
        options: of CSV.
        spoiled: records to write instead of the page's, after record faults.
    """
    wanted = page.total_count if query.limit is None else query.limit
    reach = query.offset + wanted
    if query.offset > 0 and reach > MAX_WINDOW and form != "parquet":
        opening = b"[" if form == "json" else b"".join(options.write([], page.fields))
        return iter([opening, interruption(window_too_deep(reach))])
    if form == "json":
        return json_export(page, query.zone) if spoiled is None else iter([as_json(spoiled)])
    fields = page.fields if spoiled is None else _fields_of(page, spoiled)
    parts: Iterable[Iterable[Sequence[Any]]] = (
        csv_parts(page, query.zone)
        if spoiled is None
        else [[[row.get(field.name) for field in fields] for row in spoiled]]
    )
    if form == "parquet":
        plain = ExportOptions(delimiter=",", use_labels=False, with_bom=False)
        return iter([parquet_export(b"".join(plain.write(parts, fields)), fields)])
    return options.write(parts, fields)


def _fields_of(page: Page, rows: list[Row]) -> tuple[Field, ...]:
    """Return the page's fields as spoiled records have them: new ones, and texts where numbers were."""
    present = dict.fromkeys(name for row in rows for name in row)
    known = {field.name: field for field in page.fields}
    fields = []
    for name in present:
        values = [row.get(name) for row in rows if row.get(name) is not None]
        field = known.get(name, Field(name, name, "text"))
        if field.is_number and not all(isinstance(value, int | float) for value in values):
            field = Field(field.name, field.label, "text")
        fields.append(field)
    return tuple(fields)
