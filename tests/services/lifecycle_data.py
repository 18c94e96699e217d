"""Real loads for the forecast lifecycle (the bundled national years, regional shares), made weather, and issues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from powersense.settings import get_settings
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.rte_files import parse_rte_file, unpack
from powersense.warehouse.client import connect
from tests.services.scoring_data import insert, table
from tests.warehouses import Warehouse

# A Wednesday evening of November 2017, after almost two years of load.
NOW = datetime(2017, 11, 15, 18, tzinfo=UTC)
AREA, STATION = "Bretagne", "35281001"
SHARE = 0.05
LONG_AGO = datetime(2016, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRAINED = NOW - 2 * HOUR
QUANTILES = ["q025_mw", "q100_mw", "q250_mw", "q500_mw", "q750_mw", "q900_mw", "q975_mw"]


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


def trained_on_two_years(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model store, and trainings on two years; a fixture of the modules that train or issue."""
    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path}")
    monkeypatch.setenv("FORECAST_TRAIN_YEARS", "2")
    get_settings.cache_clear()
    return tmp_path


def issued(area: str = AREA, *, at: datetime = NOW) -> pd.DataFrame:
    """Return the rows of an issue, after checking that it is whole: 336 half-hours, with quantiles that rise."""
    query = "SELECT * FROM forecasts WHERE area = {area:String} AND issued_at = {at:DateTime('UTC')} ORDER BY target_at"
    found = table(query, area=area, at=at)
    assert list(found["target_at"]) == list(pd.date_range(at, periods=336, freq="30min"))
    assert list(found["lead_minutes"]) == list(range(0, 336 * 30, 30))
    quantiles = found[QUANTILES].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    return found


def facts(found: pd.DataFrame) -> dict[str, Any]:
    """Return what all rows of an issue share."""
    names = ["model_id", "model", "fallback_level", "fallback_reason", "vintage", "load_age_minutes"]
    (row,) = found[[*names, "weather_age_minutes"]].drop_duplicates().to_dict("records")
    return {str(name): value for name, value in row.items()}


def mape(found: pd.DataFrame, *, hours: int = 48) -> float:
    came = load(NOW, NOW + timedelta(hours=hours)).set_index("observed_at")["value"]
    middle = found.set_index("target_at")["q500_mw"].reindex(came.index)
    return float((middle / came - 1).abs().mean())
