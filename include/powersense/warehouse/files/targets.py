"""Tables that the file autoloader makes: `<table>__loads` keeps every load, the view `<table>` the active ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LOADS_ENDING = "__loads"
RESCUED = "_rescued"
# Of every row: its file (sipHash64 of ingestion and path), the load that wrote it, its number in the file, and when
# the file was modified, by which an upsert chooses.
OWN_COLUMNS = {
    "_row": "UInt64",
    "_file_id": "UInt64",
    "_load_id": "UInt64",
    "_modified_at": "DateTime64(6, 'UTC')",
}


@dataclass(frozen=True)
class TargetNames:
    """Where a table of files lives; identifiers are plain names by the settings' and the declaration's rules."""

    settings: Settings
    table: str

    @property
    def loads(self) -> str:
        """The physical table, quoted."""
        return f"{self.settings.clickhouse_files_database}.`{self.table}{LOADS_ENDING}`"

    @property
    def view(self) -> str:
        """What readers ask, quoted."""
        return f"{self.settings.clickhouse_files_database}.`{self.table}`"

    @property
    def activations(self) -> str:
        """The switch."""
        return f"{self.settings.clickhouse_database}.file_activations"

    @property
    def on_cluster(self) -> str:
        """Clause of statements that change tables."""
        return f" ON CLUSTER '{self.settings.clickhouse_cluster}'" if self.settings.clickhouse_cluster else ""


def columns_of(client: Client, names: TargetNames) -> dict[str, str]:
    """Return type by name of the physical table's columns, in order; empty where there is no table."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String} "
        "ORDER BY position",
        parameters={
            "database": names.settings.clickhouse_files_database,
            "table": f"{names.table}{LOADS_ENDING}",
        },
    ).result_rows
    return {str(name): str(kind) for name, kind in rows}


def create_loads(client: Client, names: TargetNames, columns: Mapping[str, str], *, key: Sequence[str]) -> None:
    """Create the physical table, unless it is there; sorted by the key, then by file.

    Args:
        client: a writer's client.
        names: of the table.
        columns: type by name, without the table's own.
        key: columns that name a record; may be empty.
    """
    listed = ", ".join(f"`{name}` {kind}" for name, kind in {**columns, **OWN_COLUMNS}.items())
    order = ", ".join([*(f"`{name}`" for name in key), "_file_id"])
    replicated = "Replicated" if names.settings.clickhouse_cluster else ""
    client.command(
        f"CREATE TABLE IF NOT EXISTS {names.loads}{names.on_cluster} ({listed}) "
        f"ENGINE = {replicated}MergeTree ORDER BY ({order}) "
        "SETTINGS non_replicated_deduplication_window = 1000, allow_nullable_key = 1",
        settings={"allow_suspicious_low_cardinality_types": 1},
    )


def add_columns(client: Client, names: TargetNames, columns: Mapping[str, str]) -> None:
    """Add columns to the physical table, before its own; those that are there stay."""
    if columns:
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS `{name}` {kind}" for name, kind in columns.items())
        client.command(
            f"ALTER TABLE {names.loads}{names.on_cluster} {added}",
            settings={"allow_suspicious_low_cardinality_types": 1, "alter_sync": 2},
        )


def replace_view(client: Client, names: TargetNames, *, mode: str, key: Sequence[str]) -> None:
    """Create the view over the table's present columns, or replace it where it is another."""
    columns = [name for name in columns_of(client, names) if name not in OWN_COLUMNS]
    text = _upserted(names, columns, key) if mode == "upsert" else _appended(names, columns)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    comment = f"made by PowerSense from files ({fingerprint})"
    present = client.query(
        "SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}",
        parameters={"database": names.settings.clickhouse_files_database, "table": names.table},
    ).result_rows
    if present != [(comment,)]:
        client.command(f"CREATE OR REPLACE VIEW {names.view}{names.on_cluster} AS {text} COMMENT '{comment}'")


def activate(  # noqa: PLR0913 - one argument a column
    client: Client, names: TargetNames, *, ingestion: str, path: str, load_id: int, modified_at: datetime
) -> None:
    """Let readers see a file's load instead of its earlier one: one row, one atomic step."""
    client.command(
        f"INSERT INTO {names.activations} (target, file_id, load_id, modified_at) "
        "SELECT {target:String}, sipHash64({ingestion:String}, {path:String}), {load_id:UInt64}, "
        "fromUnixTimestamp64Micro({modified:Int64}, 'UTC')",
        parameters={
            "target": names.table,
            "ingestion": ingestion,
            "path": path,
            "load_id": load_id,
            "modified": microseconds(modified_at),
        },
    )


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970; a query parameter of a datetime would lose its fraction."""
    return round(instant.timestamp() * 1_000_000)


def _active(names: TargetNames) -> str:
    loads = f"SELECT file_id, load_id FROM {names.activations} FINAL WHERE target = '{names.table}'"  # noqa: S608 - checked
    return f"(_file_id, _load_id) IN ({loads})"


def _appended(names: TargetNames, columns: Sequence[str]) -> str:
    listed = ", ".join([*(f"`{name}`" for name in columns), "_file_id", "_load_id"])
    return f"SELECT {listed} FROM {names.loads} WHERE {_active(names)}"  # noqa: S608 - names are checked, values parameters


def _upserted(names: TargetNames, columns: Sequence[str], key: Sequence[str]) -> str:
    """Of rows with the same key the one of the file modified last, then the last of that file.

    Grouped, so that a reader's condition on the key reaches the table's index; as one tuple, since argMax skips NULL.
    """
    others = [*(name for name in columns if name not in key), "_file_id", "_load_id"]
    keys = ", ".join(f"`{name}`" for name in key)
    chosen = {name: f"chosen.{position}" for position, name in enumerate(others, start=1)}
    listed = ", ".join(
        f"`{name}`" if name in key else f"{chosen[name]} AS `{name}`" for name in [*columns, *others[-2:]]
    )
    tuples = ", ".join(f"`{name}`" for name in others)
    return (
        f"SELECT {listed} FROM (SELECT {keys}, argMax(tuple({tuples}), (_modified_at, _file_id, _row)) AS chosen "  # noqa: S608 - names are checked, values parameters
        f"FROM {names.loads} WHERE {_active(names)} GROUP BY {keys})"
    )
