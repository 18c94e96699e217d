"""The SELECT between a file's columns and the table's: casts, what is malformed, what is rescued. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from powersense.autoloader.tables.casts import cast
from powersense.autoloader.tables.layout import Fill, Layout
from powersense.autoloader.tables.types import type_name
from powersense.files.declaration import CsvOptions

MALFORMED = "powersense: malformed record"
NEVER = "false"
REPLACED = "powersense: another file than listed"
TOO_LARGE = "powersense: unpacks to more than allowed"


@dataclass(frozen=True)
class Selection:
    """The parts of a statement that reads one file's columns.

    Attributes:
        rows: a subquery that gives `v0`, `v1`, … in the order of the layout's fills, and `_row` and `_rescued`
            where wanted.
        values: names of those columns of it that fill the table, in the order of `columns`.
        columns: the table's columns.
        malformed: one condition for each fill, true where its value does not fit.
        parameters: query parameters of the subquery.
    """

    rows: str
    values: tuple[str, ...]
    columns: tuple[str, ...]
    malformed: tuple[str, ...]
    parameters: dict[str, Any]


def select_columns(  # noqa: PLR0913 - keyword-only
    layout: Layout, *, source: str, names: tuple[str, ...], csv: CsvOptions, row: str = "", condition: str = ""
) -> Selection:
    """Return the selection over a source of the statement.

    Args:
        layout: of the file.
        source: what stands after FROM.
        names: the source's own names of the layout's columns, in its order, as SQL.
        csv: nulls and decimal sign of texts.
        row: expression that numbers the records; empty: not wanted.
        condition: what the source's rows have to meet, on its own columns.
    """
    used = sorted({fill.position for fill in layout.fills} | set(layout.rescued))
    raw = [f"{names[position]} AS s{position}" for position in used]
    parameters: dict[str, Any] = {}
    nulls = list(csv.null_values)
    if nulls:
        parameters["ps_nulls"] = nulls
    texts = [f"{_text(fill, layout, has_nulls=bool(nulls))} AS t{i}" for i, fill in enumerate(layout.fills)]
    casts = [f"{_value(fill, i, layout, csv)} AS v{i}" for i, fill in enumerate(layout.fills)]
    carried: list[str] = []
    if row:
        raw.append(f"{row} AS record_number")
        carried.append("record_number")
    values = [f"v{i}" for i in range(len(layout.fills))]
    columns = [f"`{fill.column.name}`" for fill in layout.fills]
    if layout.rescued:
        parameters["ps_rescued"] = [layout.found[position].name for position in layout.rescued]
        texts.append(f"{_rescue(layout)} AS rescued_json")
        carried.append("rescued_json")
        values.append("rescued_json")
        columns.append("`_rescued`")
    inner = f"SELECT {', '.join(raw) or '1'} FROM {source}{f' WHERE {condition}' if condition else ''}"  # noqa: S608 - names are checked, values parameters
    prepared = f"SELECT {', '.join(texts + carried[: bool(row)]) or '1'} FROM ({inner})"  # noqa: S608 - names are checked, values parameters
    kept = [f"t{i}" for i in range(len(layout.fills))]
    rows = f"SELECT {', '.join([*kept, *casts, *carried]) or '1'} FROM ({prepared})"  # noqa: S608 - names are checked, values parameters
    malformed = tuple(
        _malformed(fill, i, is_cast=not casts[i].startswith(f"t{i} ")) for i, fill in enumerate(layout.fills)
    )
    return Selection(rows, tuple(values), tuple(columns), malformed, parameters)


def _text(fill: Fill, layout: Layout, *, has_nulls: bool) -> str:
    """Return a source's value before the cast: NULL where it says nothing."""
    name = f"s{fill.position}"
    if type_name(layout.found[fill.position].type).kind != "text":
        return name
    if has_nulls:
        name = f"if({name} IN {{ps_nulls:Array(String)}}, NULL, {name})"
    # Texts are kept as they are; around a number or an instant spaces mean nothing.
    return name if type_name(fill.column.type).kind == "text" else f"nullIf(trimBoth({name}), '')"


def _value(fill: Fill, index: int, layout: Layout, csv: CsvOptions) -> str:
    source, wanted = layout.found[fill.position].type, type_name(fill.column.type)
    value = cast(f"t{index}", source=source, target=fill.column.type, number=index, decimal=csv.decimal)
    return f"ifNull({value}, '')" if wanted.kind == "text" and not wanted.is_nullable else value


def _malformed(fill: Fill, index: int, *, is_cast: bool) -> str:
    wanted = type_name(fill.column.type)
    if wanted.kind == "text":
        return f"NOT isValidUTF8(ifNull(v{index}, ''))"
    if not wanted.is_nullable:
        return f"isNull(v{index})"
    return f"isNull(v{index}) AND isNotNull(t{index})" if is_cast else NEVER


def _rescue(layout: Layout) -> str:
    """Return the JSON of a record's unknown values; NULL where it has none."""
    texts = []
    for position in layout.rescued:
        kind = type_name(layout.found[position].type).kind
        name = f"s{position}"
        texts.append(f"toJSONString({name})" if kind == "other" else f"toString({name})")
    pairs = (
        f"mapFromArrays({{ps_rescued:Array(String)}}, [{', '.join(f'CAST({t}, $$Nullable(String)$$)' for t in texts)}])"
    )
    return f"nullIf(toJSONString(mapFilter((k, v) -> isNotNull(v), {pairs})), '{{}}')"
