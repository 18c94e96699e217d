"""The bundled national load and temperature of 2015-2017 as the parquet files that somebody else would have."""

from __future__ import annotations

import lzma
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import pandas as pd

from powersense.stations import by_omm, stations
from tests.conftest import ROOT

SAMPLE = ROOT / "include/powersense/local/sample"
_KELVIN = 273.15


@lru_cache(maxsize=1)
def national_load() -> pd.DataFrame:
    """Return `utc`, `consommation`, `prevision_j1` of 2016 and 2017 by half-hour; the autumn's lost hour is missing."""
    years = pd.concat([_year(year) for year in (2016, 2017)], ignore_index=True)
    text = years["Date"] + " " + years["Heures"]
    # The files stamp the one block of the autumn hour with winter time, and copy values into the spring's lost hour.
    local = pd.to_datetime(text).dt.tz_localize("Europe/Paris", ambiguous=False, nonexistent="NaT")
    frame = pd.DataFrame(
        {
            "utc": local.dt.tz_convert("UTC").dt.as_unit("us"),
            "consommation": pd.to_numeric(years["Consommation"]),
            "prevision_j1": pd.to_numeric(years["Prévision J-1"]),
        }
    )
    is_half_hour = frame["utc"].dt.minute.isin((0, 30))
    return frame[frame["utc"].notna() & is_half_hour].reset_index(drop=True)


@lru_cache(maxsize=1)
def regional_temperature() -> pd.DataFrame:
    """Return `date`, `region`, `tmoy` (°C): daily means of the SYNOP stations of each region."""
    reports = pd.read_csv(
        SAMPLE / "synop_t_2015-11_2017-10.csv.xz", sep=";", dtype={"numer_sta": str}, na_values="mq"
    ).dropna()
    regions = {omm: stations()[station].area for omm, station in by_omm().items()}
    reports = reports.assign(
        region=reports["numer_sta"].map(regions),
        date=pd.to_datetime(reports["date"].astype(str), format="%Y%m%d%H%M%S").dt.normalize(),
        tmoy=reports["t"] - _KELVIN,
    )
    known = reports[reports["region"].fillna("") != ""]
    return known.groupby(["date", "region"], as_index=False)["tmoy"].mean()


def write_files(folder: Path) -> tuple[Path, Path]:
    """Write the load and the temperature as parquet files; returns their paths."""
    load, temperature = folder / "load.parquet", folder / "temperature.parquet"
    national_load().to_parquet(load)
    regional_temperature().to_parquet(temperature)
    return load, temperature


def _year(year: int) -> pd.DataFrame:
    content = lzma.decompress((SAMPLE / f"eCO2mix_RTE_Annuel-Definitif_{year}.xls.xz").read_bytes())
    columns = ["Date", "Heures", "Consommation", "Prévision J-1"]
    table = pd.read_csv(
        BytesIO(content),
        sep="\t",
        encoding="latin-1",
        index_col=False,
        usecols=columns,
        dtype=str,
        na_values=["ND", "-"],
    )
    return table.dropna(subset=["Heures"])
