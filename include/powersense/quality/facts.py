"""The queries of `quality/sql`: each gives one rule its facts, or the alert lifecycle its state."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from powersense.contracts import AREAS, LOAD_METRIC

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

AREA_NAMES = [area.name for area in AREAS]
SQL_FOLDER = Path(__file__).with_name("sql")


def run_query(client: Client, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """Run one of the stored queries and return its rows, with instants as UTC datetimes.

    Args:
        client: reader or writer.
        name: file name in `quality/sql`, without `.sql`.
        parameters: server-side parameters `{name:Type}` of the query.
    """
    rows = client.query(_text(name), parameters=parameters).named_results()
    return [{key: _utc(value) for key, value in row.items()} for row in rows]


def run_statement(client: Client, name: str, **parameters: Any) -> None:
    """Run one of the stored statements that write."""
    client.command(_text(name), parameters=parameters)


def newest_load_observed_at(client: Client, *, now: datetime) -> datetime | None:
    """Return the newest instant up to `now` with a load value of any area, UTC, or None."""
    rows = run_query(client, "stale_data", now=now, metric=LOAD_METRIC, areas=AREA_NAMES)
    return max((row["newest"] for row in rows if row["newest"]), default=None)


@lru_cache(maxsize=32)
def _text(name: str) -> str:
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _utc(value: Any) -> Any:
    """Give a zone to an instant that the driver returns without one; the tables hold UTC only."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value
