"""ingest_load and reconcile_load, really run: replayed portal, real engine, `dag.test()`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.settings import get_settings
from tests.dags.real_dags import dag_of, runnable

# dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NOW = datetime(2017, 10, 5, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def bag(airflow_home):
    return {name: dag_of(name) for name in ("ingest_load", "reconcile_load")}


@pytest.fixture(scope="module")
def replay():
    from powersense.local.replay import ReplayServer

    with ReplayServer(clock=NOW.isoformat()) as server:
        yield server


@pytest.fixture
def portal(replay, monkeypatch):
    """The replayed portal at noon of 5 October 2017; history starts on 1 January 2017, to keep runs short."""
    monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": replay.base_url}))
    monkeypatch.setenv("HISTORY_START_YEAR", "2017")
    monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "1")
    get_settings.cache_clear()
    yield replay
    replay.clear()
    replay.set_clock(NOW.isoformat())
    get_settings.cache_clear()


def query(sql):
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        return client.query(sql).result_rows


# A version as a number: compared in the engine, since millions of them take long in Python.
VERSION = "cityHash64(ukey, version, isNull(value), ifNull(value, 0))"
VERSIONS = f"SELECT {VERSION} FROM measurements FINAL"


def measurements():
    """Return how many versions there are, and a sum over what they say."""
    return query(f"SELECT count(), sum({VERSION}) FROM measurements FINAL")


def keep_measurements():
    """Keep what there is, to be held against what is there later."""
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        client.command(f"CREATE TABLE before (said UInt64) ENGINE = MergeTree ORDER BY said AS {VERSIONS}")


def new_and_missing():
    """Return how many versions have come since, and how many of the earlier ones are gone."""
    ((new,),) = query(f"SELECT count() FROM measurements FINAL WHERE {VERSION} NOT IN (SELECT said FROM before)")
    ((missing,),) = query(f"SELECT count() FROM before WHERE said NOT IN ({VERSIONS})")
    return new, missing


def run(bag, dag_id, *, start, end):
    """Run a DAG over a window and return its run and the states of its tasks."""
    dag = runnable(bag[dag_id])
    done = dag.test(run_conf={"start": start.isoformat(), "end": end.isoformat()})
    return done, {(task.task_id, task.map_index): task.state for task in done.get_task_instances()}


def test_ingest_load_bootstraps_then_follows_then_skips(bag, warehouse, portal):
    day = NOW - timedelta(days=1)
    done, states = run(bag, "ingest_load", start=day, end=NOW)
    assert done.state == "success"
    assert {state for (task, _), state in states.items() if task in ("load_history", "fetch", "store")} == {"success"}
    assert states["report_failures", -1] == "skipped"
    covered = query(
        "SELECT area, min(observed_at), max(observed_at) FROM measurements WHERE metric = 'consommation' GROUP BY area"
    )
    assert len(covered) == 13
    for area, first, last in covered:
        assert first.replace(tzinfo=UTC) <= datetime(2017, 9, 1, tzinfo=UTC), area
        assert NOW - timedelta(hours=1) <= last.replace(tzinfo=UTC) <= NOW, area
    assert query("SELECT count() FROM ingestion_runs FINAL WHERE state != 'success'") == [(0,)]

    before = measurements()
    _, states = run(bag, "ingest_load", start=day, end=NOW)
    assert ("load_history", 0) not in states, "history is loaded once"
    assert states["store", -1] == "skipped", "nothing new sends no asset event"
    assert measurements() == before

    keep_measurements()
    later = NOW + timedelta(minutes=30)
    portal.set_clock(later.isoformat())
    _, states = run(bag, "ingest_load", start=day, end=later)
    assert states["store", -1] == "success"
    new, missing = new_and_missing()
    assert new > 0
    assert missing == 0


def test_a_failed_source_turns_the_run_red_while_the_other_is_stored(bag, warehouse, portal):
    portal.inject("server_error", dataset="eco2mix-regional-tr")
    done, states = run(bag, "ingest_load", start=NOW - timedelta(hours=3), end=NOW)
    assert done.state == "failed"
    assert states["store", -1] == "success"
    assert states["report_failures", -1] == "failed"
    assert query("SELECT DISTINCT source FROM ingestion_runs FINAL WHERE state = 'failed'") == [
        ("eco2mix-regional-tr",)
    ]
    assert query("SELECT DISTINCT area FROM measurements WHERE vintage = 'realtime'") == [("France",)]


def test_a_backfill_twice_leaves_the_same_table(bag, warehouse, portal):
    start, end = datetime(2017, 8, 30, tzinfo=UTC), datetime(2017, 9, 2, tzinfo=UTC)
    done, states = run(bag, "reconcile_load", start=start, end=end)
    assert done.state == "success"
    assert states["store", -1] == "success"
    once = measurements()
    assert query(
        "SELECT min(observed_at), max(observed_at) < '2017-09-04', count(DISTINCT vintage) > 1, count(DISTINCT area) "
        "FROM measurements WHERE isNotNull(value)"
    ) == [(start, 1, 1, 13)]
    done, states = run(bag, "reconcile_load", start=start, end=end)
    assert done.state == "success"
    assert states["store", -1] == "skipped"
    assert measurements() == once
    assert query("SELECT count() - uniqExact(ukey, version) FROM measurements FINAL") == [(0,)]
