"""The marts, which dbt builds, and which are not there before its first run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def has_mart(client: Client, name: str, *, database: str) -> bool:
    """Tell whether dbt has built a mart."""
    query = "SELECT count() FROM system.tables WHERE database = {database:String} AND name = {name:String}"
    return bool(client.query(query, parameters={"database": database, "name": name}).first_row[0])
