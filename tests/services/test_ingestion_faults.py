"""Every kind of bad input, on the replayed portal and the real engine: a named error or quarantine, then recovery."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from powersense.errors import (
    MalformedResponseError,
    RateLimitedError,
    SourceRequestError,
    SourceUnavailableError,
    TruncatedExportError,
    WarehouseUnavailableError,
)
from powersense.ingest import fetch, store
from powersense.ingest.jobs import batch_id_of, job
from powersense.settings import get_settings

ROOT = Path(__file__).resolve().parents[2]
END = datetime(2017, 10, 5, 10, 0, tzinfo=UTC)
START = END - timedelta(hours=3)
JOBS = [job("live", source, START, END) for source in ("national_realtime", "regional_realtime")]
TABLES = ("measurements", "measurements_landing", "landings", "quarantine", "ingestion_runs")
FAULT_FREE: dict[str, set[tuple[str, int, float | None]]] = {}


@pytest.fixture(scope="module")
def replay():
    from powersense.local.replay import ReplayServer

    with ReplayServer(clock=END.isoformat()) as server:
        yield server


@pytest.fixture
def portal(replay, monkeypatch):
    """The replayed portal at 12:00 on 5 October 2017, reached through the Airflow connection."""
    monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": replay.base_url}))
    monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "2")
    get_settings.cache_clear()
    yield replay
    replay.clear()
    get_settings.cache_clear()


@pytest.fixture
def time_out(monkeypatch):
    """Set the time-out of one read, in seconds."""

    def change(seconds):
        monkeypatch.setenv("HTTP_TIMEOUT_SECONDS", str(seconds))
        get_settings.cache_clear()

    return change


def query(sql, **parameters):
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        return client.query(sql, parameters=parameters).result_rows


def measurements():
    return {tuple(row) for row in query("SELECT ukey, version, value FROM measurements FINAL")}


def standing():
    """The values that stand, by key; what was withdrawn is not among them."""
    newest = query("SELECT ukey, argMax(tuple(value), version).1 AS value FROM measurements FINAL GROUP BY ukey")
    return {ukey: value for ukey, value in newest if value is not None}


def run(run_id="r", jobs=JOBS):
    return store([fetch(one, run_id=run_id, dag_id="ingest_load") for one in jobs])


@pytest.fixture
def fault_free(warehouse, portal):
    """What a run without faults stores, computed once; tables are empty afterwards."""
    if not FAULT_FREE:
        run()
        FAULT_FREE["rows"] = measurements()
        for table in TABLES:
            query(f"TRUNCATE TABLE {table} SYNC")
    return FAULT_FREE["rows"]


def quarantined():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason"))


def last_error():
    rows = query("SELECT error FROM ingestion_runs FINAL WHERE state = 'failed' ORDER BY started_at DESC LIMIT 1")
    return rows[0][0] if rows else ""


def test_a_run_without_faults_stores_all_areas_and_quarantines_nothing(warehouse, portal, fault_free):
    outcome = run()
    assert measurements() == fault_free
    assert len(query("SELECT DISTINCT area FROM measurements")) == 13
    assert outcome["rows_new"] == len(fault_free)
    assert outcome["rows_quarantined"] == 0
    assert quarantined() == {}
    assert query("SELECT DISTINCT state FROM ingestion_runs FINAL") == [("success",)]


def test_a_second_run_of_the_same_answer_changes_nothing(warehouse, portal, fault_free):
    run("first")
    again = run("second")
    assert (again["rows_new"], again["rows_revised"]) == (0, 0)
    assert measurements() == fault_free


ANSWER_FAULTS = [
    pytest.param("rate_limit", {"retry_after": 3600}, RateLimitedError, id="429 with an hour to wait"),
    pytest.param("rate_limit", {"retry_after": 0}, RateLimitedError, id="429 again and again"),
    pytest.param("server_error", {"status": 500}, SourceUnavailableError, id="500"),
    pytest.param("server_error", {"status": 503}, SourceUnavailableError, id="503"),
    pytest.param("timeout", {}, SourceUnavailableError, id="time-out"),
    pytest.param("slow_stream", {"chunk_bytes": 64, "delay": 0.2}, SourceUnavailableError, id="trickling answer"),
    pytest.param("truncated", {"mode": "cut"}, TruncatedExportError, id="connection cut"),
    pytest.param("truncated", {"mode": "interrupted"}, TruncatedExportError, id="streaming interrupted in a 200"),
    pytest.param("truncated", {"mode": "clean"}, TruncatedExportError, id="valid JSON with too few records"),
    pytest.param("malformed_json", {}, MalformedResponseError, id="malformed JSON"),
    pytest.param("html", {}, MalformedResponseError, id="HTML instead of JSON"),
]


@pytest.mark.parametrize(("kind", "options", "error"), ANSWER_FAULTS)
def test_a_broken_answer_is_a_named_error_on_the_run_record_and_heals(  # noqa: PLR0917
    warehouse, portal, fault_free, time_out, kind, options, error
):
    portal.inject(kind, endpoint="exports", **options)
    if kind in ("timeout", "slow_stream"):
        time_out(0.3)
    with pytest.raises(error) as raised:
        run()
    assert last_error().startswith(f"{type(raised.value).__name__}: ")
    assert measurements() == set()
    portal.clear()
    time_out(30)
    run()
    assert measurements() == fault_free
    assert quarantined() == {}
    states = query("SELECT DISTINCT state FROM ingestion_runs FINAL")
    assert states == [("success",)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rate_limit", {"retry_after": 1}),
        ("server_error", {}),
        ("timeout", {}),
        ("truncated", {"mode": "cut"}),
        ("truncated", {"mode": "clean"}),
        ("malformed_json", {}),
        ("html", {}),
    ],
    ids=str,
)
def test_one_broken_answer_is_retried_within_the_task(  # noqa: PLR0917
    warehouse, portal, fault_free, time_out, kind, options
):
    portal.inject(kind, endpoint="exports", times=1, **options)
    time_out(3)
    run()
    assert measurements() == fault_free


def test_a_used_up_quota_is_not_hammered(warehouse, portal):
    portal.inject("rate_limit", retry_after=3600)
    before = len(portal.requests)
    with pytest.raises(RateLimitedError, match="10005") as refused:
        fetch(JOBS[0], run_id="r", dag_id="ingest_load")
    assert len(portal.requests) - before == 1
    assert refused.value.retry_after_seconds == 3600


def test_a_refused_request_is_not_retried(warehouse, portal, tmp_path, monkeypatch):
    extra = tmp_path / "sources.yaml"
    extra.write_text(
        "sources: [{id: gone, dataset: no-such-dataset, role: live, publisher: rte, fixed_area: France, "
        "fixed_vintage: realtime}]"
    )
    monkeypatch.setenv("POWERSENSE_SOURCES_FILE", str(extra))
    get_settings.cache_clear()
    before = len(portal.requests)
    with pytest.raises(SourceRequestError, match=r"404.*no-such-dataset"):
        fetch(job("live", "gone", START, END), run_id="r", dag_id="ingest_load")
    assert len(portal.requests) - before <= 1


RECORD_FAULTS = [
    pytest.param("missing_key", {"key": "date_heure", "rows": 2}, {"missing_key": 4}, id="missing instant"),
    pytest.param("missing_key", {"key": "area", "rows": 2}, {"missing_key": 4}, id="missing area"),
    pytest.param("missing_key", {"key": "nature", "rows": 1}, {"missing_key": 2}, id="missing nature"),
    pytest.param("wrong_type", {"rows": 3}, {"not_a_number": 6}, id="an object for a number"),
    pytest.param("wrong_type", {"rows": 1, "value": "beaucoup"}, {"not_a_number": 2}, id="a word for a number"),
    pytest.param("out_of_range", {"rows": 2}, {"out_of_range": 4}, id="value out of range"),
    pytest.param("duplicate_instant", {"rows": 2, "add": 0}, {}, id="identical duplicates"),
    pytest.param("ghost_hour", {"rows": 4, "add": 500}, {"ghost_hour": 8}, id="ghost hour"),
    pytest.param("schema_drift", {"mode": "string_numbers"}, {}, id="numbers as text"),
]


@pytest.mark.parametrize(("kind", "options", "reasons"), RECORD_FAULTS)
def test_bad_records_are_set_aside_and_the_table_heals(  # noqa: PLR0917
    warehouse, portal, fault_free, kind, options, reasons
):
    portal.inject(kind, **options)
    during = run("bad")
    assert quarantined() == reasons
    assert during["rows_quarantined"] == sum(reasons.values())
    assert measurements() <= fault_free
    if kind in ("ghost_hour", "duplicate_instant", "schema_drift"):
        assert measurements() == fault_free
    run("bad again")
    assert quarantined() == reasons, "the same bad records must not pile up"
    portal.clear()
    run("good")
    assert measurements() == fault_free


def test_a_contradicting_duplicate_leaves_one_value_and_the_other_in_quarantine(warehouse, portal, fault_free):
    portal.inject("duplicate_instant", rows=1, add=-300, dataset="eco2mix-national-tr")
    run("bad")
    assert quarantined() == {"contradicting_duplicate": 1}
    assert measurements() == fault_free


def test_an_unknown_column_becomes_a_metric_beside_unchanged_ones(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="new_column")
    run()
    new = {row for row in measurements() if json.loads(row[0])["metric"] == "nouvelle_filiere"}
    assert {value for _, _, value in new} == {42.0}
    assert measurements() - new == fault_free


def test_an_unknown_text_column_is_one_quarantine_row(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="new_column", column="commentaire", value="essai")
    run()
    assert quarantined() == {"unknown_column": 2}
    assert measurements() == fault_free


def test_a_vanished_column_withdraws_nothing(warehouse, portal, fault_free):
    run("good")
    portal.inject("schema_drift", mode="missing_column", column="eolien")
    run("narrow")
    assert measurements() == fault_free


def test_a_vanished_key_column_is_an_error_not_a_green_run(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="missing_column", column="date_heure")
    with pytest.raises(MalformedResponseError, match="date_heure"):
        run()
    portal.clear()
    run()
    assert measurements() == fault_free


def test_measured_values_of_the_future_are_set_aside(warehouse, monkeypatch):
    """On the served present (`shift=auto`), since only there the future is the future of the answer."""
    from powersense.local.replay import ReplayServer

    with ReplayServer(shift="auto", clock="frozen") as server:
        monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": server.base_url}))
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        jobs = [job("live", "national_realtime", now - timedelta(hours=3), now)]
        server.inject("future_rows", rows=4)
        run("bad", jobs)
        assert quarantined()["future_value"] > 0
        load = "metric = 'consommation' AND isNotNull(value)"
        newest = query(f"SELECT max(observed_at) FROM measurements FINAL WHERE {load}")[0][0].replace(tzinfo=UTC)
        assert newest <= now + timedelta(minutes=3)
        assert query("SELECT count() FROM measurements WHERE metric = 'prevision_j1' AND observed_at > now()")[0][0] > 0
        server.clear()
        run("good", jobs)
        # What is less than three minutes ahead counts as measured: it stood, and is withdrawn.
        healed = standing()
        for table in TABLES:
            query(f"TRUNCATE TABLE {table} SYNC")
        run("fault free", jobs)
        assert healed == standing()


# ── the warehouse itself ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def own_engine(tmp_path, monkeypatch, portal):
    """An engine of the test's own, so that killing it harms nobody; yields a function that starts it again."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    port, passwords = free_port(), (secrets.token_urlsafe(9), secrets.token_urlsafe(9))
    engines: list[EmbeddedClickHouse] = []

    def start() -> EmbeddedClickHouse:
        engine = EmbeddedClickHouse(
            data_dir=tmp_path / "clickhouse", http_port=port, writer_password=passwords[0], reader_password=passwords[1]
        )
        engine.start()
        engines.append(engine)
        return engine

    for role, connection, password in zip(
        ("writer", "reader"), ("CLICKHOUSE_DEFAULT", "CLICKHOUSE_READER"), passwords, strict=True
    ):
        address = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "schema": "powersense"}
        login = {"login": f"powersense_{role}", "password": password}
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection}", json.dumps(address | login))
    start()
    with connect("writer", database="default") as client:
        migrate(client, settings=get_settings())
    yield start, engines
    for engine in engines:
        engine.kill()


def test_a_warehouse_that_is_down_is_a_named_error_and_the_retry_stores_all(own_engine, fault_free_rows):
    start, engines = own_engine
    engines[-1].kill()
    with pytest.raises(WarehouseUnavailableError, match="does not answer"):
        run()
    start()
    run()
    assert measurements() == fault_free_rows


@pytest.fixture
def fault_free_rows(own_engine):
    """What a run without faults stores, on the test's own engine; tables are empty afterwards."""
    if not FAULT_FREE:
        run()
        FAULT_FREE["rows"] = measurements()
        for table in TABLES:
            query(f"TRUNCATE TABLE {table} SYNC")
    return FAULT_FREE["rows"]


@pytest.mark.parametrize("delay_seconds", [0.0, 0.02, 0.08])
def test_a_warehouse_killed_while_storing_loses_and_doubles_nothing(own_engine, fault_free_rows, delay_seconds):
    start, engines = own_engine
    batches = [fetch(one, run_id="r", dag_id="ingest_load") for one in JOBS]
    killer = threading.Timer(delay_seconds, engines[-1].kill)
    killer.start()
    with contextlib.suppress(WarehouseUnavailableError):
        store(batches)
    killer.join()
    start()
    store(batches)
    assert measurements() == fault_free_rows
    assert query("SELECT count() - uniqExact(ukey, version) FROM measurements FINAL") == [(0,)]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5])
def test_a_task_killed_with_signal_9_leaves_nothing_that_its_retry_doubles(own_engine, fault_free_rows, seconds):
    script = (
        "import json, sys; from powersense.ingest import fetch, store\n"
        "jobs = json.loads(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "store([fetch(one, run_id='r', dag_id='ingest_load') for one in jobs])\n"
    )
    task = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, json.dumps(JOBS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
    )
    assert task.stdout is not None
    task.stdout.readline()
    time.sleep(seconds)
    task.send_signal(signal.SIGKILL)
    task.wait()
    task.stdout.close()
    run("r")
    assert measurements() == fault_free_rows
    assert [row for row in query("SELECT batch_id, state FROM ingestion_runs FINAL") if row[1] != "success"] == []
    assert {row[0] for row in query("SELECT batch_id FROM ingestion_runs FINAL")} == {
        batch_id_of(one, "r") for one in JOBS
    }
