"""Which column of a file goes where, under the schema policy of its ingestion. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from powersense.autoloader.tables.casts import cast
from powersense.autoloader.tables.types import evolved_type, type_name
from powersense.errors import ConfigurationError, FileContentError
from powersense.files.declaration import Column, Ingestion, TableTarget

# More columns than any table has: an archive of keys, not of records.
MAX_COLUMNS = 2000
_LISTED = 8


@dataclass(frozen=True)
class Found:
    """One column of a file: its name there, and its type as ClickHouse reads it."""

    name: str
    type: str = "Nullable(String)"


@dataclass(frozen=True)
class Fill:
    """A column of the table and the position of its source among the file's columns."""

    column: Column
    position: int


@dataclass(frozen=True)
class Layout:
    """How the columns of a file fill the table.

    Attributes:
        found: the file's columns, in its order.
        fills: the table's columns that the file has.
        rescued: positions of columns that go into `_rescued`.
        added: columns that the table does not have yet.
        changes: one sentence for each column added, rescued or missing.
    """

    found: tuple[Found, ...]
    fills: tuple[Fill, ...]
    rescued: tuple[int, ...] = ()
    added: tuple[Column, ...] = ()
    changes: tuple[str, ...] = ()


def target_of(ingestion: Ingestion) -> TableTarget:
    """Return an ingestion's table.

    Raises:
        ConfigurationError: it has another target.
    """
    if not isinstance(ingestion.target, TableTarget):
        raise ConfigurationError(f"ingestion {ingestion.name!r} fills {ingestion.target.kind!r}, no table of its own")
    return ingestion.target


def lay_out(
    ingestion: Ingestion, found: Sequence[Found], *, known: Sequence[Column] = (), path: str, is_open: bool = False
) -> Layout:
    """Match a file's columns with its table's.

    Args:
        ingestion: its declaration.
        found: the file's columns.
        known: columns that the table has beside the declared ones, from earlier files.
        path: of the file.
        is_open: whether later records may have further columns; then `check_missing` judges at the end.

    Raises:
        FileContentError: the policy does not take these columns.
    """
    _refuse_headers(found, path=path)
    target = target_of(ingestion)
    positions = {column.name: index for index, column in enumerate(found)}
    fills = [
        Fill(column, positions[column.source_name]) for column in target.columns if column.source_name in positions
    ]
    if not fills and target.columns and found and not is_open:
        _refuse_strangers(ingestion, found, path=path)
    declared = {column.source_name for column in target.columns}
    unknown = [(index, column) for index, column in enumerate(found) if column.name not in declared]
    added: list[Column] = []
    rescued: list[int] = []
    changes: list[str] = []
    if unknown and ingestion.schema_policy == "fail":
        names = _listed(column.name for _, column in unknown)
        raise FileContentError(
            f"{path}: unknown columns {names}; declare them, or set schema_policy to 'evolve' or 'rescue'",
            first_bad_line=_listed(column.name for column in found),
        )
    if ingestion.schema_policy == "evolve":
        grown, added = _evolve(unknown, taken=target.columns, known=known, path=path)
        fills += grown
        changes += [f"column {column.name!r} ({column.type}) added for {column.source_name!r}" for column in added]
    elif unknown:
        rescued = [index for index, _ in unknown]
        changes += [f"column {column.name!r} rescued" for _, column in unknown]
    _refuse_types(fills, found, path=path)
    if not is_open:
        changes += check_missing(ingestion, positions, path=path)
    return Layout(tuple(found), tuple(fills), tuple(rescued), tuple(added), tuple(changes))


def check_missing(ingestion: Ingestion, names: Iterable[str], *, path: str) -> list[str]:
    """Judge the declared columns that a file lacks; return a sentence for each that is left empty.

    Raises:
        FileContentError: the policy or the column does not allow it.
    """
    target, there = target_of(ingestion), set(names)
    missing = [column for column in target.columns if column.source_name not in there]
    for column in missing:
        reason = _why_needed(column, target, ingestion)
        if reason:
            raise FileContentError(
                f"{path}: lacks column {column.source_name!r}, {reason}; it has {_listed(there)}",
                first_bad_line=_listed(there),
            )
    return [f"column {column.source_name!r} missing, left empty" for column in missing]


def identifier(name: str) -> str:
    """Return a column's name for the table, made from its name in a file.

    >>> identifier("Température (°C)")
    'temperature_c'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60]
    return plain if re.match(r"^[a-z]", plain) else f"c_{plain or 'unnamed'}"


def _why_needed(column: Column, target: TableTarget, ingestion: Ingestion) -> str:
    if column.is_required:
        return "which is declared as required"
    if column.name in target.key:
        return "which is part of the key"
    if ingestion.schema_policy == "fail":
        return "and schema_policy 'fail' takes no file without it (evolve and rescue leave it empty)"
    if not type_name(column.type).is_nullable:
        return f"whose type {column.type} takes no empty value (declare it Nullable to allow that)"
    return ""


def _evolve(
    unknown: Sequence[tuple[int, Found]], *, taken: Sequence[Column], known: Sequence[Column], path: str
) -> tuple[list[Fill], list[Column]]:
    declared = {column.name for column in taken}
    there = {column.name: column for column in known}
    fills: list[Fill] = []
    added: list[Column] = []
    for index, found in unknown:
        name = identifier(found.name)
        if name in declared or name in {fill.column.name for fill in fills}:
            raise FileContentError(
                f"{path}: column {found.name!r} would be called {name!r}, as another one is; declare it with a `source`"
            )
        column = there.get(name)
        if column is None:
            column = Column(name=name, type=evolved_type(found.type), source=found.name)
            added.append(column)
        fills.append(Fill(column, index))
    return fills, added


def _refuse_headers(found: Sequence[Found], *, path: str) -> None:
    names = [column.name for column in found]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise FileContentError(f"{path}: its header has {_listed(twice)} twice", first_bad_line=_listed(names))
    if len(names) > MAX_COLUMNS:
        raise FileContentError(f"{path}: it has {len(names)} columns; {MAX_COLUMNS} are taken at most")


def _refuse_strangers(ingestion: Ingestion, found: Sequence[Found], *, path: str) -> None:
    header = _listed(column.name for column in found)
    hint = "check the ingestion's pattern and its columns' `source`"
    if ingestion.format in ("csv", "tsv") and len(found) == 1:
        hint = f"is the delimiter really {ingestion.csv.delimiter!r}? Correct `csv.delimiter`, or the pattern"
    raise FileContentError(f"{path}: its columns {header} are none of the declared ones; {hint}", first_bad_line=header)


def _refuse_types(fills: Sequence[Fill], found: Sequence[Found], *, path: str) -> None:
    for fill in fills:
        try:
            cast("x", source=found[fill.position].type, target=fill.column.type, number=0)
        except ValueError as error:
            raise FileContentError(
                f"{path}: column {found[fill.position].name!r}: {error}; correct the type of {fill.column.name!r}"
            ) from error


def _listed(names: Iterable[str]) -> str:
    given = [repr(name[:60]) for name in names]
    return ", ".join(given[:_LISTED]) + (f" and {len(given) - _LISTED} more" if len(given) > _LISTED else "")
