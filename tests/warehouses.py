"""Migrated databases on the test engine, lent to one test after another as if each had just been made.

Putting back what a test changed takes a tenth of migrating, since most tests change few tables.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.local.clickhouse import EmbeddedClickHouse

_ROLES = {"CLICKHOUSE_DEFAULT": "writer", "CLICKHOUSE_READER": "reader", "CLICKHOUSE_LOADER": "loader"}
# Tables that migrating fills: merges change their files, so it is their rows that are compared.
_FILLED = ("area_populations", "calendar_days", "schema_migrations", "weather_stations")

# Database and name, and what the engine has of it: its statement, and the names and sizes of what tells its use.
_Tables = dict[tuple[str, str], tuple[str, frozenset[tuple[str, int]]]]


@dataclass(frozen=True)
class Warehouse:
    """A migrated pair of databases on the test engine, and the environment that leads to it."""

    database: str
    marts_database: str
    files_database: str
    http_port: int

    @property
    def databases(self) -> list[str]:
        """All that tests write to."""
        return [self.database, self.marts_database, self.files_database]


class Warehouses:
    """The warehouses of a test engine: as many as are lent at a time."""

    def __init__(self, server: EmbeddedClickHouse) -> None:
        self.server = server
        self._idle: list[_Lent] = []

    @contextmanager
    def lend(self) -> Iterator[Warehouse]:
        """Lend a warehouse as migrating leaves it; settings and the three Airflow connections point at it meanwhile."""
        from powersense.settings import get_settings
        from powersense.warehouse.client import connect

        lent = self._idle.pop() if self._idle else _Lent(self._named(), self.server.data_dir)
        with pytest.MonkeyPatch.context() as environment:
            self._lead_to(lent.warehouse, environment)
            get_settings.cache_clear()
            with connect("writer", database="default") as client:
                lent.prepare(client)
            yield lent.warehouse
        get_settings.cache_clear()
        self._idle.append(lent)

    def _named(self) -> Warehouse:
        name = f"powersense_test_{secrets.token_hex(4)}"
        return Warehouse(name, f"{name}_marts", f"{name}_files", self.server.http_port)

    def _lead_to(self, warehouse: Warehouse, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("CLICKHOUSE_DATABASE", warehouse.database)
        environment.setenv("CLICKHOUSE_MARTS_DATABASE", warehouse.marts_database)
        environment.setenv("CLICKHOUSE_FILES_DATABASE", warehouse.files_database)
        for connection, role in _ROLES.items():
            value = connection_json(self.server, role=role, database=warehouse.database)
            environment.setenv(f"AIRFLOW_CONN_{connection}", value)


def connection_json(server: EmbeddedClickHouse, *, role: str, database: str) -> str:
    """Return the AIRFLOW_CONN_* value that leads a role to a database of the test engine."""
    passwords = {
        "writer": server.writer_password,
        "reader": server.reader_password,
        "loader": server.loader_password,
    }
    return json.dumps(
        {
            "conn_type": "clickhouse",
            "host": "127.0.0.1",
            "port": server.http_port,
            "login": f"powersense_{role}",
            "password": passwords[role],
            "schema": database,
        }
    )


def query(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Ask the warehouse that the environment leads to, as the writer; returns the rows."""
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]


@dataclass
class _Lent:
    """A warehouse, and what migrating left in it."""

    warehouse: Warehouse
    data_dir: Path
    made: _Tables = field(default_factory=dict)
    filled: list[Any] = field(default_factory=list)

    def prepare(self, client: Client) -> None:
        """Bring the databases to what migrating leaves, by making anew what differs from it."""
        kill = "KILL QUERY WHERE current_database IN {names:Array(String)} SYNC"
        client.command(kill, parameters={"names": self.warehouse.databases})
        if not (self.made and self._restore(client)):
            self._make(client)

    def _make(self, client: Client) -> None:
        from powersense.settings import get_settings
        from powersense.warehouse.migrate import migrate

        for database in self.warehouse.databases:
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": database})
        migrate(client, settings=get_settings())
        self.made, self.filled = self._tables(client), self._rows(client)

    def _restore(self, client: Client) -> bool:
        """Make changed tables anew; False where that is not enough."""
        found = self._tables(client)
        changed = {key for key in self.made.keys() | found.keys() if self.made.get(key) != found.get(key)}
        databases = [row[0] for row in client.query("SELECT name FROM system.databases").result_rows]
        if not set(self.warehouse.databases) <= set(databases) or changed & {
            (self.warehouse.database, name) for name in _FILLED
        }:
            return False
        for database, name in sorted(changed & found.keys()):
            kind = "DICTIONARY" if found[database, name][0].startswith("CREATE DICTIONARY") else "TABLE"
            statement = f"DROP {kind} {{database:Identifier}}.{{name:Identifier}} SYNC"
            client.command(statement, parameters={"database": database, "name": name})
        # Views after the tables that they read.
        for statement in sorted(self.made[key][0] for key in changed & self.made.keys()):
            client.command(statement)
        return self._rows(client) == self.filled

    def _tables(self, client: Client) -> _Tables:
        query = (
            "SELECT database, name, create_table_query, data_paths FROM system.tables "
            "WHERE database IN {names:Array(String)}"
        )
        rows = client.query(query, parameters={"names": self.warehouse.databases}).result_rows
        return {
            (database, name): (statement, frozenset() if name in _FILLED else self._traces(paths))
            for database, name, statement, paths in rows
        }

    def _traces(self, paths: list[str]) -> frozenset[tuple[str, int]]:
        """Return what inserts, mutations and drops of rows leave in a table's folder, even when the rows are gone."""
        folders = [self.data_dir / path for path in paths]
        parts = ((entry.name, 0) for folder in folders for entry in folder.iterdir())
        logs = ((log.name, log.stat().st_size) for folder in folders for log in folder.glob("deduplication_logs/*"))
        return frozenset((*parts, *logs))

    def _rows(self, client: Client) -> list[Any]:
        each = "SELECT count(), sum(cityHash64(*)) FROM {database:Identifier}."
        query = " UNION ALL ".join(f"SELECT '{name}', * FROM ({each}{name})" for name in _FILLED)
        return sorted(client.query(query, parameters={"database": self.warehouse.database}).result_rows)
