"""Weather ingestion reads what the replay of Météo-France and Open-Meteo serves, as `make demo` does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.settings import get_settings
from powersense.weather import (
    chosen_departments,
    fetch_files,
    fetch_observations,
    plan_files,
    plan_observations,
    store_forecasts,
)
from powersense.window import Window

NOW = datetime(2017, 10, 5, 10, 12, tzinfo=UTC)
LIVE = Window(NOW - timedelta(hours=1), NOW)


@pytest.fixture
def replay(warehouse, monkeypatch):
    from powersense.local.replay import ReplayServer

    with ReplayServer(clock=NOW.isoformat()) as server:
        connection = {"conn_type": "http", "host": server.meteo_france_url, "password": "replay"}
        monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("METEO_HOURLY_URL", f"{server.meteo_france_url}/hourly")
        monkeypatch.setenv("SYNOP_URL", f"{server.meteo_france_url}/synop")
        monkeypatch.setenv("WEATHER_FORECAST_URL", f"{server.open_meteo_url}/v1/forecast")
        monkeypatch.setenv("METEO_REQUESTS_PER_MINUTE", "0")
        monkeypatch.setenv("HISTORY_START_YEAR", "2017")
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


def query(sql):
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        return client.query(sql).result_rows


def test_a_scheduled_run_brings_all_areas_their_weather(replay):
    departments = chosen_departments()
    for job in plan_observations(LIVE, departments=departments, run_type="scheduled"):
        fetch_observations(job, run_id="r", dag_id="ingest_weather")
    for job in plan_files(LIVE, departments=departments, run_type="scheduled"):
        fetch_files(job, run_id="r", dag_id="ingest_weather")
    assert store_forecasts(LIVE, run_id="r")["runs_stored"] == 1
    assert query("SELECT count() FROM quarantine FINAL") == [(0,)]
    assert query("SELECT DISTINCT state FROM ingestion_runs FINAL") == [("success",)]
    recent = (
        "SELECT uniqExact(area), uniqExact(observed_at) FROM weather_by_area_between(as_of = now64(6), "
        "start = '2017-10-04 12:00:00', end = '2017-10-05 10:00:00') WHERE isNotNull(temperature_c)"
    )
    assert query(recent) == [(13, 22)]
    autumn = (
        "SELECT uniqExact(observed_at) FROM weather_by_area_between(as_of = now64(6), "
        "start = '2017-02-01 00:00:00', end = '2017-03-01 00:00:00') WHERE area = 'France'"
    )
    assert query(autumn) == [(28 * 24,)], "the months since HISTORY_START_YEAR"
    week = (
        "SELECT uniqExact(area), max(target_at) >= '2017-10-12 10:00:00' FROM weather_forecasts "
        "WHERE metric = 'temperature_c'"
    )
    assert query(week) == [(13, 1)]


def test_a_range_of_the_past_comes_from_the_hourly_files(replay):
    window = Window(datetime(2017, 7, 1, tzinfo=UTC), datetime(2017, 7, 3, tzinfo=UTC), is_explicit=True)
    for job in plan_files(window, departments=["44"], run_type="manual"):
        fetch_files(job, run_id="r", dag_id="ingest_weather")
    vintages = (
        "SELECT toString(vintage), uniqExact(observed_at) FROM weather_observations GROUP BY vintage ORDER BY vintage"
    )
    assert dict(query(vintages)).keys() >= {"realtime", "definitive"}
