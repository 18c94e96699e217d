"""Real load and temperature of France, 2016 to 2017, as the models get them."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import pandas as pd

from powersense.forecasting.interface import STEP, History
from tests.services.lifecycle_data import national


@lru_cache(maxsize=1)
def history() -> History:
    """Return the bundled national years on one grid, with the mean temperature of the bundled SYNOP stations (°C)."""
    load = national().set_index("observed_at")["value"]
    grid = pd.date_range("2016-01-01", "2017-10-13", freq=STEP, tz="UTC", inclusive="left")
    sample = files("powersense.local").joinpath("sample", "synop_t_2015-11_2017-10.csv.xz")
    with sample.open("rb") as file:
        reports = pd.read_csv(file, sep=";", compression="xz", na_values="mq")
    at = pd.to_datetime(reports["date"].astype(str), format="%Y%m%d%H%M%S", utc=True)
    kelvin = reports["t"].groupby(at).mean()
    temperature = (kelvin - 273.15).resample(STEP).interpolate("time").reindex(grid)
    return History("France", load.reindex(grid), temperature.to_frame("temperature_c"))
