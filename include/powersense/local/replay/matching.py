"""Evaluate a parsed `where` on a table: one boolean per row."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from powersense.local.replay.odsql import Between, Both, Comparison, Condition, IsNull, Like, Literal, Not, OneOf
from powersense.local.replay.refusals import Refusal, unknown_field
from powersense.local.replay.table import Column, Field, Seconds, Table

Mask: TypeAlias = "NDArray[np.bool_]"
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def date_texts(wall_s: Seconds) -> Column:
    """Return wall-clock seconds as `YYYY-MM-DD`."""
    texts: Column = np.datetime_as_string(wall_s.astype("datetime64[s]"), unit="D").astype(object)
    return texts


def time_texts(wall_s: Seconds) -> Column:
    """Return wall-clock seconds as `HH:MM`."""
    minutes = (wall_s % 86_400) // 60
    names = np.array([f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)], dtype=object)
    texts: Column = names[minutes]
    return texts


def values_of(table: Table, field: Field) -> Column | Seconds:
    """Return a field's values for comparing and sorting; `date_heure` as epoch seconds."""
    if field.type == "datetime":
        return table.instant_s
    if field.type == "date":
        return date_texts(table.wall_s)
    if field.name == "heure":
        return time_texts(table.wall_s)
    return table.columns[field.name]


def require_field(table: Table, name: str) -> Field:
    """Return a field.

    Raises:
        Refusal: the dataset has no such field.
    """
    field = table.field(name)
    if field is None:
        raise unknown_field(name)
    return field


def matching(table: Table, condition: Condition, zone: tzinfo) -> Mask:
    """Return which rows match.

    Args:
        table: the rows.
        condition: parsed `where`.
        zone: where a date literal without offset is local, the request's `timezone`.

    Raises:
        Refusal: unknown field, or a literal that does not fit the field's type.
    """
    match condition:
        case Both(word, left, right):
            masks = matching(table, left, zone), matching(table, right, zone)
            return masks[0] & masks[1] if word == "and" else masks[0] | masks[1]
        case Not(term):
            return ~matching(table, term, zone)
        case _:
            return _tested(table, condition, zone)


def _tested(table: Table, test: Comparison | Between | OneOf | Like | IsNull, zone: tzinfo) -> Mask:
    match test:
        case IsNull(name):
            return _nulls(table, require_field(table, name))
        case Like(name, pattern):
            return _like(table, require_field(table, name), pattern)
        case OneOf(name, values):
            tests = [_compare(table, require_field(table, name), "=", value, zone) for value in values]
            return np.asarray(np.any(tests, axis=0), dtype=bool)
        case Between(name, low, high, has_low, has_high):
            field = require_field(table, name)
            above = _compare(table, field, ">=" if has_low else ">", low, zone)
            return above & _compare(table, field, "<=" if has_high else "<", high, zone)
        case Comparison(name, sign, value):
            return _compare(table, require_field(table, name), sign, value, zone)


def _nulls(table: Table, field: Field) -> Mask:
    values: Any = values_of(table, field)
    none: Any = None
    mask: Mask = np.equal(values, none).astype(bool) if values.dtype == object else np.isnan(values.astype(np.float64))
    return mask


def _compare(table: Table, field: Field, sign: str, literal: Literal, zone: tzinfo) -> Mask:
    known = ~_nulls(table, field)
    mask = np.full(len(table), sign == "!=", dtype=bool)
    mask[known] = _SIGNS[sign](values_of(table, field)[known], _fitting(field, literal, zone)).astype(bool)
    return mask


def _fitting(field: Field, literal: Literal, zone: tzinfo) -> float | str:
    try:
        if field.type == "datetime":
            moment = datetime.fromisoformat(str(literal).replace("/", "-").strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
        if field.type == "date":
            return datetime.fromisoformat(str(literal).replace("/", "-").strip()).date().isoformat()
        if field.is_number:
            return float(literal)
    except ValueError as error:
        message = f"Invalid literal {literal} for field {field.name} of type {field.type}"
        raise Refusal(400, "ODSQLError", message) from error
    return f"{literal:g}" if isinstance(literal, float) else str(literal)


def _like(table: Table, field: Field, pattern: str) -> Mask:
    words = [re.escape(word).replace(r"\*", r"\w*").replace(r"\?", r"\w") for word in pattern.casefold().split()]
    expressions = [re.compile(rf"(?<!\w){word}(?!\w)") for word in words]
    texts = values_of(table, field)
    if texts.dtype != object:
        raise Refusal(400, "ODSQLError", f"like expects a text field, {field.name} is of type {field.type}")
    verdicts = {
        text: text is not None and all(expression.search(str(text).casefold()) for expression in expressions)
        for text in set(texts.tolist())
    }
    return np.array([verdicts[text] for text in texts.tolist()], dtype=bool)
