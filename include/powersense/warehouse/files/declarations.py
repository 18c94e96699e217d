"""Tables `file_ingestions` and `file_run_requests`; rows are plain mappings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Named here, since the driver would ask the server for them at every insert.
_DECLARATION_TYPES = ("LowCardinality(String)", "String", "Enum8('yaml' = 1, 'api' = 2)", "Bool", "Bool", "String")
_REQUEST_TYPES = ("String", "LowCardinality(String)", "Bool", "String", "DateTime64(6, 'UTC')", "String")


def rows(client: Client, *, name: str = "") -> Iterator[dict[str, Any]]:
    """Return the declarations that are not deleted, by name; only one where `name` is given."""
    return iter(client.query(statement("file_ingestions"), parameters={"ingestion": name}).named_results())


def write(  # noqa: PLR0913 - one argument a column
    client: Client,
    *,
    ingestion: str,
    declaration: str,
    origin: str,
    is_enabled: bool,
    is_deleted: bool,
    changed_by: str,
) -> None:
    """Write a declaration's newest state."""
    row = {
        "ingestion": ingestion,
        "declaration": declaration,
        "origin": origin,
        "is_enabled": is_enabled,
        "is_deleted": is_deleted,
        "changed_by": changed_by,
    }
    _insert(client, "file_ingestions", row, _DECLARATION_TYPES)


def write_request(  # noqa: PLR0913 - one argument a column
    client: Client,
    *,
    request_id: str,
    ingestion: str,
    is_dry_run: bool,
    requested_by: str,
    at: datetime,
    run_id: str = "",
) -> None:
    """Write a request for a run; `run_id` is empty until its run has begun."""
    row = {
        "request_id": request_id,
        "ingestion": ingestion,
        "is_dry_run": is_dry_run,
        "requested_by": requested_by,
        "requested_at": at,
        "run_id": run_id,
    }
    _insert(client, "file_run_requests", row, _REQUEST_TYPES)


def pending_requests(client: Client) -> list[dict[str, Any]]:
    """Return the requests whose runs have not begun, oldest first."""
    return list(client.query(statement("file_requests_pending")).named_results())


def mark_begun(client: Client, *, request_id: str, run_id: str) -> None:
    """Record that a requested run has begun; of an unknown request nothing is written."""
    client.command(statement("file_request_begun"), parameters={"request_id": request_id, "run_id": run_id})


def _insert(client: Client, name: str, row: dict[str, Any], types: tuple[str, ...]) -> None:
    # The same declaration may come back after another: no insert is a repetition of an earlier one.
    client.insert(
        name,
        [list(row.values())],
        column_names=list(row),
        column_type_names=types,
        settings={"insert_deduplicate": 0},
    )
