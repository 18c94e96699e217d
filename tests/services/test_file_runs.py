"""Runs of the autoloader on the real engine and a real folder: what is new, changed, late, wrong, gone, or too much."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from powersense.autoloader import declarations, steps
from powersense.autoloader.loading import BatchFailedError
from powersense.autoloader.runs import RunFailedError
from powersense.autoloader.steps import LastTryError, run_once
from powersense.errors import ConfigurationError
from powersense.files.stored_file import RunState, StoredFile
from powersense.settings import get_settings
from powersense.warehouse import file_runs, file_states
from powersense.warehouse.client import connect
from powersense.warehouse.file_states import Pending
from powersense.warehouse.sql import statement
from tests.services.file_data import counts, forget_files, ingestion, loaded, query, states, write

HTML = "<!DOCTYPE html>\n<html><body>503</body></html>\n"


@pytest.fixture(autouse=True)
def empty_warehouse(module_warehouse):
    forget_files()


@pytest.fixture
def folder(tmp_path):
    for meter in (1, 2, 3):
        write(tmp_path, f"m{meter}.csv", meter=meter)
    return tmp_path


def declare(one):
    with connect("writer") as client:
        declarations._write(client, one, origin="yaml", changed_by="test")
    return one.name


def a_run(name, run_id, **params):
    """Begin a run of a declared ingestion up to its plan; return its batches."""
    steps.start_run({"ingestion": name, **params}, run_id=run_id)
    comparison = steps.compare(name, steps.discover(name, run_id=run_id), run_id=run_id)
    return steps.plan_batches(name, comparison, pool="default")


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


def test_a_task_that_died_leaves_its_files_to_the_next_try_and_the_run_s_end(folder):
    name = declare(ingestion(folder))
    (batch,) = a_run(name, "r")
    with connect("writer") as client:
        one, *_ = file_states.pending(client, ingestion=name, run_id="r", **batch)
        until = datetime.now(UTC) + timedelta(hours=1)
        number = file_states.claim(client, one, ingestion=name, claimant="r", until=until)
        file_states.mark_loading(client, one.file.path, ingestion=name, number=number, run_id="r", until=until)
        # Another run leaves it alone as long as the claim lasts.
        assert one.file.path not in {
            pending.file.path for pending in file_states.pending(client, ingestion=name, run_id="other", **batch)
        }
        assert len(file_states.pending(client, ingestion=name, run_id="r", **batch)) == 3
    with pytest.raises(RunFailedError, match="2 files were not tried"):
        steps.finish_run(name, run_id="r")
    run = file_runs_read(name, "r")
    assert (run.state, counts(run)) == (RunState.FAILED, {"new": 3, "failed": 3})
    assert counts(run_once(ingestion(folder))) == {"retried": 3, "loaded": 3}


def test_a_file_of_a_run_that_vanished_is_another_run_s_when_its_claim_is_over(folder):
    name = declare(ingestion(folder))
    (batch,) = a_run(name, "dead")
    until = datetime.now(UTC) + timedelta(seconds=3)
    with connect("writer") as client:
        one, *_ = file_states.pending(client, ingestion=name, run_id="dead", **batch)
        number = file_states.claim(client, one, ingestion=name, claimant="dead", until=until)
        file_states.mark_loading(client, one.file.path, ingestion=name, number=number, run_id="dead", until=until)
    assert counts(run_once(ingestion(folder))) == {"retried": 2, "loaded": 2}
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 0.1)
    assert counts(run_once(ingestion(folder))) == {"retried": 1, "loaded": 1}
    assert loaded() == {1: 3, 2: 3, 3: 3}


def file_runs_read(name, run_id):
    with connect("reader") as client:
        return file_runs.read(client, ingestion=name, run_id=run_id)


def test_a_claim_s_number_is_one_claimant_s():
    file = StoredFile("a.csv", 1, datetime(2024, 1, 1, tzinfo=UTC))
    pending = Pending(file, attempts=0, claims=0)
    until = datetime.now(UTC) + timedelta(hours=1)
    taken: dict[str, int | None] = {}
    barrier = threading.Barrier(4)

    def claim(claimant):
        with connect("writer") as client:
            barrier.wait()
            taken[claimant] = file_states.claim(client, pending, ingestion="i", claimant=claimant, until=until)

    threads = [threading.Thread(target=claim, args=(f"run {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number in taken.values() if number) == [1]
    holder = next(claimant for claimant, number in taken.items() if number)
    with connect("writer") as client:
        again = file_states.claim(client, pending, ingestion="i", claimant=holder, until=until)
        assert again == 1
        client.command("ALTER TABLE file_claims UPDATE claimed_until = now64(6) WHERE 1 SETTINGS mutations_sync = 2")
        assert file_states.claim(client, pending, ingestion="i", claimant="later", until=until) == 2


def test_a_comparison_that_comes_late_overwrites_no_newer_state(folder):
    name = declare(ingestion(folder))
    a_run(name, "slow")
    slow = file_runs_read(name, "slow")
    assert counts(run_once(ingestion(folder), run_id="fast")) == {"retried": 3, "loaded": 3}
    with connect("writer") as client:
        parameters = {
            "ingestion": name,
            "comparison_id": slow.comparison_id,
            "run_id": "slow",
            "compared_at": slow.started_at,
        }
        client.command(statement("file_candidates_noted"), parameters=parameters)
    assert set(states().values()) == {"loaded"}


def test_the_server_names_a_version_as_the_package_does():
    at = datetime(2024, 3, 10, 10, 12, 13, 456789, tzinfo=UTC)
    with connect("writer") as client:
        rows = [["i", "l", "a", 12, at, ""], ["i", "l", "b", 12, at, "abc"]]
        client.insert(
            "file_listings", rows, column_names=["ingestion", "listing_id", "path", "size", "modified_at", "etag"]
        )
    assert query("SELECT version FROM file_listings ORDER BY path") == [
        (StoredFile("a", 12, at).version,),
        (StoredFile("b", 12, at, "abc").version,),
    ]


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


def test_yaml_files_and_the_api_share_the_table_and_do_not_overwrite_each_other(tmp_path):
    def put(name, **changes):
        document = ingestion(tmp_path, name=name, **changes).model_dump(mode="json", exclude={"name"})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))

    remote = {"uri": "s3://bucket/*.csv"}
    put("one", **remote)
    put("two", **remote)
    with connect("writer") as client:
        assert declarations.sync_yaml(client, folder=tmp_path) == {"declared": 2, "written": 2, "deleted": 0}
        assert declarations.sync_yaml(client, folder=tmp_path) == {"declared": 2, "written": 0, "deleted": 0}
        declarations.create(client, ingestion(tmp_path, name="api", **remote), changed_by="vera")
        put("one", **remote, retries=7)
        (tmp_path / "two.yaml").unlink()
        put("api", **remote)
        (tmp_path / "wrong.yaml").write_text("uri: nowhere\n")
        with pytest.raises(ConfigurationError, match=r"(?s)'api' is taken.*wrong\.yaml"):
            declarations.sync_yaml(client, folder=tmp_path)
        declared = {one.ingestion.name: one for one in declarations.all_of(client)}
        assert {name: (one.origin, one.ingestion.retries) for name, one in declared.items()} == {
            "api": ("api", 3),
            "one": ("yaml", 7),
        }
        with pytest.raises(declarations.DeclarationConflictError, match=r"one\.yaml"):
            declarations.replace(client, declared["one"].ingestion, changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="declared already"):
            declarations.create(client, declared["api"].ingestion, changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="new target"):
            declarations.replace(client, ingestion(tmp_path, name="api", table="other", **remote), changed_by="vera")
        with pytest.raises(declarations.DeclarationConflictError, match="FILE_SOURCE_FOLDERS"):
            declarations.create(client, ingestion(tmp_path, name="local"), changed_by="vera")
        declarations.replace(client, ingestion(tmp_path, name="api", retries=1, **remote), changed_by="vera")
        assert declarations.get(client, "api").retries == 1
        declarations.delete(client, "api", changed_by="vera")
        with pytest.raises(declarations.UnknownIngestionError, match="'api'"):
            declarations.get(client, "api")


def test_a_request_is_due_until_its_run_begins(folder):
    name = declare(ingestion(folder))
    with connect("writer") as client:
        request_id = declarations.request_run(client, name, dry_run=True, by="vera")
    (start,) = steps.find_due(datetime.now(UTC))
    assert start["trigger_run_id"] == f"requested__{request_id}"
    steps.start_run(start["conf"], run_id=start["trigger_run_id"])
    assert steps.find_due(datetime.now(UTC)) == []
    assert file_runs_read(name, start["trigger_run_id"]).is_dry_run
    declare(ingestion(folder, enabled=False))
    with connect("writer") as client, pytest.raises(declarations.DeclarationConflictError, match="not enabled"):
        declarations.request_run(client, name, dry_run=False, by="vera")
    with pytest.raises(declarations.DeclarationConflictError, match="not enabled"):
        steps.start_run({"ingestion": name}, run_id="r")


def test_a_run_that_never_ended_does_not_hold_its_ingestion_for_ever(folder):
    one = ingestion(folder, schedule="* * * * *")
    declare(one)
    with connect("writer") as client:
        old = datetime.now(UTC) - timedelta(hours=30)
        file_runs.write(client, file_runs.FileRun("meters", "lost", started_at=old, scheduled_for=old))
        file_runs.write(client, file_runs.FileRun("meters", "alive", started_at=datetime.now(UTC), scheduled_for=old))
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert steps.find_due(later) == []
    with connect("writer") as client:
        alive = file_runs.read(client, ingestion="meters", run_id="alive")
        file_runs.write(client, file_runs.FileRun(**{**alive.__dict__, "state": RunState.SUCCESS}))
    assert len(steps.find_due(later)) == 1
    run_once(one)
    assert file_runs_read("meters", "lost").state is RunState.FAILED


def test_a_connection_that_is_not_defined_fails_the_run_by_name(tmp_path):
    run = run_once(ingestion(tmp_path, uri="s3://bucket/*.csv", connection="nowhere"))
    assert run.state is RunState.FAILED
    assert "AIRFLOW_CONN_NOWHERE" in run.error
