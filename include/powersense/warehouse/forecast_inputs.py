"""The load and weather that forecasts are made from, as known at an instant, on grids of half-hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense.contracts import LOAD_METRIC, Vintage
from powersense.forecasting.inputs import half_hours, on_one_level, to_half_hours, without_impossible
from powersense.forecasting.interface import HORIZON_STEPS, STEP, WEATHER_COLUMNS, History
from powersense.warehouse.reads import EVER, half_hourly_load
from powersense.warehouse.sql import statement
from powersense.warehouse.weather.reads import latest_weather_forecast, observed_weather

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

# The level difference between vintages is taken over so many days that have both, looked for so far back: later
# vintages come after one and after twelve months or so.
_RATIO_DAYS = 60
_RATIO_LOOKBACK = timedelta(days=700)


@dataclass(frozen=True)
class Inputs:
    """What is known of an area at an issue time.

    Attributes:
        history: load before the issue time and weather, on a grid that reaches to the end of the horizon.
        load_age_minutes: from the newest half-hour with a load to the issue time; None where none is known.
        weather_age_minutes: from the issue of the weather forecast that is used to the issue time; None without one.
    """

    history: History
    load_age_minutes: int | None
    weather_age_minutes: int | None


def read_inputs(  # noqa: PLR0913 - the bounds of one read
    client: Client,
    areas: Sequence[str],
    *,
    issued_at: datetime,
    days: int,
    up_to_vintage: Vintage | str = Vintage.DEFINITIVE,
    as_of: datetime = EVER,
    has_forecast: bool = True,
) -> dict[str, Inputs]:
    """Read what models are given for one issue, of several areas in few queries.

    The load is the best vintage known up to `up_to_vintage`, lower ones lifted to the level of the highest; values that
    no load can be are unknown. The weather is what was observed up to the issue time and what was forecast by then
    for later hours.

    Args:
        client: any role's client.
        areas: the perimeters.
        issued_at: the issue time, UTC, on a half-hour. Load of later instants is not read, whatever is stored.
        days: how many days before the issue time to read.
        up_to_vintage: the highest vintage that counts.
        as_of: load and observations inserted later are not seen, UTC. Weather forecasts count only if they were known
            at the issue time.
        has_forecast: False leaves the weather after the issue time out, as training wants it.
    """
    start, end = issued_at - timedelta(days=days), issued_at + HORIZON_STEPS * STEP
    load = half_hourly_load(client, areas=areas, start=start, end=issued_at, up_to_vintage=up_to_vintage, as_of=as_of)
    ratios = vintage_ratios(client, areas, until=issued_at, up_to_vintage=up_to_vintage, as_of=as_of)
    observed = observed_weather(client, areas=areas, start=start, end=issued_at, as_of=as_of)
    ahead = (
        latest_weather_forecast(client, areas=areas, as_of=min(as_of, issued_at), start=issued_at, end=end)
        if has_forecast
        else None
    )
    grid = half_hours(start, end)
    inputs = {}
    for area in areas:
        values, vintage = _load_on(grid, load[load["area"] == area], ratios.get(area, {}))
        weather, run_at = _weather_on(
            grid,
            observed[observed["area"] == area],
            None if ahead is None else ahead[ahead["area"] == area],
        )
        known = values.index[values.notna()]
        inputs[area] = Inputs(
            history=History(area, values, weather, vintage),
            load_age_minutes=_minutes(known[-1] if len(known) else None, issued_at),
            weather_age_minutes=_minutes(run_at, issued_at),
        )
    return inputs


def vintage_ratios(
    client: Client,
    areas: Sequence[str],
    *,
    until: datetime,
    up_to_vintage: Vintage | str = Vintage.DEFINITIVE,
    as_of: datetime = EVER,
) -> dict[str, dict[str, float]]:
    """Return by area and vintage the median ratio of the next vintage's load to its own.

    Args:
        client: any role's client.
        areas: the perimeters.
        until: instants before it count, UTC.
        up_to_vintage: the highest vintage that counts.
        as_of: only what had been inserted by then counts, UTC.
    """
    parameters = {
        "metric": LOAD_METRIC,
        "areas": list(areas),
        "start": until - _RATIO_LOOKBACK,
        "end": until,
        "as_of": as_of,
        "up_to_vintage": str(up_to_vintage),
        "pairs": _RATIO_DAYS * 48,
    }
    found: dict[str, dict[str, float]] = {}
    for area, vintage, ratio in client.query(statement("vintage_ratios"), parameters=parameters).result_rows:
        found.setdefault(area, {})[vintage] = float(ratio)
    return found


def _load_on(grid: pd.DatetimeIndex, load: pd.DataFrame, ratios: Mapping[str, float]) -> tuple[pd.Series, str]:
    values, vintage = on_one_level(load["value"], load["vintage"], ratios)
    return without_impossible(values.set_axis(load["half_hour"]).reindex(grid).astype("float64")), vintage


def _weather_on(
    grid: pd.DatetimeIndex, observed: pd.DataFrame, ahead: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, pd.Timestamp | None]:
    """Return the weather on the grid, None where none is known, and when its forecast was issued."""
    import pandas as pd

    known = observed.set_index("observed_at")[list(WEATHER_COLUMNS)]
    run_at = None
    if ahead is not None and len(ahead):
        known = pd.concat([known, ahead.set_index("target_at")[list(WEATHER_COLUMNS)]])
        run_at = ahead["run_at"].iloc[0]
    if known.empty:
        return None, None
    return pd.DataFrame({name: to_half_hours(known[name], grid) for name in WEATHER_COLUMNS}), run_at


def _minutes(since: pd.Timestamp | None, until: datetime) -> int | None:
    return None if since is None else int((until - since).total_seconds() // 60)
