"""Rows of the file autoloader's tables, as its steps write them, at chosen instants."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from powersense.files.declaration import Ingestion

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def insert(client: Client, table: str, row: dict[str, Any]) -> None:
    """Insert one row; columns that it does not name have their defaults."""
    client.insert(table, [list(row.values())], column_names=list(row))


def declare(client: Client, ingestion: str, *, at: datetime, enabled: bool = True, **declared: Any) -> None:
    """Declare an ingestion of a table at an instant."""
    fields = {
        "name": ingestion,
        "uri": "file:///srv/meters/*.csv",
        "format": "csv",
        "schema_policy": "evolve",
        "target": {"kind": "table", "table": ingestion},
        "enabled": enabled,
    }
    declaration = Ingestion.model_validate(fields | declared)
    row = {
        "ingestion": ingestion,
        "declaration": json.dumps(declaration.model_dump(mode="json")),
        "origin": "yaml",
        "is_enabled": enabled,
        "changed_by": "test",
        "changed_at": at,
    }
    insert(client, "file_ingestions", row)


def seen(client: Client, ingestion: str, path: str, *, at: datetime, state: str = "loaded", **columns: Any) -> None:
    """Store the state of a file that came at an instant."""
    row = {
        "ingestion": ingestion,
        "path": path,
        "state": state,
        "version": "v1",
        "size": 100,
        "modified_at": at,
        "first_seen_at": at,
        "loaded_at": at if state == "loaded" else None,
        "rows": 10 if state == "loaded" else 0,
        "load_id": 1 if state == "loaded" else 0,
        "updated_at": at,
    }
    insert(client, "file_states", row | columns)


def attempted(client: Client, ingestion: str, path: str, *, at: datetime, **columns: Any) -> None:
    """Store an attempt at a file that ended at an instant."""
    row = {
        "ingestion": ingestion,
        "path": path,
        "version": "v1",
        "load_id": 1,
        "attempt": 1,
        "run_id": "run",
        "outcome": "loaded",
        "reader": "engine",
        "rows": 10,
        "bytes": 100,
        "seconds": 0.5,
        "started_at": at,
        "finished_at": at,
    }
    insert(client, "file_loads", row | columns)


def ran(client: Client, ingestion: str, run_id: str, *, at: datetime, state: str = "success", **columns: Any) -> None:
    """Store a run that started at an instant."""
    row = {
        "ingestion": ingestion,
        "run_id": run_id,
        "state": state,
        "started_at": at,
        "finished_at": None if state == "running" else at,
        "seconds": None if state == "running" else 2.0,
        "updated_at": at,
    }
    insert(client, "file_runs", row | columns)
