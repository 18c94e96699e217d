"""The target of an ingestion: a table that keeps every load, and the view that shows the active ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from powersense.autoloader.tables.layout import target_of
from powersense.errors import ConfigurationError
from powersense.files.declaration import Column, Ingestion
from powersense.settings import get_settings
from powersense.warehouse.files import targets as file_targets
from powersense.warehouse.files.targets import LOADS_ENDING, OWN_COLUMNS, RESCUED, TargetNames

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def names_of(ingestion: Ingestion) -> TargetNames:
    """Return where an ingestion's table lives."""
    return TargetNames(get_settings(), target_of(ingestion).table)


def prepare_target(client: Client, ingestion: Ingestion) -> None:
    """Make the ingestion's table and view, or bring them up to its declaration. May be called at any time.

    A table without declared columns is made by its first file.

    Args:
        client: a writer's client.
        ingestion: its target is a table.

    Raises:
        ConfigurationError: the table exists with another type of a declared column, or its name is reserved.
    """
    target, names = target_of(ingestion), names_of(ingestion)
    if target.table.endswith(LOADS_ENDING):
        raise ConfigurationError(
            f"table {target.table!r}: names that end in {LOADS_ENDING!r} are taken; choose another"
        )
    there = file_targets.columns_of(client, names)
    if not target.columns and not there:
        return
    wanted = {column.name: column.type for column in target.columns}
    if ingestion.schema_policy == "rescue":
        wanted[RESCUED] = "Nullable(String)"
    for column, kind in wanted.items():
        if column in there and _plain(there[column]) != _plain(kind):
            raise ConfigurationError(
                f"column {column!r} of table {target.table!r} is {there[column]}, declared as {kind}; "
                "declare it as it is, or choose another table"
            )
    _grow(client, ingestion, wanted, there=set(there))


def grow_target(client: Client, ingestion: Ingestion, added: Sequence[Column]) -> None:
    """Add columns that a file brought along to the table and its view; makes both where they are not there."""
    names = names_of(ingestion)
    there = set(file_targets.columns_of(client, names))
    _grow(client, ingestion, {column.name: column.type for column in added}, there=there)


def grown_columns(client: Client, ingestion: Ingestion) -> list[Column]:
    """Return the table's columns that its declaration does not name: earlier files brought them."""
    declared = {column.name for column in target_of(ingestion).columns} | set(OWN_COLUMNS) | {RESCUED}
    there = file_targets.columns_of(client, names_of(ingestion))
    return [Column(name=name, type=kind) for name, kind in there.items() if name not in declared]


def _grow(client: Client, ingestion: Ingestion, wanted: dict[str, str], *, there: set[str]) -> None:
    target, names = target_of(ingestion), names_of(ingestion)
    if not there:
        unknown = [name for name in target.key if name not in wanted]
        if unknown:
            raise ConfigurationError(f"key {unknown[0]!r} is none of the columns {list(wanted)} of {target.table!r}")
        file_targets.create_loads(client, names, wanted, key=target.key)
    # Also after a creation: of two runs that make the table at once, the other may have made it with fewer columns.
    file_targets.add_columns(client, names, {name: kind for name, kind in wanted.items() if name not in there})
    file_targets.replace_view(client, names, mode=target.mode, key=target.key)


def _plain(kind: str) -> str:
    return kind.replace(" ", "")
