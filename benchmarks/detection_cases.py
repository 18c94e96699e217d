"""What detectors are measured on: loads with labels, each beside the sound, earlier load that they may learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from benchmarks.injected_faults import FAULTS, inject
from powersense.calendar import PARIS
from powersense.detection.stream.load_features import BASELINE_DAYS, FEATURE_NAMES, STEP, load_features
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.rte_files import parse_rte_file, unpack

SAMPLE = files("powersense.local").joinpath("sample")
NYC_TAXI = Path(__file__).parent / "data" / "NAB_nyc_taxi.csv.gz"
# The longest that a feature looks back.
WARM = pd.Timedelta(days=BASELINE_DAYS + 8)
# NAB, labels/combined_windows.json, realKnownCause/nyc_taxi.csv: marathon, Thanksgiving, Christmas, New Year, blizzard.
NYC_WINDOWS = (
    ("2014-10-30 15:30", "2014-11-03 22:30"),
    ("2014-11-25 12:00", "2014-11-29 19:00"),
    ("2014-12-23 11:30", "2014-12-27 18:30"),
    ("2014-12-29 21:30", "2015-01-03 04:30"),
    ("2015-01-24 20:30", "2015-01-29 03:30"),
)
INCIDENT_REGIONS = (
    "Bretagne",
    "Centre-Val-de-Loire",
    "Grand-Est",
    "Hauts-de-France",
    "Ile-de-France",
    "Normandie",
    "Nouvelle-Aquitaine",
    "Occitanie",
    "PACA",
    "Pays-de-la-Loire",
)


@dataclass(frozen=True)
class Sound:
    """Features of one series, on a grid without gaps; NaN where one cannot be told."""

    name: str
    features: pd.DataFrame


@dataclass(frozen=True)
class Labelled:
    """A series to be judged, and where it is anomalous."""

    name: str
    features: pd.DataFrame
    is_anomaly: np.ndarray


@dataclass(frozen=True)
class Case:
    """A measurement: what may be learnt from, all of it earlier, and what is judged.

    Attributes:
        name: of the case.
        training: series that are sound, but for what nobody noticed.
        judged: series with labels.
    """

    name: str
    training: Sequence[Sound]
    judged: Sequence[Labelled]


def fault_cases(load_mw: pd.Series, *, train: tuple[str, str], judge: tuple[str, str], seed: int) -> list[Case]:
    """Return a case for each kind of fault, put into the load of `judge`; learnt from is the load of `train`."""
    training = [Sound("France", _features(load_mw, *train))]
    start, end = (pd.Timestamp(day, tz="UTC") for day in judge)
    span = load_mw[start - WARM : end - STEP].interpolate(limit=4)
    warm = int(WARM / STEP)
    cases = []
    for number, fault in enumerate(FAULTS):
        damaged, is_fault = inject(span.to_numpy()[warm:], fault, seed=seed + number)
        faulty = pd.Series(np.concatenate([span.to_numpy()[:warm], damaged]), index=span.index)
        judged = Labelled("France", load_features(faulty).iloc[warm:], is_fault)
        cases.append(Case(fault.name, training, [judged]))
    return cases


def nyc_taxi() -> Case:
    """Return NAB's series; what may be learnt from ends where its first window begins."""
    read = pd.read_csv(NYC_TAXI, parse_dates=["timestamp"])
    load = pd.Series(read["value"].to_numpy(float), index=pd.DatetimeIndex(read["timestamp"]).tz_localize("UTC"))
    # Its clock is New York's; no holiday is told to the models, since holidays are what is looked for.
    found = load_features(load, zone=ZoneInfo("UTC"), kind_of=_weekend)
    begin = pd.Timestamp(NYC_WINDOWS[0][0], tz="UTC")
    training = found[load.index[0] + WARM : begin - STEP]
    judged = found[begin:]
    is_anomaly = np.zeros(len(judged), dtype=bool)
    for first, last in NYC_WINDOWS:
        is_anomaly |= (judged.index >= pd.Timestamp(first, tz="UTC")) & (judged.index <= pd.Timestamp(last, tz="UTC"))
    return Case("nyc_taxi", [Sound("taxi", training)], [Labelled("taxi", judged, is_anomaly)])


def incident() -> Case:
    """Return ten regions' real-time load around 30 September 2017; learnt from is their consolidated load to August."""
    labels = pd.read_csv(SAMPLE.joinpath("incident_2017-09-30.csv"), parse_dates=["local_time"])
    training, judged = [], []
    for region in INCIDENT_REGIONS:
        known = load_of(f"eCO2mix_RTE_{region}_En-cours-Consolide.xls.xz")
        training.append(Sound(region, _features(known, "2017-02-06", "2017-09-01")))
        live = load_of(f"eCO2mix_RTE_{region}_En-cours-TR.xls.xz")
        # What was consolidated by then stands before the first day of the real-time file.
        found = load_features(pd.concat([known[: live.index[0] - STEP], live]).asfreq(STEP)).loc[live.index[0] :]
        at = labels.loc[labels["region"] == region, "local_time"].dt.tz_localize(PARIS).dt.tz_convert("UTC")
        judged.append(Labelled(region, found, found.index.isin(at)))
    return Case("incident_2017-09-30", training, judged)


def national() -> pd.Series:
    """Return France's definitive load of 2016 and 2017, MW by half-hour (UTC)."""
    years = [load_of(f"eCO2mix_RTE_Annuel-Definitif_{year}.xls.xz") for year in (2016, 2017)]
    whole = pd.concat(years)
    return whole[~whole.index.duplicated(keep="last")].asfreq(STEP)


def load_of(name: str) -> pd.Series:
    """Return the load of a bundled file, MW by half-hour (UTC), NaN where it is not known."""
    source = get_source("rte_files")
    parts = []
    for member, content in unpack(SAMPLE.joinpath(name).read_bytes(), name=name):
        records = parse_rte_file(content, name=member, source=source).records
        found = normalise(records, source, retrieved_at=datetime(2019, 1, 1, tzinfo=UTC), run_id="bench").measurements
        parts.append(found[(found["metric"] == "consommation") & found["value"].notna()])
    load = pd.concat(parts).drop_duplicates("observed_at", keep="last").set_index("observed_at")["value"].sort_index()
    load.index = pd.DatetimeIndex(load.index)
    return load[load.index.minute % 30 == 0].astype(float).asfreq(STEP)


def _features(load_mw: pd.Series, first: str, end: str) -> pd.DataFrame:
    start, stop = pd.Timestamp(first, tz="UTC"), pd.Timestamp(end, tz="UTC")
    return load_features(load_mw[start - WARM : stop - STEP])[start:]


def _weekend(day: date) -> int:
    return 1 if day.weekday() >= 5 else 0


__all__ = ["FEATURE_NAMES", "Case", "Labelled", "fault_cases", "incident", "national", "nyc_taxi"]
