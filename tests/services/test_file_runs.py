"""Runs of the autoloader on the real engine and a real folder: what is new, changed, late, wrong, gone, or too much."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from powersense.autoloader import steps
from powersense.autoloader.loading import BatchFailedError
from powersense.autoloader.runs import RunFailedError
from powersense.autoloader.steps import LastTryError, run_once
from powersense.files.stored_file import RunState
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.files import states as file_states
from tests.services.file_data import a_run, counts, declare, emptied, ingestion, loaded, states, three_meters, write
from tests.warehouses import query

empty_warehouse = pytest.fixture(autouse=True)(emptied)
folder = pytest.fixture(three_meters)
HTML = "<!DOCTYPE html>\n<html><body>503</body></html>\n"


def test_only_what_is_new_or_changed_is_loaded(folder):
    first = run_once(ingestion(folder))
    assert (first.state, counts(first)) == (RunState.SUCCESS, {"new": 3, "loaded": 3})
    assert (first.files_listed, first.rows_loaded, first.is_full_listing) == (3, 9, True)
    assert counts(run_once(ingestion(folder))) == {}
    write(folder, "m2.csv", meter=2, rows=5)
    write(folder, "a/late.csv", meter=0, rows=1)
    third = run_once(ingestion(folder))
    assert (counts(third), third.rows_loaded) == ({"new": 1, "changed": 1, "loaded": 2}, 6)
    assert loaded() == {0: 1, 1: 3, 2: 5, 3: 3}


def test_a_dry_run_lists_what_would_be_loaded_and_changes_nothing(folder):
    dry = run_once(ingestion(folder), dry_run=True)
    assert (dry.state, dry.is_dry_run, counts(dry)) == (RunState.SUCCESS, True, {"new": 3})
    with connect("reader") as client:
        planned = file_states.planned(client, ingestion="meters", comparison_id=dry.comparison_id, limit=2)
    assert [(Path(path).name, reason) for path, reason, _ in planned] == [("m1.csv", "new"), ("m2.csv", "new")]
    assert states() == {}
    assert query("SELECT count() FROM file_loads") == [(0,)]
    assert counts(run_once(ingestion(folder))) == {"new": 3, "loaded": 3}


def test_a_wrong_file_makes_the_run_partial_and_waits_for_a_person_or_a_new_content(folder):
    (folder / "m2.csv").write_text(HTML)
    run = run_once(ingestion(folder))
    assert (run.state, counts(run)) == (RunState.PARTIAL, {"new": 3, "loaded": 2, "quarantined": 1})
    assert "m2.csv" in run.error
    assert states() == {"m1.csv": "loaded", "m2.csv": "quarantined", "m3.csv": "loaded"}
    assert counts(run_once(ingestion(folder))) == {}
    path = str(folder / "m2.csv").lstrip("/")
    with connect("writer") as client:
        assert file_states.release(client, ingestion="meters", path=path)
        assert not file_states.release(client, ingestion="meters", path="nowhere")
    again = run_once(ingestion(folder))
    assert (again.state, counts(again)) == (RunState.FAILED, {"retried": 1, "quarantined": 1})
    write(folder, "m2.csv", meter=2)
    assert counts(run_once(ingestion(folder))) == {"changed": 1, "loaded": 1}
    assert loaded() == {1: 3, 2: 3, 3: 3}


def test_a_changed_file_that_is_wrong_leaves_its_earlier_rows(folder):
    run_once(ingestion(folder))
    (folder / "m2.csv").write_text(HTML)
    assert run_once(ingestion(folder)).state is RunState.FAILED
    assert loaded() == {1: 3, 2: 3, 3: 3}


def test_batches_are_bounded_and_what_is_too_much_waits(folder):
    for meter in range(4, 10):
        os.utime(write(folder, f"m{meter}.csv", meter=meter), (1_700_000_000 + meter, 1_700_000_000 + meter))
    name = declare(ingestion(folder, batch_files=2, max_files_per_run=5))
    batches = a_run(name, "first")
    assert len(batches) == 3
    for batch in batches:
        assert sum(steps.load_batch(name, batch, run_id="first").values()) <= 2
    assert steps.finish_run(name, run_id="first")["files_waiting"] == 4
    # Those modified first come first.
    waiting = {"m2.csv", "m3.csv"} | {"m1.csv"}
    assert {file for file, state in states().items() if state == "new"} <= waiting | {"m9.csv"}
    second = run_once(ingestion(folder, batch_bytes=1, max_files_per_run=5))
    assert counts(second) == {"retried": 4, "loaded": 4}
    assert query("SELECT max(batch) FROM file_candidates WHERE run_id = {run:String}", run=second.run_id) == [(4,)]
    assert loaded() == dict.fromkeys(range(1, 10), 3)


def test_a_file_deleted_after_the_listing_is_skipped(folder):
    name = declare(ingestion(folder))
    (batch,) = a_run(name, "r")
    (folder / "m1.csv").unlink()
    write(folder, "m2.csv", meter=20, rows=7)
    found = steps.load_batch(name, batch, run_id="r")
    assert (found["loaded"], found["skipped"]) == (1, 2)
    assert steps.finish_run(name, run_id="r")["files_skipped"] == 2
    assert counts(run_once(ingestion(folder))) == {"changed": 1, "loaded": 1}
    assert states() == {"m1.csv": "skipped", "m2.csv": "loaded", "m3.csv": "loaded"}
    assert loaded() == {3: 3, 20: 7}


def test_what_fails_is_tried_again_and_quarantined_when_its_retries_are_used_up(folder):
    name = declare(ingestion(folder, retries=1))
    (batch,) = a_run(name, "r")
    table = f"{get_settings().clickhouse_files_database}.meters__loads"
    with connect("writer") as client:
        client.command(f"RENAME TABLE {table} TO {table}_away")
    with pytest.raises(BatchFailedError, match=r"m1\.csv"):
        steps.load_batch(name, batch, run_id="r", try_number=1)
    assert set(states().values()) == {"failed"}
    with pytest.raises(RunFailedError, match="m1"):
        steps.finish_run(name, run_id="r")
    found = steps.load_batch(name, batch, run_id="r", try_number=2)
    assert found["quarantined"] == 3
    with pytest.raises(RunFailedError, match="is failed"):
        steps.finish_run(name, run_id="r")
    assert query("SELECT attempt, toString(outcome), count() FROM file_loads GROUP BY 1, 2 ORDER BY 1") == [
        (1, "failed", 3),
        (2, "quarantined", 3),
    ]


def test_a_task_s_last_try_is_as_the_declaration_says(folder):
    name = declare(ingestion(folder, retries=1))
    (batch,) = a_run(name, "r")
    table = f"{get_settings().clickhouse_files_database}.meters__loads"
    with connect("writer") as client:
        client.command(f"RENAME TABLE {table} TO {table}_away")
    with pytest.raises(LastTryError):
        steps.load_batch(name, batch, run_id="r", try_number=2)


def test_a_store_that_is_not_there_fails_the_run_by_name(tmp_path):
    missing = tmp_path / "missing"
    run = run_once(ingestion(missing))
    assert run.state is RunState.FAILED
    assert "StoreAccessError" in run.error
    assert str(missing) in run.error
    assert run.finished_at is not None


def test_a_connection_that_is_not_defined_fails_the_run_by_name(tmp_path):
    run = run_once(ingestion(tmp_path, uri="s3://bucket/*.csv", connection="nowhere"))
    assert run.state is RunState.FAILED
    assert "AIRFLOW_CONN_NOWHERE" in run.error


def test_dated_folders_are_listed_from_the_lookback_on_and_in_whole_when_that_is_due(tmp_path):
    now = datetime.now(UTC)
    days = {f"{now - timedelta(days=ago):%Y/%m/%d}/m.csv": ago for ago in (0, 1, 40)}
    for name, ago in days.items():
        write(tmp_path, name, meter=ago)
    dated = ingestion(tmp_path, uri=f"file://{tmp_path}/{{yyyy}}/{{mm}}/{{dd}}/*.csv", partition_lookback_hours=48)
    first = run_once(dated)
    assert (first.is_full_listing, first.files_listed) == (True, 3)
    write(tmp_path, f"{now - timedelta(days=40):%Y/%m/%d}/late.csv", meter=41)
    second = run_once(dated)
    assert (second.is_full_listing, second.files_listed, counts(second)) == (False, 2, {})
    with connect("writer") as client:
        old = (
            "ALTER TABLE file_runs UPDATE started_at = started_at - INTERVAL 2 DAY WHERE 1 SETTINGS mutations_sync = 2"
        )
        client.command(old)
    third = run_once(dated)
    assert (third.is_full_listing, counts(third)) == (True, {"new": 1, "loaded": 1})
