"""kill -9 of the engine while batches land and are stored: after a retry nothing is missing, nothing twice."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from pathlib import Path

import pytest

from powersense.errors import WarehouseError
from powersense.local.clickhouse import EmbeddedClickHouse
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch
from powersense.warehouse.migrate import migrate
from tests.services.rule_model import Model, Row, contradictions, frame, stored_versions

ROUNDS = 5
BATCHES = 40
SLOTS = 2000


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An engine that this test may kill, with migrated databases."""
    server = EmbeddedClickHouse(tmp_path / "data", free_port(), secrets.token_hex(8), secrets.token_hex(8))
    facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": server.http_port, "login": "powersense_writer"}
    facts |= {"password": server.writer_password, "schema": "powersense_crash"}
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(facts))
    monkeypatch.setenv("CLICKHOUSE_DATABASE", "powersense_crash")
    monkeypatch.setenv("CLICKHOUSE_MARTS_DATABASE", "powersense_crash_marts")
    get_settings.cache_clear()
    with server:
        with connect("writer", database="default") as client:
            migrate(client, settings=get_settings())
        yield server
    get_settings.cache_clear()


def rows_of(number: int) -> list[Row]:
    """Each batch changes a third of the slots, and takes some values away."""
    return [Row(slot, None if (slot + number) % 7 == 0 else float((slot + number) // 3)) for slot in range(SLOTS)]


def work_off(todo: list[int], done: dict[int, tuple[int, int]]) -> None:
    """Land and store batches in order until one fails; `done` holds what was acknowledged."""
    while todo:
        number = todo[0]
        with connect("writer") as client:
            land(client, frame(rows_of(number), retrieval=number), batch_id=f"batch{number}")
            counts = store_batch(client, f"batch{number}")
        done[number] = (counts.new, counts.revised)
        todo.pop(0)


def test_kill_nine_while_landing_and_storing_loses_and_repeats_nothing(own_server: EmbeddedClickHouse):
    chance = random.Random(9)  # noqa: S311
    todo, done = list(range(BATCHES)), {}
    kills = 0
    while todo and kills < ROUNDS:
        killer = threading.Timer(0.2 + chance.random(), own_server.kill)
        killer.start()
        try:
            work_off(todo, done)
        except WarehouseError:
            kills += 1
        killer.join()
        own_server.start()
        with connect("writer") as client:
            acknowledged = stored_versions(client)
            assert contradictions(client) == 0
        expected = Model()
        for number in sorted(done):
            expected.apply(rows_of(number), retrieval=number, batch_id=f"batch{number}")
        # What was acknowledged stands; the batch in flight may have added versions on top, none in between.
        for key, values in expected.versions.items():
            assert acknowledged[key][: len(values)] == values
    assert kills, "no batch was in flight when the engine was killed"
    work_off(todo, done)

    model = Model()
    for number in range(BATCHES):
        model.apply(rows_of(number), retrieval=number, batch_id=f"batch{number}")
    with connect("writer") as client:
        assert stored_versions(client) == model.versions
        assert contradictions(client) == 0
        assert client.query("SELECT count() = countDistinct(ukey, version) FROM measurements FINAL").first_row[0]
    assert sum(new for new, _ in done.values()) == len(model.versions)
    assert sum(revised for _, revised in done.values()) == sum(len(values) - 1 for values in model.versions.values())


@pytest.mark.parametrize("moment", ["land", "store"])
def test_kill_nine_within_a_large_statement_leaves_no_half_batch(own_server: EmbeddedClickHouse, moment):
    slots = 300_000
    rows = frame([Row(slot % 2000, float(slot), metric=f"m{slot // 2000}") for slot in range(slots)], retrieval=1)
    if moment == "store":
        with connect("writer") as client:
            land(client, rows, batch_id="a")
    interrupted = False
    for delay in (0.05, 0.1, 0.2, 0.4):
        threading.Timer(delay, own_server.kill).start()
        try:
            with connect("writer") as client:
                if moment == "land":
                    land(client, rows, batch_id="a")
                store_batch(client, "a")
        except WarehouseError:
            interrupted = True
        time.sleep(0.5)
        own_server.start()
    assert interrupted
    with connect("writer") as client:
        if moment == "land":
            land(client, rows, batch_id="a")
        counts = store_batch(client, "a")
        assert (counts.rows_seen, counts.new, counts.revised) == (slots, slots, 0)
        total = client.query("SELECT count(), sum(value), max(version) FROM measurements FINAL").first_row
    assert total == (slots, slots * (slots - 1) / 2, 1)
