"""The table `weather_forecasts`: issued runs, stored once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

COLUMNS = ("source", "metric", "area", "run_at", "target_at", "value", "retrieved_at", "run_id")


def store_run(client: Client, frame: pd.DataFrame, *, source: str, run_at: datetime) -> int:
    """Store one issued run as it is; a run that is stored already stays as it was issued.

    Of two writers that store one run at once, the engine keeps the first insert: its deduplication token names the run.

    Args:
        client: a writer's client.
        frame: columns `COLUMNS`; one row per (metric, area, target_at), instants in UTC, no NaN.
        source: whose run it is.
        run_at: when it was issued, UTC.

    Returns:
        Number of rows stored; 0 where the run was there.
    """
    parameters = {"source": source, "run_at": run_at}
    known = client.query(
        "SELECT 1 FROM weather_forecasts WHERE source = {source:String} AND run_at = {run_at:DateTime('UTC')} LIMIT 1",
        parameters=parameters,
    )
    if known.result_rows or frame.empty:
        return 0
    token = f"forecast-{source}-{run_at:%Y%m%dT%H}"
    client.insert_df("weather_forecasts", frame[list(COLUMNS)], settings={"insert_deduplication_token": token})
    return len(frame)
