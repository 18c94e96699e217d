"""A request's parameters, checked as the portal checks them, and the rows they choose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from powersense.local.replay.matching import matching, require_field, values_of
from powersense.local.replay.odsql import parse
from powersense.local.replay.refusals import (
    INVALID_PARAMETER,
    MAX_LIMIT,
    MAX_WINDOW,
    Refusal,
    invalid_parameter,
    limit_out_of_range,
    odsql_syntax,
    window_too_deep,
)
from powersense.local.replay.table import Field, Seconds, Table

DEFAULT_LIMIT = 10
_UNSUPPORTED = ("group_by", "include_links", "include_app_metas")


class Parameters(Protocol):
    """Query parameters, some of them repeated."""

    def get(self, key: str, default: str) -> str:
        """Return one value."""

    def getlist(self, key: str) -> list[str]:
        """Return all values."""

    def __contains__(self, key: object) -> bool: ...


@dataclass(frozen=True)
class Query:
    """One request, parsed.

    Attributes:
        where: ODSQL texts, all of which must hold.
        order_by: `field [asc|desc]` texts; empty leaves the portal's unsorted order.
        select: ODSQL select text.
        refine: `field:value` texts to keep.
        exclude: `field:value` texts to leave out.
        zone: in which instants are written and local literals are read.
        limit: rows wanted; None stands for all.
        offset: rows to skip.
    """

    where: Sequence[str] = ()
    order_by: Sequence[str] = ()
    select: str = "*"
    refine: Sequence[str] = ()
    exclude: Sequence[str] = ()
    zone: tzinfo = UTC
    limit: int | None = DEFAULT_LIMIT
    offset: int = 0


@dataclass(frozen=True)
class Page:
    """What a query chose.

    Attributes:
        total_count: rows that match, before limit and offset.
        rows: the chosen rows.
        fields: the selected fields; a name may be an alias.
        sources: name of the table's field behind each selected field.
    """

    total_count: int
    rows: Table
    fields: tuple[Field, ...]
    sources: Mapping[str, str]


def _whole(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    try:
        return int(text)
    except ValueError as error:
        raise invalid_parameter(name, text, "an integer") from error


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid_parameter("timezone", name, "a time zone name") from error


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def read_query(parameters: Parameters, *, is_export: bool) -> Query:
    """Return the query that request parameters state.

    Raises:
        Refusal: a value that the portal refuses, or a parameter that this replay does not know how to honour.
    """
    for name in _UNSUPPORTED:
        if name in parameters:
            raise Refusal(400, INVALID_PARAMETER, f"{name} is not supported by this replay of the portal.")
    asked = _whole(parameters, "limit", -1 if is_export else DEFAULT_LIMIT)
    offset = _whole(parameters, "offset", 0)
    if offset < 0:
        raise invalid_parameter("offset", str(offset), "a value >= 0")
    return Query(
        where=[text for text in parameters.getlist("where") if text.strip()],
        order_by=[part for text in parameters.getlist("order_by") for part in _split(text)],
        select=parameters.get("select", "*") or "*",
        refine=parameters.getlist("refine"),
        exclude=parameters.getlist("exclude"),
        zone=_zone(parameters.get("timezone", "UTC") or "UTC"),
        limit=(None if asked < 0 else asked) if is_export else checked_page(asked, offset),
        offset=offset,
    )


def checked_page(limit: int, offset: int) -> int:
    """Return the rows that a page of `records` may hold.

    Raises:
        Refusal: page too large, or too deep.
    """
    if not -1 <= limit <= MAX_LIMIT:
        raise limit_out_of_range(limit)
    limit = MAX_LIMIT if limit == -1 else limit
    if offset + limit > MAX_WINDOW:
        raise window_too_deep(offset + limit)
    return limit


def choose(table: Table, query: Query) -> Page:
    """Return the rows and fields that a query asks for.

    Raises:
        Refusal: malformed ODSQL, unknown field, literal of a wrong type.
    """
    mask = np.ones(len(table), dtype=bool)
    for text in query.where:
        mask &= matching(table, parse(text), query.zone)
    for texts, keep in ((query.refine, True), (query.exclude, False)):
        for text in texts:
            chosen = _refined(table, text)
            mask &= chosen if keep else ~chosen
    fields, sources = _selected(table, query.select)
    matched = table.take(mask)
    positions = _sorted(matched, query.order_by)
    stop = None if query.limit is None else query.offset + query.limit
    return Page(len(matched), matched.take(positions[query.offset : stop]), fields, sources)


def _refined(table: Table, text: str) -> np.typing.NDArray[np.bool_]:
    name, separator, value = text.partition(":")
    if not separator:
        raise invalid_parameter("refine", text, "field:value")
    field = require_field(table, name.strip())
    value = value.strip().strip("\"'")
    if field.type in ("date", "datetime"):
        # A date facet is a tree: 2017, 2017/09, 2017/09/30.
        dates = values_of(table, next(entry for entry in table.fields if entry.type == "date"))
        return np.array([str(date).startswith(value.replace("/", "-")) for date in dates.tolist()], dtype=bool)
    return np.array([_facet(entry) == value for entry in values_of(table, field).tolist()], dtype=bool)


def _facet(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _selected(table: Table, select: str) -> tuple[tuple[Field, ...], dict[str, str]]:
    chosen: list[Field] = []
    sources: dict[str, str] = {}
    for part in _split(select):
        if part == "*":
            chosen += table.fields
            sources |= {field.name: field.name for field in table.fields}
            continue
        match = re.fullmatch(r"(\w+)(?:\s+as\s+(\w+))?", part, re.IGNORECASE)
        if match is None:
            raise Refusal(400, "ODSQLError", f"ODSQL query is malformed: {part}")
        field = require_field(table, match.group(1))
        alias = match.group(2) or field.name
        chosen.append(replace(field, name=alias, label=field.label if alias == field.name else alias))
        sources[alias] = field.name
    return tuple(dict.fromkeys(chosen)), sources


def _sorted(table: Table, order_by: Sequence[str]) -> Seconds:
    """Return the order of rows: nulls last either way, ties and unsorted rows by their fixed rank."""
    keys: list[np.typing.NDArray[np.generic]] = [table.rank]
    for text in reversed(order_by):
        match = re.fullmatch(r"(\w+)(?:\s+(asc|desc))?", text, re.IGNORECASE)
        if match is None:
            raise odsql_syntax(text, position=0, query=text)
        field = require_field(table, match.group(1))
        values = values_of(table, field)
        missing = np.array([value is None or value != value for value in values.tolist()], dtype=bool)  # noqa: PLR0124
        filled = values.astype(str) if values.dtype == object else np.where(missing, 0, values)
        codes = np.unique(filled, return_inverse=True)[1].astype(np.int64)
        keys += [-codes if (match.group(2) or "asc").casefold() == "desc" else codes, missing]
    return np.lexsort(keys).astype(np.int64)
