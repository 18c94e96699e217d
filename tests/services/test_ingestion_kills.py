"""A warehouse that is down or killed and tasks killed by signal 9: nothing is lost and nothing stored twice."""

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
from pathlib import Path

import pytest

from powersense.errors import WarehouseUnavailableError
from powersense.ingest import fetch, store
from powersense.ingest.jobs import batch_id_of
from powersense.settings import get_settings
from tests.services.replay_portal import serving
from tests.services.replayed_ingestion import JOBS, connected, fault_free_rows, measurements, run
from tests.warehouses import query

ROOT = Path(__file__).resolve().parents[2]
running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(connected)


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


@pytest.fixture
def fault_free(own_engine):
    """What a run without faults stores, on the test's own engine; tables are empty afterwards."""
    return fault_free_rows()


def test_a_warehouse_that_is_down_is_a_named_error_and_the_retry_stores_all(own_engine, fault_free):
    start, engines = own_engine
    engines[-1].kill()
    with pytest.raises(WarehouseUnavailableError, match="does not answer"):
        run()
    start()
    run()
    assert measurements() == fault_free


@pytest.mark.parametrize("delay_seconds", [0.0, 0.02, 0.08])
def test_a_warehouse_killed_while_storing_loses_and_doubles_nothing(own_engine, fault_free, delay_seconds):
    start, engines = own_engine
    batches = [fetch(one, run_id="r", dag_id="ingest_load") for one in JOBS]
    killer = threading.Timer(delay_seconds, engines[-1].kill)
    killer.start()
    with contextlib.suppress(WarehouseUnavailableError):
        store(batches)
    killer.join()
    start()
    store(batches)
    assert measurements() == fault_free
    assert query("SELECT count() - uniqExact(ukey, version) FROM measurements FINAL") == [(0,)]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5])
def test_a_task_killed_with_signal_9_leaves_nothing_that_its_retry_doubles(own_engine, fault_free, seconds):
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
    assert measurements() == fault_free
    assert [row for row in query("SELECT batch_id, state FROM ingestion_runs FINAL") if row[1] != "success"] == []
    assert {row[0] for row in query("SELECT batch_id FROM ingestion_runs FINAL")} == {
        batch_id_of(one, "r") for one in JOBS
    }
