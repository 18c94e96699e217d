"""Several writers at once, in threads and in processes, with overlapping and contradicting batches."""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier

import pytest

from powersense.warehouse import landing_log, measurements
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch
from tests.services.rule_model import Model, Row, contradictions, frame, stored_versions
from tests.warehouses import Warehouse

Batch = tuple[int, str, list[Row]]


def contradicting_batches(count: int, *, seed: int) -> list[Batch]:
    """Return batches over the same few keys, each with its own idea of the values, retrieved one after another."""
    chance = random.Random(seed)  # noqa: S311
    return [
        (
            number,
            f"batch{number:03d}",
            [Row(slot, chance.choice([None, 1.0, 2.0, float(number)])) for slot in range(40) if chance.random() < 0.7],
        )
        for number in range(count)
    ]


def write(batches: list[Batch]) -> None:
    """Land and store batches, each twice as a retried task does; runs in a thread or a process of its own."""
    with connect("writer") as client:
        for retrieval, batch_id, rows in batches:
            land(client, frame(rows, retrieval=retrieval), batch_id=batch_id)
            store_batch(client, batch_id)
            store_batch(client, batch_id)


def expected(client, batches: list[Batch]) -> Model:
    """Apply the rule to the batches in the order that the writers agreed on."""
    places = {batch_id: landing_log.of_batch(client, batch_id)[0].seq for _, batch_id, _ in batches}
    assert len(set(places.values())) == len(batches)
    model = Model()
    for retrieval, batch_id, rows in sorted(batches, key=lambda batch: places[batch[1]]):
        model.apply(rows, retrieval=retrieval, batch_id=batch_id)
    return model


def assert_as_the_rule_says(client, batches: list[Batch]) -> None:
    model = expected(client, batches)
    assert contradictions(client) == 0
    assert stored_versions(client) == model.versions
    newest = {row.key: row.value for _, _, rows in sorted(batches, key=lambda batch: batch[0]) for row in rows}
    latest = {key: values[-1] for key, values in stored_versions(client).items()}
    assert latest == {key: value for key, value in newest.items() if key in latest}
    assert all(newest[key] is None for key in newest.keys() - latest.keys())


def pool_of(kind: str, workers: int):
    if kind == "threads":
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize(("kind", "workers"), [("threads", 4), ("processes", 2)])
def test_contradicting_writers_leave_what_the_rule_gives(warehouse: Warehouse, kind, workers):
    batches = contradicting_batches(24, seed=workers)
    with pool_of(kind, workers) as pool:
        # Dealt out in turn, so that neighbours in time of retrieval meet in different writers.
        list(pool.map(write, [batches[worker::workers] for worker in range(workers)]))
    with connect("writer") as client:
        assert_as_the_rule_says(client, batches)


def test_one_batch_stored_by_many_at_once_is_stored_once(warehouse: Warehouse):
    rows = [Row(slot, float(slot)) for slot in range(500)]
    with connect("writer") as client:
        land(client, frame(rows, retrieval=1), batch_id="a")
        land(client, frame([Row(row.slot, -1.0) for row in rows], retrieval=2), batch_id="b")
    ready = Barrier(6)

    def store(batch_id):
        with connect("writer") as own:
            ready.wait()
            return store_batch(own, batch_id)

    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(store, ["a", "b"] * 3))
    with connect("writer") as client:
        assert contradictions(client) == 0
        assert set(map(tuple, stored_versions(client).values())) == {(float(slot), -1.0) for slot in range(500)}
    assert {(found.new, found.revised) for found in counts[::2]} == {(500, 0)}
    assert {(found.new, found.revised) for found in counts[1::2]} == {(0, 500)}


def test_a_writer_that_overtakes_a_sleeping_one_numbers_it_first(warehouse: Warehouse, monkeypatch):
    """The race that a numbering against the stored state alone loses: landed late, retrieved early, both in flight."""
    with connect("writer") as slow, connect("writer") as quick:
        land(slow, frame([Row(0, 1.0)], retrieval=1), batch_id="early")
        land(quick, frame([Row(0, 2.0)], retrieval=2), batch_id="late")
        numbering = measurements._store

        def overtaken(client, landing, **arguments):
            # All of the other's work happens between this one's decision to number and its statement.
            if client is slow:
                monkeypatch.setattr(measurements, "_store", numbering)
                store_batch(quick, "late")
                land(quick, frame([Row(0, 3.0)], retrieval=3), batch_id="later")
                store_batch(quick, "later")
            numbering(client, landing, **arguments)

        monkeypatch.setattr(measurements, "_store", overtaken)
        counts = store_batch(slow, "early")
        assert stored_versions(slow) == {Row(0, None).key: [1.0, 2.0, 3.0]}
        assert contradictions(slow) == 0
        assert (counts.new, counts.revised) == (1, 0)


def test_places_in_the_order_are_given_once_under_contention(warehouse: Warehouse):
    ready = Barrier(8)

    def place(worker):
        with connect("writer") as client:
            ready.wait()
            for number in range(5):
                land(client, frame([Row(worker, float(number))], retrieval=number), batch_id=f"w{worker}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(place, range(8)))
    with connect("reader") as client:
        rows = client.query(
            "SELECT seq, uniqExact(landing_id), count() FROM landings GROUP BY seq ORDER BY seq"
        ).result_rows
    assert rows == [(seq, 1, 1) for seq in range(1, 41)]
