"""Apply the numbered SQL migrations: `python -m powersense.warehouse.migrate`.

Each statement can be repeated (`IF NOT EXISTS`, `OR REPLACE`), so a runner killed midway, or two at once, do no harm:
the statements of a file run first, its row in `schema_migrations` is written last.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from powersense.errors import MigrationError
from powersense.settings import Settings, get_settings
from powersense.warehouse import calendar_days
from powersense.warehouse.sql import statement
from powersense.warehouse.weather import stations as weather_stations

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"^(\d{4}_[a-z0-9_]+)\.sql$")
_STATEMENT_END = re.compile(r";[ \t]*(?:\n|$)")
_COMMENT_LINE = re.compile(r"^\s*--.*$\n?", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One file: its id (`0001_name`), raw text, and the checksum of that text (SHA-256, hexadecimal)."""

    id: str
    text: str

    @property
    def checksum(self) -> str:
        """Identify the file as written, before templating: a cluster and one node agree on it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the package's migrations in order.

    Raises:
        MigrationError: a file is named otherwise than `NNNN_name.sql`, or two share a number.
    """
    found: dict[str, Migration] = {}
    for file in sorted(files("powersense.warehouse").joinpath("migrations").iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        match = _FILE_NAME.match(file.name)
        if match is None:
            raise MigrationError(f"migration file {file.name!r} must be named like 0001_name.sql")
        number = file.name[:4]
        if number in found:
            raise MigrationError(f"migrations {found[number].id!r} and {match[1]!r} share the number {number}")
        found[number] = Migration(match[1], file.read_text(encoding="utf-8"))
    return list(found.values())


def render(text: str, settings: Settings) -> list[str]:
    """Fill a template for the configured server and split it into statements.

    Placeholders: `${database}`, `${marts_database}`, `${files_database}`, `${on_cluster}` (empty on one node) and
    `${replicated}` (the prefix of an engine's name on a cluster). Settings admit only plain names, so the result needs
    no quoting.

    >>> one_node = Settings(clickhouse_database="grid", clickhouse_cluster="")
    >>> render("CREATE TABLE ${database}.t${on_cluster} (a UInt8) ENGINE = ${replicated}MergeTree;", one_node)
    ['CREATE TABLE grid.t (a UInt8) ENGINE = MergeTree']
    """
    cluster = settings.clickhouse_cluster
    filled = Template(text).substitute(
        database=settings.clickhouse_database,
        marts_database=settings.clickhouse_marts_database,
        files_database=settings.clickhouse_files_database,
        on_cluster=f"ON CLUSTER '{cluster}'" if cluster else "",
        replicated="Replicated" if cluster else "",
    )
    return [part.strip() for part in _STATEMENT_END.split(_COMMENT_LINE.sub("", filled)) if part.strip()]


def migrate(client: Client, *, settings: Settings) -> list[str]:
    """Bring the databases up to the package's migrations, the calendar and the stations up to date.

    Args:
        client: a writer's client; its session database need not exist yet.
        settings: names of the databases and of the cluster.

    Returns:
        Ids applied by this call, in order; empty when nothing was due.

    Raises:
        MigrationError: an applied file was edited or is gone, or a new one is numbered below an applied one.
    """
    for text in render(statement("create_databases"), settings):
        client.command(text)
    known = migrations()
    applied = _applied(client, settings)
    pending = due(known, applied)
    for migration in pending:
        for text in render(migration.text, settings):
            client.command(text)
        _record(client, migration, settings)
        logger.info("applied migration %s to %s", migration.id, settings.clickhouse_database)
    calendar_days.sync(client, database=settings.clickhouse_database)
    weather_stations.sync(client, database=settings.clickhouse_database)
    return [migration.id for migration in pending]


def due(known: list[Migration], applied: dict[str, str]) -> list[Migration]:
    """Return the migrations still to apply, after checking that the applied ones are the files at hand.

    Args:
        known: the files, in order.
        applied: checksum by id, as the database recorded them.

    Raises:
        MigrationError: see `migrate`.
    """
    by_id = {migration.id: migration for migration in known}
    for identifier, checksum in sorted(applied.items()):
        if identifier not in by_id:
            raise MigrationError(
                f"migration {identifier!r} is applied, but this version of PowerSense has no such file; use a newer one"
            )
        if by_id[identifier].checksum != checksum:
            raise MigrationError(
                f"migration {identifier!r} was edited after it was applied (checksum {checksum[:12]}… in the database, "
                f"{by_id[identifier].checksum[:12]}… on disk); restore the file and put the change into a new one"
            )
    pending = [migration for migration in known if migration.id not in applied]
    if pending and applied and pending[0].id < max(applied):
        raise MigrationError(
            f"migration {pending[0].id!r} is numbered below {max(applied)!r}, which is applied; renumber it"
        )
    return pending


def _applied(client: Client, settings: Settings) -> dict[str, str]:
    rows = client.query(
        "SELECT id, argMax(checksum, applied_at) FROM {database:Identifier}.schema_migrations GROUP BY id",
        parameters={"database": settings.clickhouse_database},
    ).result_rows
    return {str(identifier): str(checksum) for identifier, checksum in rows}


def _record(client: Client, migration: Migration, settings: Settings) -> None:
    row: list[Any] = [migration.id, migration.checksum]
    client.insert("schema_migrations", [row], column_names=["id", "checksum"], database=settings.clickhouse_database)


def main() -> None:
    """Migrate the configured warehouse and print what was applied."""
    from powersense.warehouse.client import connect

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with connect("writer", database="default") as client:
        applied = migrate(client, settings=get_settings())
    logger.info("%s", f"applied: {', '.join(applied)}" if applied else "nothing to apply; the warehouse is up to date")


if __name__ == "__main__":
    main()
