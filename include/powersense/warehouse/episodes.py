"""Reads and writes of `episodes`, and of the anomalies that they are made of; rows are plain mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.warehouse.scoring import Series

# After an episode's last point, how far to look for a newer instant; data that stay away longer leave it open.
_SILENCE = timedelta(days=3)


def stored_around(
    client: Client, series: Series, start: datetime, end: datetime
) -> tuple[list[dict[str, Any]], datetime, datetime]:
    """Return the standing episodes in [start, end) and the open ones, and the range widened to hold them whole."""
    rows = _named(client, "episodes_stored", series, start=start, end=end)
    start = min([start, *(row["started_at"] for row in rows)])
    end = max([end, *(row["ended_at"] for row in rows)])
    return rows, start, end


def standing_anomalies(client: Client, series: Series, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return the anomalies of [start, end) that are not retracted, each with its `step_minutes`."""
    return _named(client, "episode_anomalies", series, start=start, end=end)


def newest_known(
    client: Client, series: Series, start: datetime, end: datetime, *, as_of: datetime
) -> dict[str, datetime]:
    """Return per area the newest instant with a value in [start, end + 3 days)."""
    rows = _named(client, "episode_newest", series, start=start, end=end + _SILENCE, as_of=as_of)
    return {row["area"]: row["newest"] for row in rows}


def write(client: Client, rows: Sequence[Mapping[str, Any]], *, run_id: str) -> None:
    """Write episodes; one with a known id replaces what was stored."""
    if rows:
        columns = [*rows[0], "run_id"]
        client.insert("episodes", [[*row.values(), run_id] for row in rows], column_names=columns)


def _named(client: Client, name: str, series: Series, **bounds: datetime) -> list[dict[str, Any]]:
    found = client.query(statement(name), parameters=series.parameters | bounds).named_results()
    return [{key: utc(value) if isinstance(value, datetime) else value for key, value in row.items()} for row in found]
