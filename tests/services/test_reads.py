"""What readers get: the as-known rule, its range reads, newest instants, run records and quarantine."""

from __future__ import annotations

import json
import re
import secrets
import traceback
from datetime import timedelta

import pandas as pd
import pytest

from powersense.errors import WarehouseError, WarehouseUnavailableError
from powersense.local.ports import free_port
from powersense.warehouse import measurements
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.landing_log import of_batch
from powersense.warehouse.ledger import MEASUREMENTS
from powersense.warehouse.measurements import StoreCounts, store_batch
from powersense.warehouse.quarantine import quarantine
from powersense.warehouse.reads import as_known, is_empty, newest_observed_at
from powersense.warehouse.runs import finish_run, start_run, succeeded_batches
from powersense.warehouse.sql import statement
from tests.services.rule_model import START, STEP, Row, frame
from tests.warehouses import Warehouse

# Ten years of half-hours of 60 series, written as the server's own rows: 1.4 million in all.
_TEN_YEARS = """
INSERT INTO measurements
    (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id, batch_id)
SELECT
    'metric' || toString(number % 6), 'area' || toString(intDiv(number, 6) % 10),
    toDateTime('2008-01-01 00:00:00', 'UTC') + intDiv(number, 60) * 3600 * 4,
    'realtime', 'rte', 1, number % 1000, 'filler', '2020-01-01 00:00:00', 'filler', 'filler'
FROM numbers(60 * 6 * 3653)
"""


@pytest.fixture
def client(warehouse: Warehouse):
    with connect("writer") as opened:
        yield opened


@pytest.fixture
def reader(client):
    with connect("reader") as opened:
        yield opened


def put(client, rows, *, retrieval, batch_id):
    """Store a batch and return the server's time after it, for reads as of then."""
    land(client, frame(rows, retrieval=retrieval), batch_id=batch_id)
    store_batch(client, batch_id)
    return client.query("SELECT now64(6, 'UTC')").first_row[0]


def known(reader, **bounds):
    bounds = {"metric": "consommation", "areas": ["France"], "start": START, "end": START + 10 * STEP} | bounds
    found = as_known(reader, **bounds)
    return [(int((row.observed_at - START) / STEP), row.value, row.vintage, row.version) for row in found.itertuples()]


def test_the_highest_vintages_highest_version_with_a_value_counts(client, reader):
    put(client, [Row(0, 1.0), Row(1, 1.0), Row(2, 1.0)], retrieval=1, batch_id="a")
    put(client, [Row(0, 2.0, vintage="definitive"), Row(1, 2.0, vintage="consolidated")], retrieval=2, batch_id="b")
    put(client, [Row(0, 3.0), Row(1, 3.0, vintage="consolidated"), Row(2, None)], retrieval=3, batch_id="c")
    assert known(reader) == [(0, 2.0, "definitive", 1), (1, 3.0, "consolidated", 2), (2, 1.0, "realtime", 1)]
    assert known(reader, up_to_vintage="realtime") == [
        (0, 3.0, "realtime", 2),
        (1, 1.0, "realtime", 1),
        (2, 1.0, "realtime", 1),
    ]


def test_the_past_is_known_as_it_was(client, reader):
    before = put(client, [], retrieval=0, batch_id="nothing")
    first = put(client, [Row(0, 1.0)], retrieval=1, batch_id="a")
    second = put(client, [Row(0, 2.0), Row(1, 5.0)], retrieval=2, batch_id="b")
    put(client, [Row(0, 3.0, vintage="definitive")], retrieval=3, batch_id="c")
    assert known(reader, as_of=before) == []
    assert known(reader, as_of=first) == [(0, 1.0, "realtime", 1)]
    assert known(reader, as_of=second) == [(0, 2.0, "realtime", 2), (1, 5.0, "realtime", 1)]
    assert known(reader) == [(0, 3.0, "definitive", 1), (1, 5.0, "realtime", 1)]
    client.command("OPTIMIZE TABLE measurements FINAL")
    assert known(reader, as_of=first) == [(0, 1.0, "realtime", 1)]


def test_a_range_has_its_start_and_not_its_end(client, reader):
    put(client, [Row(slot, float(slot)) for slot in range(5)], retrieval=1, batch_id="a")
    found = known(reader, start=START + STEP, end=START + 3 * STEP)
    assert [slot for slot, *_ in found] == [1, 2]


def test_an_empty_answer_has_the_columns_of_a_full_one(client, reader):
    bounds = {"metric": "consommation", "areas": ["France"], "start": START, "end": START + STEP}
    empty = as_known(reader, **bounds)
    put(client, [Row(0, 1.0)], retrieval=1, batch_id="a")
    assert list(empty.columns) == list(as_known(reader, **bounds).columns)


def granules(client, query, parameters) -> tuple[int, int]:
    """Return how many granules a query reads and how many the table has, by the engine's own plan."""
    plan = "\n".join(row[0] for row in client.query(f"EXPLAIN indexes = 1 {query}", parameters=parameters).result_rows)
    found = [tuple(map(int, pair)) for pair in re.findall(r"Granules: (\d+)/(\d+)", plan)]
    assert found, plan
    return min(read for read, _ in found), max(of for _, of in found)


def test_predicates_on_the_view_reach_the_primary_key(client, reader):
    client.command(_TEN_YEARS)
    parameters = {
        "metric": "metric1",
        "areas": ["area3"],
        "start": START,
        "end": START + timedelta(days=7),
        "as_of": START.replace(year=2100),
        "up_to_vintage": "definitive",
    }
    read, total = granules(reader, statement("as_known"), parameters)
    assert total > 1000
    assert read <= 4
    rows = reader.query(statement("as_known"), parameters=parameters)
    assert len(rows.result_rows) == 42
    assert int(rows.summary["read_rows"]) <= 4 * 1024


def test_the_writer_reads_only_the_batchs_range_of_ten_years(client):
    client.command(_TEN_YEARS)
    rows = [Row(8 * slot, 1.0, metric=f"metric{metric}", area="area1") for metric in range(6) for slot in range(6)]
    land(client, frame(rows, retrieval=10**9), batch_id="a")
    landing = of_batch(client, "a")[0]
    parameters = measurements._bounds(landing) | {
        **MEASUREMENTS.names,
        "landing_id": landing.extent.landing_id,
        "later_retrievals": [],
    }
    numbering = re.search(r"WITH.*", statement("store_landing"), re.DOTALL)[0]
    answer = client.query(numbering, parameters=parameters)
    assert len(answer.result_rows) == 36
    # One or two granules of 1024 rows in each of the six series, out of 1.3 million rows.
    assert int(answer.summary["read_rows"]) <= 2 * 6 * 1024 + len(rows)


def test_newest_observed_at_looks_at_values_only(client, reader):
    assert is_empty(reader)
    assert newest_observed_at(reader, metric="consommation") is None
    put(
        client,
        [Row(0, 1.0), Row(1, 2.0, area="Bretagne"), Row(2, 3.0, vintage="definitive")],
        retrieval=1,
        batch_id="a",
    )
    put(client, [Row(3, None), Row(4, 1.0, publisher="powersense")], retrieval=2, batch_id="b")
    assert not is_empty(reader)
    assert newest_observed_at(reader, metric="consommation") == START + 2 * STEP
    assert newest_observed_at(reader, metric="consommation", area="Bretagne") == START + STEP
    assert newest_observed_at(reader, metric="consommation", vintage="realtime") == START + STEP
    assert newest_observed_at(reader, metric="consommation", publisher="powersense") == START + 4 * STEP
    assert newest_observed_at(reader, metric="nucleaire") is None


def begin(client, batch_id):
    start_run(
        client,
        batch_id=batch_id,
        run_id="run",
        dag_id="ingest_load",
        source="odre",
        window_start=START,
        window_end=START + STEP,
    )


def test_a_run_is_recorded_from_start_to_finish(client, reader):
    begin(client, "live:a")
    state = "SELECT state FROM ingestion_runs FINAL"
    assert reader.query(state).result_rows == [("running",)]
    counts = StoreCounts(rows_seen=5, new=3, revised=1, unchanged=1, newest_observed_at=START)
    finish_run(client, batch_id="live:a", counts=counts, records_seen=2, rows_quarantined=1)
    row = next(iter(reader.query("SELECT * FROM ingestion_runs FINAL").named_results()))
    expected = {
        "state": "success",
        "records_seen": 2,
        "rows_seen": 5,
        "rows_new": 3,
        "rows_revised": 1,
        "rows_unchanged": 1,
        "rows_quarantined": 1,
        "newest_observed_at": START,
        "source": "odre",
        "window_end": START + STEP,
        "error": "",
    }
    assert {name: row[name] for name in expected} == expected
    assert row["seconds"] == pytest.approx((row["finished_at"] - row["started_at"]).total_seconds(), abs=1e-5)


def test_a_failed_run_says_why_and_can_be_begun_again(client, reader):
    for batch_id in ("history:1", "history:2", "live:1"):
        begin(client, batch_id)
        finish_run(client, batch_id=batch_id, error="SourceUnavailableError: 503" if batch_id == "history:2" else None)
    assert succeeded_batches(reader, prefixes=["history:"]) == ["history:1"]
    begin(client, "history:2")
    finish_run(client, batch_id="history:2")
    assert succeeded_batches(reader) == ["history:1", "history:2", "live:1"]


def test_a_run_cannot_end_without_a_beginning(client):
    with pytest.raises(WarehouseError, match="'ghost' ends without a beginning"):
        finish_run(client, batch_id="ghost")


def test_a_bad_record_seen_again_does_not_pile_up(client, reader):
    bad = pd.DataFrame(
        {
            "source": "odre",
            "area": ["France", "France", ""],
            "observed_at": pd.to_datetime(["2017-09-30", "2017-09-30", None], utc=True),
            "reason": "out_of_range",
            "detail": "consommation",
            "record": ['{"a": 1}', '{"a": 1}', '{"b": 2}'],
            "record_hash": ["h1", "h1", "h2"],
            "run_id": "first",
        }
    )
    assert quarantine(client, bad) == 2
    assert quarantine(client, bad.assign(run_id="second")) == 2
    assert quarantine(client, bad.iloc[:0]) == 0
    rows = reader.query(
        "SELECT record_hash, observed_at, area, run_id, last_seen_at > first_seen_at FROM quarantine FINAL "
        "ORDER BY record_hash"
    ).result_rows
    assert rows == [("h1", START, "France", "first", True), ("h2", None, "", "first", True)]


def test_the_reader_cannot_write(warehouse: Warehouse):
    with pytest.raises(WarehouseError, match=r"READONLY|ACCESS_DENIED"), connect("reader") as reader:
        reader.command("INSERT INTO calendar_days (day) VALUES ('2017-01-01')")


@pytest.mark.parametrize("query", ["SELECT nothing", "SELECT throwIf(number = 999999) FROM numbers(1000000)"])
def test_what_the_server_answers_is_no_outage(warehouse: Warehouse, query):
    with pytest.raises(WarehouseError, match="answers: ") as caught, connect("reader") as reader:
        reader.query(query)
    assert not isinstance(caught.value, WarehouseUnavailableError)


@pytest.fixture
def elsewhere(warehouse: Warehouse, monkeypatch):
    """Point the writer's connection at a port of loopback, with a password of its own, for the test only."""

    def point(port: int) -> str:
        password = secrets.token_urlsafe(12)
        facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "login": "powersense_writer"}
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(facts | {"password": password}))
        return password

    with monkeypatch.context() as patch:
        yield point


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_an_unreachable_server_is_named_without_its_password(elsewhere):
    port = free_port()
    password = elsewhere(port)
    with (
        pytest.raises(
            WarehouseUnavailableError, match=rf"127\.0\.0\.1:{port} does not answer.*'clickhouse_def"
        ) as caught,
        connect("writer"),
    ):
        pass
    assert password not in everything_said(caught.value)


def test_a_refused_login_is_named_without_its_password(elsewhere, warehouse: Warehouse):
    password = elsewhere(warehouse.http_port)
    with pytest.raises(WarehouseError, match="refuses the login 'powersense_writer'") as caught, connect("writer"):
        pass
    assert password not in everything_said(caught.value)
