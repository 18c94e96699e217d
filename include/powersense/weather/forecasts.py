"""The weather forecast: what Open-Meteo issues now, kept as it was issued."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from powersense.contracts import QuarantineReason
from powersense.window import Window

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.open_meteo import Forecast

logger = logging.getLogger(__name__)


def store_forecasts(window: Window, *, run_id: str) -> dict[str, int]:
    """Fetch each declared model's forecast and store it as the run issued in the hour of the window's end.

    Open-Meteo does not say when a run was issued, so the hour of its retrieval stands for it. What it answers is about
    its present: for a run about the past, nothing is stored.

    Args:
        window: of the run; its end is now.
        run_id: the Airflow run; stamped on every row.

    Returns:
        Counts `runs_stored`, `rows_stored`, `runs_out_of_date`, `values_quarantined`.

    Raises:
        SourceError: upstream failed.
        WarehouseError: ClickHouse failed.
    """
    from powersense.sources.open_meteo import fetch_forecasts, is_current
    from powersense.warehouse.client import connect

    counts = {"runs_stored": 0, "rows_stored": 0, "runs_out_of_date": 0, "values_quarantined": 0}
    with connect("writer") as client:
        for forecast in fetch_forecasts():
            if not is_current(forecast, now=window.end):
                logger.warning(
                    "%s begins at %s, which is not the day of %s: nothing stored",
                    forecast.source,
                    forecast.begins_at,
                    window.end,
                )
                counts["runs_out_of_date"] += 1
                continue
            rows = _store(client, forecast, window, run_id)
            counts["rows_stored"] += rows
            counts["runs_stored"] += rows > 0
            counts["values_quarantined"] += _set_aside(client, forecast, run_id)
    return counts


def _store(client: Client, forecast: Forecast, window: Window, run_id: str) -> int:
    import pandas as pd

    from powersense.warehouse.weather.forecasts import store_run

    run_at = window.end.replace(minute=0, second=0, microsecond=0)
    frame = forecast.frame[forecast.frame["target_at"] >= run_at].assign(
        source=forecast.source,
        run_at=pd.Timestamp(run_at),
        retrieved_at=pd.Timestamp(forecast.retrieved_at),
        run_id=run_id,
    )
    return store_run(client, frame, source=forecast.source, run_at=run_at)


def _set_aside(client: Client, forecast: Forecast, run_id: str) -> int:
    import pandas as pd

    from powersense.sources.set_aside import quarantine_rows
    from powersense.warehouse.quarantine import quarantine

    if not forecast.refused:
        return 0
    rows = quarantine_rows(
        area=[area for area, *_ in forecast.refused],
        observed_at=pd.Series([at for _, at, *_ in forecast.refused]).astype("datetime64[s, UTC]"),
        reasons=[QuarantineReason.OUT_OF_RANGE] * len(forecast.refused),
        details=[metric for *_, metric, _ in forecast.refused],
        texts=[
            json.dumps({"area": area, "target_at": at.isoformat(), metric: value}, ensure_ascii=False)
            for area, at, metric, value in forecast.refused
        ],
        origin=forecast.source,
        run_id=run_id,
    )
    return quarantine(client, rows)
