"""Files that runs claim: by one at a time, free again after a death, and never set back by a late comparison."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from powersense.autoloader import steps
from powersense.autoloader.runs import RunFailedError
from powersense.autoloader.steps import run_once
from powersense.files.stored_file import RunState, StoredFile
from powersense.warehouse.client import connect
from powersense.warehouse.files import states as file_states
from powersense.warehouse.files.states import Pending
from powersense.warehouse.sql import statement
from tests.services.file_data import a_run, counts, declare, emptied, ingestion, loaded, run_of, states, three_meters
from tests.warehouses import query

empty_warehouse = pytest.fixture(autouse=True)(emptied)
folder = pytest.fixture(three_meters)


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
    run = run_of(name, "r")
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
    slow = run_of(name, "slow")
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
