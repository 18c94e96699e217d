"""Real loads for the forecast lifecycle: the bundled national years, their regional shares, and made weather."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files

import numpy as np
import pandas as pd

from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.rte_files import parse_rte_file, unpack
from powersense.warehouse.client import connect
from tests.services.scoring_data import insert

# A Wednesday evening of November 2017, after almost two years of load.
NOW = datetime(2017, 11, 15, 18, tzinfo=UTC)
AREA, STATION = "Bretagne", "35281001"
SHARE = 0.05
LONG_AGO = datetime(2016, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def national() -> pd.DataFrame:
    """Return the national load of 2016 and 2017, definitive: area, observed_at (UTC), value (MW)."""
    source = get_source("rte_files")
    parts = []
    for year in (2016, 2017):
        name = f"eCO2mix_RTE_Annuel-Definitif_{year}.xls.xz"
        payload = files("powersense.local").joinpath("sample", name).read_bytes()
        for member, content in unpack(payload, name=name):
            records = parse_rte_file(content, name=member, source=source).records
            found = normalise(records, source, retrieved_at=datetime(2019, 1, 1, tzinfo=UTC), run_id="sample")
            parts.append(found.measurements)
    load = pd.concat(parts, ignore_index=True)
    load = load[(load["metric"] == "consommation") & load["value"].notna()]
    return load[["area", "observed_at", "value"]].reset_index(drop=True)


def load(start: datetime, end: datetime, *, area: str = AREA) -> pd.DataFrame:
    """Return the load of [start, end): France's as it was, another area's as a fixed share of it."""
    whole = national()
    rows = whole[(whole["observed_at"] >= start) & (whole["observed_at"] < end)]
    share = 1.0 if area == "France" else SHARE
    return rows.assign(area=area, value=rows["value"] * share)


def put_load(*, start: datetime = LONG_AGO, end: datetime = NOW, area: str = AREA) -> None:
    """Store the definitive load of [start, end), as known from the beginning."""
    insert(load(start, end, area=area), vintage="definitive")


def temperature(start: datetime, end: datetime) -> pd.Series:
    """Return a made temperature by whole hour of [start, end), °C: seasons, days, and spells that last some days."""
    hours = pd.date_range(LONG_AGO - timedelta(days=1), end, freq="h", inclusive="left", unit="s")
    rough = np.random.default_rng(seed=4).normal(0, 1, len(hours))
    spells = pd.Series(rough).ewm(halflife=48).mean().to_numpy() * 12
    year, day = hours.day_of_year.to_numpy() / 365.25, hours.hour.to_numpy() / 24
    values = 11 - 8 * np.cos(2 * np.pi * (year - 0.05)) - 3 * np.cos(2 * np.pi * (day - 0.1)) + spells
    made = pd.Series(values, index=hours)
    return made[(made.index >= start) & (made.index < end)]


def put_weather(*, start: datetime = LONG_AGO, end: datetime = NOW) -> None:
    """Store the temperature of one station of the area."""
    made = temperature(start, end)
    frame = pd.DataFrame(
        {
            "metric": "temperature_c",
            "station": STATION,
            "observed_at": made.index,
            "vintage": "consolidated",
            "publisher": "meteo_france",
            "version": 1,
            "value": made.to_numpy(),
            "source": "test",
            "retrieved_at": pd.Timestamp(LONG_AGO),
            "run_id": "test",
            "batch_id": "test",
            "inserted_at": pd.Timestamp(LONG_AGO),
        }
    )
    with connect("writer") as client:
        client.insert_df("weather_observations", frame)


def put_weather_forecast(*, run_at: datetime, days: int = 8) -> None:
    """Store a run of the area's weather forecast, known from its issue on."""
    made = temperature(run_at, run_at + timedelta(days=days))
    frame = pd.DataFrame(
        {
            "source": "test",
            "metric": "temperature_c",
            "area": AREA,
            "run_at": pd.Timestamp(run_at),
            "target_at": made.index,
            "value": made.to_numpy(),
            "retrieved_at": pd.Timestamp(run_at),
            "run_id": "test",
            "inserted_at": pd.Timestamp(run_at),
        }
    )
    with connect("writer") as client:
        client.insert_df("weather_forecasts", frame)
