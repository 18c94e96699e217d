"""Backups of the warehouse: ClickHouse's own BACKUP and RESTORE, on the disk that the server calls `backups`.

The server decides where that disk is (a folder, a bucket) and holds its credentials; who may add a backup there cannot
remove one. A backup's name is its folder on the disk.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

from powersense.errors import BackupError, ConfigurationError, WarehouseError
from powersense.settings import Settings
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POLL_SECONDS = 0.2
_MISSING = ("BACKUP_NOT_FOUND", "BACKUP_ENTRY_NOT_FOUND")


@dataclass(frozen=True)
class Backup:
    """A backup that was made: its name, and the files and bytes that it holds beyond the earlier one."""

    name: str
    files: int
    size_bytes: int


def databases(settings: Settings) -> list[str]:
    """Return the databases that a backup holds: tables, marts, tables of loaded files."""
    return [settings.clickhouse_database, settings.clickhouse_marts_database, settings.clickhouse_files_database]


def create(client: Client, *, settings: Settings, name: str, earlier: str | None = None) -> Backup:
    """Copy the three databases to the disk `backups`; ingestion may go on meanwhile.

    Args:
        client: a writer's client.
        settings: names of the databases and of the cluster.
        name: of the new backup.
        earlier: a backup that the new one builds upon: only what that one has not is copied.

    Raises:
        ConfigurationError: a name is none, or is taken.
        BackupError: the server did not finish; carries its answer.
    """
    parameters = {"name": checked_name(name)}
    if earlier is not None:
        parameters["earlier"] = checked_name(earlier)
    text = _filled("backup_create" if earlier is None else "backup_create_upon", settings)
    files, size = _run(client, text, parameters)
    return Backup(name, files, size)


def restore(client: Client, *, settings: Settings, name: str, kept_suffix: str | None = None) -> list[str]:
    """Bring the three databases back as a backup has them.

    Args:
        client: a writer's client whose session database is none of the three.
        settings: names of the databases and of the cluster.
        name: of the backup.
        kept_suffix: where a database holds something, the three are kept under their names with this suffix; None
            refuses that.

    Returns:
        Names under which earlier databases are kept.

    Raises:
        ConfigurationError: the name is none; or a database holds tables, and `kept_suffix` is None.
        BackupError: the server did not finish. Databases that held something then stand as before.
    """
    checked_name(name)
    found = {database: int(tables) for database, tables in _query(client, "databases_filled", databases(settings))}
    filled = [database for database, tables in found.items() if tables]
    if filled and kept_suffix is None:
        raise ConfigurationError(
            f"{', '.join(filled)} hold tables: restore into an empty warehouse, or say --replace to keep them aside "
            "under another name"
        )
    kept: dict[str, str] = {}
    try:
        for database in found if filled else ():
            _move(client, settings, database, f"{database}{kept_suffix}")
            kept[database] = f"{database}{kept_suffix}"
        _run(client, _filled("backup_restore", settings, suffix=""), {"name": name})
    except WarehouseError:
        # What could not be moved still stands under its own name.
        _drop_all(client, settings, set(databases(settings)) - (set(filled) - set(kept)))
        for database, aside in kept.items():
            _move(client, settings, aside, database)
        raise
    return list(kept.values())


def verify(client: Client, *, settings: Settings, name: str, suffix: str) -> dict[str, int]:
    """Restore a backup aside, count what it holds, and remove it again: a backup that nobody restored is a hope.

    Args:
        client: a writer's client.
        settings: names of the databases and of the cluster.
        name: of the backup.
        suffix: of the databases that it is restored to meanwhile; they must not exist.

    Returns:
        Rows by `database.table`, under the databases' own names.

    Raises:
        ConfigurationError: the name is none.
        BackupError: the server could not restore it; carries its answer.
    """
    checked_name(name)
    aside = {f"{database}{suffix}": database for database in databases(settings)}
    try:
        _run(client, _filled("backup_restore", settings, suffix=suffix), {"name": name})
        rows = _query(client, "table_rows", list(aside))
        return {f"{aside[database]}.{table}": int(count) for database, table, count in rows}
    finally:
        _drop_all(client, settings, aside)


def checked_name(name: str) -> str:
    """Return a backup's name.

    Raises:
        ConfigurationError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"backup name {name!r}: give 1 to 100 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return name


def _run(client: Client, text: str, parameters: dict[str, str]) -> tuple[int, int]:
    """Start a BACKUP or RESTORE, wait for its end, return its count of files and their bytes."""
    identifier = str(client.query(text, parameters=parameters).first_row[0])
    while True:
        row = client.query(statement("backup_progress"), parameters={"id": identifier}).first_row
        status, error, files, size = str(row[0]), str(row[1]), int(row[2]), int(row[3])
        if status in {"BACKUP_CREATED", "RESTORED"}:
            return files, size
        if status not in {"CREATING_BACKUP", "RESTORING"}:
            raise _failure(parameters["name"], error)
        time.sleep(_POLL_SECONDS)


def _failure(name: str, error: str) -> Exception:
    if "BACKUP_ALREADY_EXISTS" in error:
        return ConfigurationError(f"backup {name!r} exists already: give another name")
    if any(code in error for code in _MISSING):
        return BackupError(f"backup {name!r} is not on the server's disk `backups`, or is not whole: {_short(error)}")
    return BackupError(f"backup {name!r}: ClickHouse answers: {_short(error)}")


def _short(error: str) -> str:
    """Return a server's error without its stack."""
    return error.split(", Stack trace", 1)[0].strip()[:500]


def _query(client: Client, name: str, wanted: Sequence[str]) -> list[tuple[str, ...]]:
    rows = client.query(statement(name), parameters={"databases": list(wanted)}).result_rows
    return [tuple(map(str, row)) for row in rows]


def _move(client: Client, settings: Settings, source: str, target: str) -> None:
    logger.info("renaming %s to %s", source, target)
    client.command(_filled("backup_move", settings, source=source, target=target))


def _drop_all(client: Client, settings: Settings, dropped: Collection[str]) -> None:
    for database in sorted(dropped):
        client.command(_filled("backup_drop", settings, source=database))


def _filled(name: str, settings: Settings, **names: str) -> str:
    """Return a statement with names in it; settings admit only plain ones, suffixes are ours."""
    tables, marts, loaded = databases(settings)
    cluster = settings.clickhouse_cluster
    return Template(statement(name)).substitute(
        database=tables,
        marts_database=marts,
        files_database=loaded,
        on_cluster=f"ON CLUSTER '{cluster}'" if cluster else "",
        **names,
    )
