"""Inputs from the warehouse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from powersense.backtest.inputs import Inputs, half_hours
from powersense.contracts import LOAD_METRIC
from powersense.errors import ForecastInputError
from powersense.forecasting.inputs import on_one_level, to_half_hours
from powersense.warehouse.client import connect
from powersense.warehouse.forecast_inputs import vintage_ratios
from powersense.warehouse.reads import as_known
from powersense.warehouse.weather.reads import observed_weather

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_J1_METRIC = "prevision_j1"


def read_stored(  # noqa: PLR0913 - the bounds of one read
    area: str, *, start: datetime, end: datetime, issued_at: datetime, vintage: str, has_weather: bool
) -> Inputs:
    """Read one area's history as it is known now, up to a vintage.

    Args:
        area: the perimeter.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        vintage: the highest vintage that counts.
        issued_at: the first issue, UTC.
        has_weather: False leaves the weather out.

    Raises:
        ForecastInputError: no load is stored for the range, or no weather though it was asked for.
        WarehouseUnavailableError: ClickHouse cannot be reached.
    """
    with connect("reader") as client:
        known = as_known(client, metric=LOAD_METRIC, areas=[area], start=start, end=end, up_to_vintage=vintage)
        if known.empty:
            raise ForecastInputError(
                f"the warehouse holds no load of {area} between {start:%Y-%m-%d} and {end:%Y-%m-%d}; ingest it with "
                "reconcile_load, choose other days, or give LOAD=<parquet>"
            )
        # What lower vintages know is lifted as in a live issue, by what was known of their levels before the first one.
        ratios = vintage_ratios(client, [area], until=issued_at, up_to_vintage=vintage).get(area, {})
        level, values = on_one_level(known["value"], known["vintage"], ratios)[::-1]
        load = half_hours(pd.DatetimeIndex(known["observed_at"]), values)
        forecast = as_known(client, metric=_J1_METRIC, areas=[area], start=start, end=end, up_to_vintage=vintage)
        j1 = half_hours(pd.DatetimeIndex(forecast["observed_at"]), forecast["value"]) if len(forecast) else None
        temperature = _temperature(client, area, load, start=start, end=end) if has_weather else None
    return Inputs(area, "the warehouse", load, temperature, j1, level)


def _temperature(client: Client, area: str, load: pd.Series, *, start: datetime, end: datetime) -> pd.Series:
    frame = observed_weather(client, areas=[area], start=max(start, _utc(load.index[0])), end=end)
    known = frame.set_index("observed_at")["temperature_c"].dropna()
    if known.empty:
        raise ForecastInputError(
            f"the warehouse holds no temperature of {area} between {start:%Y-%m-%d} and {end:%Y-%m-%d}; ingest it with "
            "ingest_weather, or set WEATHER=none"
        )
    return to_half_hours(known, pd.DatetimeIndex(load.index))


def _utc(instant: pd.Timestamp) -> datetime:
    return instant.to_pydatetime().astimezone(UTC)
