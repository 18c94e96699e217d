"""ingest_weather, really run: an HTTP upstream in a thread, real engine, `dag.test()`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.settings import get_settings
from tests.dags.real_dags import dag_of, runnable
from tests.services.weather_server import API_PATH, Reply, WeatherServer, forecast_answer, observation, synop_file

# dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NOW = datetime(2024, 3, 10, 10, 12, tzinfo=UTC)
LAST_HOUR = NOW.replace(minute=0)
STATIONS = {"09": "09289001", "44": "44020001"}


@pytest.fixture(scope="module")
def dag(airflow_home):
    return runnable(dag_of("ingest_weather"))


@pytest.fixture
def upstream(warehouse, monkeypatch):
    with WeatherServer() as server:
        connection = {"conn_type": "http", "host": server.url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps(connection))
        for name, path in {
            "METEO_HOURLY_URL": "/hourly",
            "SYNOP_URL": "/synop",
            "WEATHER_FORECAST_URL": "/forecast",
        }.items():
            monkeypatch.setenv(name, server.url + path)
        monkeypatch.setenv("METEO_REQUESTS_PER_MINUTE", "0")
        monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "1")
        get_settings.cache_clear()
        server.observations(lambda department: [observation(STATIONS[department], LAST_HOUR)])
        server.file("/synop/synop.202403.csv.gz", synop_file([("07627", LAST_HOUR - timedelta(hours=1), 5.0)]))
        server.handlers["/forecast"] = lambda query: forecast_answer(query, begins_at=NOW.replace(hour=0, minute=0))
        yield server
    get_settings.cache_clear()


def query(sql):
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        return client.query(sql).result_rows


def run(dag, **conf):
    """Run the DAG for the hour before NOW and return its run and the states of its tasks."""
    window = {"start": (NOW - timedelta(hours=3)).isoformat(), "end": NOW.isoformat()}
    done = dag.test(run_conf={**window, **conf})
    return done, {(task.task_id, task.map_index): task.state for task in done.get_task_instances()}


def test_a_run_for_one_department_reads_it_alone_and_the_forecast(dag, upstream):
    done, states = run(dag, dept=["09"])
    assert done.state == "success"
    assert states["announce", -1] == "success"
    assert states["report_failures", -1] == "skipped"
    assert upstream.calls[API_PATH] == 1
    assert query("SELECT DISTINCT station FROM weather_observations") == [("09289001",)]
    assert query("SELECT uniqExact(area), uniqExact(metric) FROM weather_forecasts") == [(13, 3)]


def test_a_second_run_announces_nothing(dag, upstream):
    run(dag, dept=["09"])
    _, states = run(dag, dept=["09"])
    assert states["announce", -1] == "skipped"


def test_the_environment_s_departments_are_the_default(dag, upstream, monkeypatch):
    monkeypatch.setenv("DEPT", "44")
    get_settings.cache_clear()
    run(dag, dept=None)
    assert query("SELECT DISTINCT station FROM weather_observations WHERE source LIKE '%paquetobs'") == [("44020001",)]


def test_without_a_key_the_plan_is_skipped_and_synop_stored(dag, upstream, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps({"conn_type": "http", "host": upstream.url}))
    done, states = run(dag, dept=["09"])
    assert states["plan_observations", -1] == "skipped"
    assert states["announce", -1] == "success"
    assert done.state == "success"
    assert query("SELECT DISTINCT source FROM weather_observations") == [("synop.202403.csv.gz",)]


def test_a_forecast_that_fails_is_seen_and_does_not_cost_the_observations(dag, upstream):
    upstream.handlers["/forecast"] = lambda _: Reply(b'{"error": true, "reason": "Cannot initialize"}', 400)
    done, states = run(dag, dept=["09"])
    assert states["read_forecast", -1] == "failed"
    assert states["announce", -1] == "success"
    assert states["report_failures", -1] == "failed"
    assert done.state == "failed"
    assert query("SELECT count() > 0 FROM weather_observations") == [(1,)]


def test_a_department_that_does_not_exist_fails_the_plan_by_name(dag, upstream):
    done, states = run(dag, dept=["99"])
    assert done.state == "failed"
    assert states["plan_files", -1] == "failed"
    assert query("SELECT count() FROM ingestion_runs") == [(0,)]
