"""The table `stream_published`: which half-hours of load went to the stream, and in which state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Published(NamedTuple):
    """One state of an area's half-hour.

    Attributes:
        area: the perimeter.
        observed_at: start of the half-hour, UTC.
        vintage: of its load.
        versions: sum of the versions of its values; it rises when one comes or is revised.
    """

    area: str
    observed_at: datetime
    vintage: str
    versions: int


def published(client: Client, *, areas: Sequence[str], start: datetime, end: datetime) -> set[Published]:
    """Return what was published of the half-hours of [start, end), UTC."""
    parameters = {"areas": list(areas), "start": start, "end": end}
    return {Published(*row) for row in client.query(statement("stream_published"), parameters=parameters).result_rows}


def record(client: Client, states: Iterable[Published], *, run_id: str) -> None:
    """Record what was published; what is recorded already is replaced."""
    rows = [[*state, run_id] for state in states]
    columns = [*Published._fields, "run_id"]
    client.insert("stream_published", rows, column_names=columns, settings={"insert_deduplicate": 0})
