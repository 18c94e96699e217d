"""Real answers of Météo-France, as captured (origin and licence: meteofrance/README.md), and the rows they become."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from powersense.sources.meteo.observations import parse_observations
from powersense.sources.meteo.records import normalise_weather
from powersense.sources.meteo.source import meteo_source
from powersense.sources.meteo.tables import parse_table
from powersense.sources.transport import Answer
from powersense.stations import stations

FOLDER = Path(__file__).with_name("meteofrance")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
YEARS = {"start": datetime(2010, 1, 1, tzinfo=UTC), "end": NOW}


def table(name, source_id, **bounds):
    source = meteo_source(source_id)
    limits = YEARS | bounds
    answer = parse_table((FOLDER / name).read_bytes(), source, name=name, retrieved_at=NOW, **limits)
    return normalise_weather(answer, source, run_id="golden", **limits)


def observations(name):
    body = gzip.decompress((FOLDER / name).read_bytes())
    answer = parse_observations(Answer("golden", body, NOW))
    return normalise_weather(answer, meteo_source("observations"), run_id="golden", **YEARS)


def value(outcome, metric, station, instant):
    rows = outcome.observations
    chosen = rows[
        (rows["metric"] == metric) & (rows["station"] == station) & (rows["observed_at"] == pd.Timestamp(instant))
    ]
    assert len(chosen) == 1
    return chosen["value"].iloc[0]


def test_a_day_of_a_department_comes_in_celsius_and_hectopascal():
    outcome = observations("mf_DPPaquetObs_horaire_dep76_20241017.json.gz")
    assert outcome.quarantined.empty
    assert outcome.records_seen == 450
    assert outcome.observations["station"].nunique() == 18
    assert value(outcome, "temperature_c", "76116001", "2024-10-17T14:00Z") == 16.1
    assert value(outcome, "sea_level_pressure_hpa", "76116001", "2024-10-17T14:00Z") == 1012.1
    assert value(outcome, "solar_radiation_jcm2", "76116001", "2024-10-17T14:00Z") == 51.4
    assert value(outcome, "wind_speed_ms", "76116001", "2024-10-17T14:00Z") == 3.1
    assert set(outcome.observations["vintage"]) == {"realtime"}


def test_what_a_station_does_not_measure_makes_no_rows():
    outcome = observations("mf_DPPaquetObs_horaire_dep76_20241017.json.gz")
    cloudy = outcome.observations[outcome.observations["metric"] == "cloud_cover_pct"]
    assert 0 < cloudy["station"].nunique() < 18
    assert cloudy["value"].dropna().isin([25.0, 50.0, 75.0, 87.5, 100.0]).all()


def test_all_mainland_stations_of_an_hour_are_known_and_overseas_is_left_out():
    outcome = observations("mf_DPPaquetObs_all_stations_20241017T14.json.gz")
    assert outcome.quarantined.empty
    assert outcome.records_seen == 1763
    found = set(outcome.observations["station"])
    assert not {station[:2] for station in found} & {"97", "98"}
    assert {stations()[station].area for station in found} == {station.area for station in stations().values()}
    cloud = outcome.observations.query("metric == 'cloud_cover_pct'")["value"]
    assert cloud.max() == 100.0, "9 eighths say that the sky is invisible"


def test_rows_of_an_hourly_file_carry_their_quality_as_vintage():
    outcome = table("H_44_extract_4rows.csv", "hourly")
    assert outcome.quarantined.empty
    assert set(outcome.observations["metric"]) == {"temperature_c", "precipitation_mm"}
    assert set(outcome.observations["vintage"]) == {"definitive"}
    assert [value(outcome, "temperature_c", "44015001", f"2024-01-01T0{hour}:00Z") for hour in range(4)] == [
        7.4,
        6.8,
        7.0,
        6.5,
    ]


def test_only_the_asked_hours_of_a_file_are_read():
    start = datetime(2024, 1, 1, 1, tzinfo=UTC)
    outcome = table("H_44_extract_4rows.csv", "hourly", start=start, end=start + timedelta(hours=2))
    assert outcome.records_seen == 2
    assert sorted(set(outcome.observations["observed_at"].dt.hour)) == [1, 2]


def test_synop_comes_by_station_id_every_three_hours():
    outcome = table("synop.201802_26-28.csv.gz", "synop")
    assert outcome.quarantined.empty
    temperature = outcome.observations.query("metric == 'temperature_c'")
    assert temperature["station"].nunique() == 42
    assert set(temperature["observed_at"].dt.hour) == {0, 3, 6, 9, 12, 15, 18, 21}
    assert temperature["value"].min() == -16.6, "the cold spell"
    cloud = outcome.observations.query("metric == 'cloud_cover_pct'")["value"].dropna()
    assert cloud.between(0, 100).all()
