"""The table `forecasts`: what was issued, stored once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.warehouse.reads import EVER, read_frame
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

QUANTILE_COLUMNS = ("q025_mw", "q100_mw", "q250_mw", "q500_mw", "q750_mw", "q900_mw", "q975_mw")
COLUMNS = (
    "area",
    "issued_at",
    "target_at",
    "lead_minutes",
    "model_id",
    "model",
    *QUANTILE_COLUMNS,
    "vintage",
    "fallback_level",
    "fallback_reason",
    "load_age_minutes",
    "weather_age_minutes",
    "run_id",
)


def issued_areas(client: Client, *, areas: Sequence[str], issued_at: datetime) -> set[str]:
    """Return those of `areas` that have a forecast issued at `issued_at` (UTC)."""
    parameters = {"areas": list(areas), "issued_at": issued_at}
    return {area for (area,) in client.query(statement("issued_areas"), parameters=parameters).result_rows}


def store_issue(client: Client, frame: pd.DataFrame, *, area: str, issued_at: datetime) -> int:
    """Store one area's forecast of one issue time; one that is stored already stays as it was issued.

    Of two writers that store one issue at once, the engine keeps the first insert: its deduplication token names the
    issue.

    Args:
        client: a writer's client.
        frame: columns `COLUMNS`, one row per target; instants in UTC, MW, `weather_age_minutes` NA without weather.
        area: whose forecast it is.
        issued_at: the issue time, UTC.

    Returns:
        Number of rows stored; 0 where the issue was there.
    """
    if frame.empty or issued_areas(client, areas=[area], issued_at=issued_at):
        return 0
    token = f"forecast-{area}-{issued_at:%Y%m%dT%H%M}"
    client.insert_df("forecasts", frame[list(COLUMNS)], settings={"insert_deduplication_token": token})
    return len(frame)


def issued(
    client: Client, *, areas: Sequence[str], start: datetime, end: datetime, as_of: datetime = EVER
) -> pd.DataFrame:
    """Return the forecasts issued in [start, end), as they were known at `as_of`.

    Args:
        client: any role's client.
        areas: the perimeters.
        start: first issue time, UTC.
        end: end of the issue times, exclusive, UTC.
        as_of: forecasts stored later do not count, UTC.

    Returns:
        One row per (area, issued_at, target_at), sorted; the columns `COLUMNS`, instants in UTC, MW.
    """
    parameters = {"areas": list(areas), "start": start, "end": end, "as_of": as_of}
    return read_frame(client, "forecasts_issued", parameters, instants=("issued_at", "target_at"))
