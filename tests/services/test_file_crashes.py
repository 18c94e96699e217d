"""Exactly once in effect: killed at random points, two runs at once, readers during a reload."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from powersense.autoloader import declarations, steps
from powersense.autoloader.steps import run_once
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.file_data import counts, forget_files, ingestion, loaded, states, write
from tests.warehouses import query

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
FILES = 36


@pytest.fixture(autouse=True)
def empty_warehouse(module_warehouse):
    forget_files()


def checksum(table):
    database = get_settings().clickhouse_files_database
    return query(f"SELECT count(), sum(cityHash64(meter, load_mw)), uniqExact(meter) FROM {database}.{table}")


def test_killed_at_ten_random_points_the_table_is_that_of_a_clean_run(tmp_path):
    for meter in range(FILES):
        write(tmp_path, f"m{meter}.csv", meter=meter, rows=5 + meter)
    # A killed attempt counts: one file may be hit several times.
    killed = ingestion(tmp_path, retries=10, batch_files=7)
    (tmp_path / "declaration.json").write_text(killed.model_dump_json())
    command = [sys.executable, "-m", "tests.services.file_crash_worker", str(tmp_path / "declaration.json"), "run"]
    done = subprocess.run(
        [*command, str(KILLS), "20170930"], capture_output=True, text=True, cwd=ROOT, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"killed": KILLS, "exit": 0}
    clean = run_once(ingestion(tmp_path, name="clean", table="clean"))
    assert clean.files_loaded == FILES
    assert checksum("meters") == checksum("clean")
    assert set(states().values()) == {"loaded"}
    # The kills did hit: attempts were cut short, and their rows are seen by nobody.
    assert query("SELECT count() > {files:UInt32} FROM file_claims WHERE ingestion = 'meters'", files=FILES) == [(1,)]


def test_two_runs_at_once_load_each_file_once(tmp_path):
    for meter in range(24):
        write(tmp_path, f"m{meter}.csv", meter=meter)
    one = ingestion(tmp_path, batch_files=4)
    with connect("writer") as client:
        declarations._write(client, one, origin="yaml", changed_by="test")
    plans = {}
    for run_id in ("a", "b"):
        steps.start_run({"ingestion": one.name}, run_id=run_id)
        comparison = steps.compare(one.name, steps.discover(one.name, run_id=run_id), run_id=run_id)
        plans[run_id] = steps.plan_batches(one.name, comparison, pool="default")
    together = threading.Barrier(2)

    def load(run_id):
        together.wait()
        return [steps.load_batch(one.name, batch, run_id=run_id) for batch in plans[run_id]]

    with ThreadPoolExecutor(2) as pool:
        found = [outcome for outcomes in pool.map(load, plans) for outcome in outcomes]
    assert sum(outcome["loaded"] for outcome in found) == 24
    assert query("SELECT count(), uniqExact(path) FROM file_loads WHERE outcome = 'loaded'") == [(24, 24)]
    ended = [steps.finish_run(one.name, run_id=run_id)["files_loaded"] for run_id in plans]
    assert sum(ended) == 24
    assert loaded() == dict.fromkeys(range(24), 3)


def test_readers_see_a_changed_file_s_earlier_rows_or_its_new_ones_never_both(tmp_path):
    rows = 20_000
    write(tmp_path, "other.csv", meter=7)

    def put(load):
        (tmp_path / "m.csv").write_text("meter,load_mw\n" + f"1,{load}\n" * rows)

    put(1)
    run_once(ingestion(tmp_path))
    database, seen, stop = get_settings().clickhouse_files_database, set(), threading.Event()

    def read():
        with connect("reader") as client:
            while not stop.is_set():
                asked = f"SELECT count(), min(load_mw), max(load_mw) FROM {database}.meters WHERE meter = 1"
                seen.update(client.query(asked).result_rows)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for load in (2, 3):
            put(load)
            assert counts(run_once(ingestion(tmp_path))) == {"changed": 1, "loaded": 1}
    finally:
        stop.set()
        reader.join()
    assert seen <= {(rows, load, load) for load in (1.0, 2.0, 3.0)}
    assert len(seen) >= 2
    assert loaded() == {1: rows, 7: 3}
