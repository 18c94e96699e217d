"""Rows of loaded files that no reader sees any more: of earlier contents, and of loads that a crash cut short."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LOADS_SUFFIX = "__loads"
# A load activates what it wrote before its claim ends; so long after, it never will.
_SAFE_AFTER = timedelta(days=1)
# A statement's parameters have to fit into one form field of the server's.
_LOADS_A_STATEMENT = 2_000


def remove_unseen_loads(client: Client, *, database: str, now: datetime) -> dict[str, int]:
    """Delete what neither a reader sees nor a task may still activate; readers notice nothing.

    The order of the questions makes it safe beside running loads. Whatever is stored when the first is asked has a
    claim from before: either that claim is still young when the second is asked, or its load is active by the third, or
    it never will be.

    Args:
        client: writer.
        database: that of the tables of files.
        now: the instant that ages are measured from, UTC.

    Returns:
        Counts `file_loads_removed` and `file_rows_removed`.
    """
    removed = {"file_loads_removed": 0, "file_rows_removed": 0}
    tables = client.query(statement("unseen_load_tables"), parameters={"database": database}).result_rows
    for (table,) in tables:
        rows = _unseen(client, database=database, table=str(table), now=now)
        loads = list(rows)
        for start in range(0, len(loads), _LOADS_A_STATEMENT):
            chunk = loads[start : start + _LOADS_A_STATEMENT]
            where = {"database": database, "table": table, "load_ids": chunk}
            client.command(statement("drop_loads"), parameters=where)
        removed["file_loads_removed"] += len(loads)
        removed["file_rows_removed"] += sum(rows.values())
    return removed


def _unseen(client: Client, *, database: str, table: str, now: datetime) -> dict[int, int]:
    """Return the rows of each load of a table that may go."""
    target = table.removesuffix(LOADS_SUFFIX)
    where = {"database": database, "table": table, "target": target}
    stored = client.query(statement("unseen_loads"), parameters=where).result_rows
    if not stored:
        return {}
    ages = {"now": now, "safe_seconds": int(_SAFE_AFTER.total_seconds())}
    claimed = {file_id for (file_id,) in client.query(statement("claimed_files"), parameters=ages).result_rows}
    rows = {load_id: count for load_id, file_id, count in stored if file_id not in claimed}
    loads = list(rows)
    for start in range(0, len(loads), _LOADS_A_STATEMENT):
        chunk = {"target": target, "load_ids": loads[start : start + _LOADS_A_STATEMENT]}
        for (load_id,) in client.query(statement("active_loads"), parameters=chunk).result_rows:
            rows.pop(load_id, None)
    return rows
