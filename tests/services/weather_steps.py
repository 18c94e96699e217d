"""The steps of weather ingestion against a server of the test's own, on 10 March 2024, and what they leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from powersense.settings import get_settings
from powersense.weather import fetch_files, fetch_observations, plan_files, plan_observations
from powersense.window import Window
from tests.services.weather_server import API_KEY, HOUR, WeatherServer
from tests.warehouses import query

NOW = datetime(2024, 3, 10, 10, 12, tzinfo=UTC)
LAST_HOUR = NOW.replace(minute=0)
LIVE = Window(NOW - HOUR, NOW)
NANTES, BLAIN = "44020001", "44015001"
LATEST = "/hourly/H_44_latest-2024-2025.csv.gz"
SYNOP = "/synop/synop.202403.csv.gz"


def serving(warehouse, monkeypatch):
    """The server; settings and the connection with its key lead to it; a fixture, `upstream`."""
    with WeatherServer() as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_METEO_FRANCE_DEFAULT",
            json.dumps({"conn_type": "http", "host": server.url, "password": API_KEY}),
        )
        monkeypatch.setenv("METEO_HOURLY_URL", f"{server.url}/hourly")
        monkeypatch.setenv("SYNOP_URL", f"{server.url}/synop")
        monkeypatch.setenv("WEATHER_FORECAST_URL", f"{server.url}/forecast")
        monkeypatch.setenv("METEO_REQUESTS_PER_MINUTE", "0")
        monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "2")
        monkeypatch.setenv("HISTORY_START_YEAR", "2024")
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


def versions(metric="temperature_c"):
    return query(
        "SELECT station, observed_at, toString(vintage), version, value FROM weather_observations FINAL "
        "WHERE metric = {metric:String} ORDER BY ALL",
        metric=metric,
    )


def quarantined():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason ORDER BY reason"))


def observe(run_id, *, departments=("44",), window=LIVE):
    jobs = plan_observations(window, departments=departments, run_type="scheduled")
    return [fetch_observations(job, run_id=run_id, dag_id="ingest_weather") for job in jobs]


def files(window=LIVE, *, departments=("44",), run_type="scheduled"):
    return plan_files(window, departments=departments, run_type=run_type)


def read(jobs, run_id="r"):
    return [fetch_files(job, run_id=run_id, dag_id="ingest_weather") for job in jobs]


def a_range(start, end):
    return Window(start, end, is_explicit=True)
