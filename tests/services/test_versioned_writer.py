"""One writer at a time: what becomes a version, what does not, and what a retry does."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powersense.errors import LandingError
from powersense.warehouse import landing_log, measurements
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import StoreCounts, store_batch
from tests.services.rule_model import START, STEP, Model, Row, contradictions, frame, stored_versions
from tests.warehouses import Warehouse

pytestmark = pytest.mark.usefixtures("warehouse")


def put(client, rows, *, retrieval, batch_id) -> StoreCounts:
    land(client, frame(rows, retrieval=retrieval), batch_id=batch_id)
    return store_batch(client, batch_id)


@pytest.fixture
def client(warehouse: Warehouse):
    with connect("writer") as opened:
        yield opened


def values_of(client, slot=0):
    return stored_versions(client).get(Row(slot, None).key)


def test_a_change_is_a_version_and_a_repetition_is_not(client):
    first = put(client, [Row(0, 100.0), Row(1, 200.0)], retrieval=1, batch_id="a")
    second = put(client, [Row(0, 101.0), Row(1, 200.0), Row(2, 300.0)], retrieval=2, batch_id="b")
    assert first == StoreCounts(rows_seen=2, new=2, revised=0, unchanged=0, newest_observed_at=START + STEP)
    assert second == StoreCounts(rows_seen=3, new=1, revised=1, unchanged=1, newest_observed_at=START + 2 * STEP)
    assert [values_of(client, slot) for slot in range(3)] == [[100.0, 101.0], [200.0], [300.0]]


def test_null_is_a_version_after_a_value_only(client):
    counts = [
        put(client, [Row(0, value)], retrieval=number, batch_id=f"b{number}")
        for number, value in enumerate([None, 5.0, None, None, 5.0])
    ]
    assert values_of(client) == [5.0, None, 5.0]
    assert [(found.new, found.revised, found.unchanged) for found in counts] == [
        (0, 0, 1),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0, 1, 0),
    ]
    assert counts[0].newest_observed_at is None


def test_values_are_compared_as_they_are(client):
    for number, value in enumerate([0.1 + 0.2, 0.3, 0.30000000000000004, -0.0, 0.0]):
        put(client, [Row(0, value)], retrieval=number, batch_id=f"b{number}")
    assert values_of(client) == [0.1 + 0.2, 0.3, 0.1 + 0.2, 0.0]


@pytest.mark.parametrize("again", ["store", "land and store"])
def test_a_retry_changes_nothing_and_counts_the_same(client, again):
    rows = [Row(0, 1.0), Row(1, None)]
    put(client, [Row(0, 0.5)], retrieval=0, batch_id="before")
    counts = put(client, rows, retrieval=1, batch_id="a")
    if "land" in again:
        land(client, frame(rows, retrieval=1), batch_id="a")
    before = client.query("SELECT * FROM measurements ORDER BY ALL").result_rows
    assert store_batch(client, "a") == counts
    assert client.query("SELECT * FROM measurements ORDER BY ALL").result_rows == before


def test_a_retry_of_an_old_batch_does_not_take_back_a_newer_value(client):
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="old")
    put(client, [Row(0, 2.0)], retrieval=2, batch_id="new")
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="old")
    assert values_of(client) == [1.0, 2.0]


def test_a_late_landing_does_not_take_back_a_value_that_a_later_retrieval_confirmed(client):
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="first")
    put(client, [Row(0, 1.0)], retrieval=3, batch_id="confirmation")
    put(client, [Row(0, 9.0)], retrieval=2, batch_id="late")
    assert values_of(client) == [1.0]


def test_a_batch_fetched_again_with_other_content_counts_as_a_later_retrieval(client):
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="a")
    counts = put(client, [Row(0, 2.0)], retrieval=2, batch_id="a")
    assert values_of(client) == [1.0, 2.0]
    assert (counts.new, counts.revised) == (1, 1)


def test_series_are_told_apart_by_every_part_of_their_key(client):
    rows = [
        Row(0, 1.0),
        Row(0, 2.0, vintage="definitive"),
        Row(0, 3.0, publisher="powersense"),
        Row(0, 4.0, area="Bretagne"),
        Row(0, 5.0, metric="nucleaire"),
    ]
    assert put(client, rows, retrieval=1, batch_id="a").new == 5
    assert sorted(values[0] for values in stored_versions(client).values()) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_a_writer_left_landed_is_stored_by_the_next_that_needs_it(client):
    land(client, frame([Row(0, 1.0)], retrieval=1), batch_id="abandoned")
    put(client, [Row(0, 2.0)], retrieval=2, batch_id="next")
    assert values_of(client) == [1.0, 2.0]
    assert store_batch(client, "abandoned").new == 1


def test_an_empty_batch_is_stored_as_nothing(client):
    assert put(client, [], retrieval=1, batch_id="empty") == StoreCounts(0, 0, 0, 0, None)


def test_a_batch_that_never_landed_is_refused_by_name(client):
    with pytest.raises(LandingError, match="'missing' has not landed"):
        store_batch(client, "missing")


def test_a_batch_whose_rows_expired_is_refused_and_stores_nothing(client):
    land(client, frame([Row(0, 1.0)], retrieval=1), batch_id="a")
    client.command("TRUNCATE TABLE measurements_landing")
    with pytest.raises(LandingError, match=r"'a' landed 1 rows, of which 0 are left"):
        store_batch(client, "a")
    assert stored_versions(client) == {}


def test_a_large_batch_is_stored_in_portions_as_in_one(client, monkeypatch):
    rows = [Row(slot, float(slot), metric=f"m{metric}") for metric in range(5) for slot in range(7)]
    monkeypatch.setattr(measurements, "ROWS_PER_STATEMENT", 10)
    monkeypatch.setattr(measurements, "BULK_ROWS", 20)
    assert put(client, rows, retrieval=1, batch_id="a").new == 35
    changed = [Row(row.slot, -1.0 if row.slot == 3 else row.value, metric=row.metric) for row in rows]
    assert put(client, changed, retrieval=2, batch_id="b").revised == 5
    assert all(
        len(values) == (2 if key[2] == START + 3 * STEP else 1) for key, values in stored_versions(client).items()
    )


def test_the_bulk_statement_stores_what_the_general_one_does(client, monkeypatch):
    # A NULL, and one key twice: the value counts, not its absence.
    rows = [Row(0, 1.0), Row(1, None), Row(2, None), Row(2, 7.0)]
    monkeypatch.setattr(measurements, "BULK_ROWS", 1)
    assert put(client, rows, retrieval=1, batch_id="bulk").new == 2
    monkeypatch.setattr(measurements, "BULK_ROWS", 10**9)
    general = [Row(row.slot, row.value, area="Bretagne") for row in rows]
    assert put(client, general, retrieval=1, batch_id="general").new == 2
    found = stored_versions(client)
    assert {(key[2], *values) for key, values in found.items() if key[1] == "France"} == {
        (key[2], *values) for key, values in found.items() if key[1] == "Bretagne"
    }


def test_nan_lands_as_null(client):
    land(client, frame([Row(0, float("nan"))], retrieval=1), batch_id="a")
    assert client.query("SELECT value FROM measurements_landing").result_rows == [(None,)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="area"), "lacks .'area'."),
        (lambda f: f.assign(vintage="guess"), "vintage .'guess'. is none of"),
        (lambda f: f.assign(area=None), "1 of 1 landing rows have no area"),
        (lambda f: f.assign(observed_at=pd.NaT), "observed_at has dtype"),
        (lambda f: f.assign(observed_at=pd.to_datetime(["2017-01-01"])), "must be a datetime with a time zone"),
        (lambda f: f.assign(value=float("inf")), "infinity"),
        (lambda f: f.assign(value="many"), "not all numbers"),
    ],
    ids=["no column", "unknown vintage", "no area", "no instant", "no zone", "infinity", "text"],
)
def test_a_frame_that_breaks_the_contract_is_refused_and_leaves_nothing(client, change, message):
    with pytest.raises(LandingError, match=message):
        land(client, change(frame([Row(0, 1.0)], retrieval=1)), batch_id="a")
    assert client.query("SELECT count() FROM landings").first_row[0] == 0
    assert client.query("SELECT count() FROM measurements_landing").first_row[0] == 0


def test_every_row_leads_back_to_its_run_source_and_batch(client):
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="a")
    row = client.query("SELECT run_id, source, batch_id, toString(retrieved_at), ukey FROM measurements").first_row
    assert row == (
        "run",
        "test",
        "a",
        "2017-10-01 00:00:01.000",
        '{"publisher":"rte","vintage":"realtime","area":"France","metric":"consommation",'
        '"observed_at":"2017-09-30T00:00:00Z"}',
    )


batches = st.lists(
    st.tuples(
        st.integers(0, 5),  # when upstream answered: out of order, and equal at times
        st.sampled_from("abcd"),
        st.dictionaries(st.integers(0, 3), st.sampled_from([None, 1.0, 2.0]), min_size=1),
        st.booleans(),  # whether its writer comes to storing it
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches)
def test_any_sequence_of_batches_gives_what_the_rule_gives(client, batches):
    for table in ("measurements", "measurements_landing", "landings"):
        client.command(f"TRUNCATE TABLE {table}")
    model = Model()
    for retrieval, batch_id, content, _ in batches:
        rows = [Row(slot, value) for slot, value in content.items()]
        model.apply(rows, retrieval=retrieval, batch_id=batch_id)
    for retrieval, batch_id, content, is_stored in batches:
        land(
            client, frame([Row(slot, value) for slot, value in content.items()], retrieval=retrieval), batch_id=batch_id
        )
        if is_stored:
            store_batch(client, batch_id)
    for batch_id in sorted({batch[1] for batch in batches}):
        store_batch(client, batch_id)
    assert stored_versions(client) == model.versions
    assert contradictions(client) == 0


def test_the_order_of_landings_has_one_holder_a_place(client):
    for number in range(5):
        land(client, frame([Row(0, float(number))], retrieval=number), batch_id=f"b{number}")
    assert [landing_log.of_batch(client, f"b{number}")[0].seq for number in range(5)] == [1, 2, 3, 4, 5]


def test_a_place_lost_with_a_killed_server_is_passed_over(client):
    # The token is known, its row is not: what a kill between the two leaves behind.
    client.insert(
        "landings",
        [[1, "lost"]],
        column_names=["seq", "landing_id"],
        settings={"insert_deduplication_token": "landing-1"},
    )
    client.command("ALTER TABLE landings DROP PARTITION tuple()")
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="a")
    assert values_of(client) == [1.0]
