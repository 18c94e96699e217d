"""The tables `weather_stations` and `area_populations`, brought up to the shipped catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from powersense.stations import Station, populations, stations

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_STATION_COLUMNS = tuple(field.name for field in fields(Station))


def sync(client: Client, *, database: str | None = None) -> int:
    """Write stations and populations that are missing or differ. What the catalogue lacks stays.

    Args:
        client: a writer's client.
        database: where the tables stand; the session's database by default.

    Returns:
        Number of rows written.
    """
    database = database or client.database or "default"
    people = {area: (area, count) for area, count in populations().items()}
    known = {station.station: astuple(station) for station in stations().values()}
    return _write(client, "weather_stations", _STATION_COLUMNS, known, database=database) + _write(
        client, "area_populations", ("area", "population"), people, database=database
    )


def _write(
    client: Client, table: str, columns: Sequence[str], wanted: Mapping[str, tuple[object, ...]], *, database: str
) -> int:
    stored = client.query(
        f"SELECT {', '.join(columns)} FROM {{database:Identifier}}.{{table:Identifier}} FINAL",  # noqa: S608 constant names
        parameters={"database": database, "table": table},
    ).result_rows
    known = {row[0]: tuple(row) for row in stored}
    rows = [row for key, row in wanted.items() if known.get(key) != row]
    if rows:
        client.insert(table, rows, column_names=list(columns), database=database)
    return len(rows)
