"""The same runs of an ingestion on a folder, an S3 server, Azurite and a GCS server, by engine and worker."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from powersense.autoloader import declarations, steps
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import RunState
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.object_stores.faults import SLOW_DOWN, Answer, faulty_server, object_answer
from tests.object_stores.peers import CONNECTION, HMAC_SECRET, S3_SECRET, Peer
from tests.object_stores.servers import AZURITE_KEY, Moto
from tests.services.weather_server import hourly_file

COLUMNS = [
    {"name": "meter", "type": "String", "is_required": True},
    {"name": "read_at", "type": "DateTime('UTC')"},
    {"name": "energy_kwh", "type": "Nullable(Float64)"},
]


def csv(meter: str, *values: float | str) -> bytes:
    """Readings of one meter, an hour apart."""
    lines = [f"{meter},2017-09-30 {hour:02}:00:00,{value}" for hour, value in enumerate(values)]
    return "\n".join(["meter,read_at,energy_kwh", *lines, ""]).encode()


# One of each store's own, since the table is the same.
STATIONS = {"folder": "44020001", "s3": "44015001", "azure": "44184001", "gcs": "35281001"}


@pytest.fixture(params=["engine", "worker"])
def reader(request):
    """Who reads the files."""
    return request.param


@pytest.fixture
def name(module_warehouse):
    """Name of the test's own ingestion and table."""
    return f"meters_{secrets.token_hex(4)}"


@pytest.fixture
def declared(name, object_store_peer):
    """Declare an ingestion of the peer's files."""

    def declare(pattern: str, *, target: dict[str, Any] | None = None, **changes: Any) -> Ingestion:
        fields = {
            "name": name,
            "uri": object_store_peer.uri(pattern),
            "connection": object_store_peer.connection,
            "format": "csv",
            "retries": 1,
            "target": {"kind": "table", "table": name, "columns": COLUMNS} | (target or {}),
        }
        return Ingestion.model_validate(fields | changes)

    return declare


def rows(name: str) -> list[tuple[Any, ...]]:
    """Return what readers of the table see: meter, hour, energy."""
    table = f"{get_settings().clickhouse_files_database}.{name}"
    with connect("reader") as client:
        sql = f"SELECT meter, toHour(read_at), energy_kwh FROM {table} ORDER BY meter, read_at"
        return list(client.query(sql).result_rows)


def loads(name: str) -> list[tuple[str, str, str]]:
    """Return every attempt at a file: the path's last part, its outcome, who read it."""
    sql = """SELECT splitByChar('/', path)[-1], outcome, reader FROM file_loads
             WHERE ingestion = {name:String} ORDER BY finished_at"""
    with connect("reader") as client:
        return list(client.query(sql, parameters={"name": name}).result_rows)


def test_only_what_is_new_or_changed_is_loaded(name, declared, object_store_peer, reader):
    peer = object_store_peer
    meters = declared("in/**/*.csv*", reader=reader)
    peer.put("in/b.csv", csv("b", 1, 2))
    peer.put("in/x y/é à.csv.gz", gzip.compress(csv("é", 3)))
    first = steps.run_once(meters)
    assert (first.state, first.files_listed, first.files_new, first.files_loaded) == (RunState.SUCCESS, 2, 2, 2)
    assert rows(name) == [("b", 0, 1.0), ("b", 1, 2.0), ("é", 0, 3.0)]
    assert {(outcome, by) for _, outcome, by in loads(name)} == {("loaded", reader)}

    idle = steps.run_once(meters)
    assert (idle.state, idle.files_listed, idle.files_loaded, idle.bytes_read) == (RunState.SUCCESS, 2, 0, 0)

    peer.put("in/b.csv", csv("b", 7))  # changed: exactly its rows go
    peer.put("in/a.csv", csv("a", 9))  # late, with an earlier name
    again = steps.run_once(meters)
    assert (again.files_new, again.files_changed, again.files_loaded) == (1, 1, 2)
    assert rows(name) == [("a", 0, 9.0), ("b", 0, 7.0), ("é", 0, 3.0)]


def test_a_bad_file_is_quarantined_and_the_others_are_loaded(name, declared, object_store_peer):
    meters = declared("in/*.csv")
    object_store_peer.put("in/good.csv", csv("good", 1))
    object_store_peer.put("in/page.csv", b"<!DOCTYPE html><html><body>Please log in</body></html>")
    run = steps.run_once(meters)
    assert (run.state, run.files_loaded, run.files_quarantined) == (RunState.PARTIAL, 1, 1)
    assert "page.csv" in run.error
    object_store_peer.put("in/page.csv", csv("page", 2))
    assert steps.run_once(meters).state == RunState.SUCCESS
    assert rows(name) == [("good", 0, 1.0), ("page", 0, 2.0)]


def test_parquet_is_read_by_either(name, declared, object_store_peer, reader):
    meters = declared("in/*.parquet", format="parquet", reader=reader)
    written = io.BytesIO()
    times = pa.array([datetime(2017, 9, 30, hour, tzinfo=UTC) for hour in range(2)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"meter": ["a", "b"], "read_at": times, "energy_kwh": [1.5, None]}), written)
    object_store_peer.put("in/1.parquet", written.getvalue())
    assert steps.run_once(meters).state == RunState.SUCCESS
    assert rows(name) == [("a", 0, 1.5), ("b", 1, None)]
    assert loads(name) == [("1.parquet", "loaded", reader)]


def test_newest_partitions_are_listed_and_late_ones_found_by_a_full_listing(name, declared, object_store_peer):
    today = datetime.now(UTC)
    recent, old = today.strftime("%Y/%m/%d"), "2017/09/30"
    meters = declared("in/{yyyy}/{mm}/{dd}/*.csv", partition_lookback_hours=24, full_listing_every_hours=1)
    object_store_peer.put(f"in/{recent}/a.csv", csv("a", 1))
    assert steps.run_once(meters).is_full_listing  # the first one is
    object_store_peer.put(f"in/{recent}/b.csv", csv("b", 1))
    object_store_peer.put(f"in/{old}/late.csv", csv("late", 1))
    partial = steps.run_once(meters)
    assert (partial.is_full_listing, partial.files_listed, partial.files_loaded) == (False, 2, 1)
    whole = steps.run_once(meters.model_copy(update={"partition_lookback_hours": 0}))
    assert (whole.is_full_listing, whole.files_listed, whole.files_loaded) == (True, 3, 1)
    assert [meter for meter, *_ in rows(name)] == ["a", "b", "late"]


@pytest.fixture
def free_folders(tmp_path, monkeypatch):
    """Local folders that may be declared otherwise than by YAML."""
    with monkeypatch.context() as environment:
        environment.setenv("FILE_SOURCE_FOLDERS", str(tmp_path))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("free_folders")
def test_a_file_deleted_or_replaced_after_its_listing_is_skipped(name, declared, object_store_peer):
    meters = declared("in/*.csv")
    with connect("writer") as client:
        declarations.create(client, meters, changed_by="test")
    for meter in ("gone", "replaced", "kept"):
        object_store_peer.put(f"in/{meter}.csv", csv(meter, 1))
    steps.start_run({"ingestion": name}, run_id="manual__1")
    comparison = steps.compare(name, steps.discover(name, run_id="manual__1"), run_id="manual__1")
    object_store_peer.delete("in/gone.csv")
    object_store_peer.put("in/replaced.csv", csv("replaced", 2, 3))
    for batch in steps.plan_batches(name, comparison, pool="default"):
        steps.load_batch(name, batch, run_id="manual__1")
    run = steps.finish_run(name, run_id="manual__1")
    assert (run["files_loaded"], run["files_skipped"]) == (1, 2)
    outcomes = {(file, outcome) for file, outcome, _ in loads(name)}
    assert outcomes == {("gone.csv", "skipped"), ("replaced.csv", "skipped"), ("kept.csv", "loaded")}
    assert rows(name) == [("kept", 0, 1.0)]
    assert steps.run_once(meters).files_loaded == 1
    assert rows(name) == [("kept", 0, 1.0), ("replaced", 0, 2.0), ("replaced", 1, 3.0)]


def test_refused_credentials_fail_the_run_and_blame_no_file(name, declared, object_store_peer, s3_server, monkeypatch):
    object_store_peer.put("in/a.csv", csv("a", 1))
    meters = declared("in/*.csv")
    with refused(object_store_peer, s3_server, monkeypatch) as told:
        run = steps.run_once(meters)
    assert run.state == RunState.FAILED
    assert told in run.error
    assert loads(name) == []
    assert steps.run_once(meters).state == RunState.SUCCESS  # once it is put right


@contextmanager
def refused(peer: Peer, s3_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let a store refuse whoever asks; gives what the error says of it."""
    variable = f"AIRFLOW_CONN_{CONNECTION.upper()}"
    if peer.kind == "s3":
        s3_server.check_logins(checked=True)
        try:
            yield "403"
        finally:
            s3_server.check_logins(checked=False)
    elif peer.kind == "azure":
        with monkeypatch.context() as environment:
            environment.setenv(variable, peer.connection_json().replace(AZURITE_KEY, "AAAA" + AZURITE_KEY[4:]))
            yield "403"
    elif peer.kind == "gcs":  # its server takes any login
        with (
            faulty_server(lambda asked: Answer(401, b"<Error><Code>AuthenticationRequired</Code></Error>")) as server,
            monkeypatch.context() as environment,
        ):
            fields = {"conn_type": "google_cloud_platform", "extra": {"endpoint": server.url}}
            environment.setenv(variable, json.dumps(fields))
            yield "401 AuthenticationRequired"
    else:
        moved = Path(f"{peer.path('in')}-away")
        folder = Path("/", peer.path("in")).rename(Path("/", moved))
        try:
            yield "is not there; make or mount it"
        finally:
            folder.rename(Path("/", peer.path("in")))


def test_a_store_that_asks_to_slow_down_costs_a_file_one_attempt(name, module_warehouse, monkeypatch):
    content = csv("a", 1)
    is_slow = True

    def script(asked: str) -> Answer:
        if "list-type" in server.requests[-1][0]:
            return Answer(body=LISTING.format(size=len(content)).encode())
        return Answer(503, SLOW_DOWN) if is_slow else object_answer(content, asked=asked)

    with faulty_server(script) as server, monkeypatch.context() as environment:
        environment.setenv("HTTP_MAX_ATTEMPTS", "2")
        get_settings.cache_clear()
        extra = {"endpoint_url": server.url}
        login = {"conn_type": "aws", "login": "key", "password": S3_SECRET}
        environment.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(login | {"extra": extra}))
        target = {"kind": "table", "table": name, "columns": COLUMNS}
        fields = {"name": name, "uri": "s3://bucket/in/*.csv", "connection": CONNECTION, "format": "csv"}
        meters = Ingestion.model_validate(fields | {"target": target, "reader": "worker"})
        slow = steps.run_once(meters)
        assert (slow.state, slow.files_failed) == (RunState.FAILED, 1)
        assert "503 SlowDown" in slow.error
        is_slow = False
        assert (again := steps.run_once(meters)).state == RunState.SUCCESS, again.error
        assert (again.files_retried, again.files_loaded) == (1, 1)
    get_settings.cache_clear()
    assert rows(name) == [("a", 0, 1.0)]


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><IsTruncated>false</IsTruncated>
<Contents><Key>in/a.csv</Key><LastModified>2017-09-30T12:00:00.000Z</LastModified><ETag>"one"</ETag>
<Size>{size}</Size></Contents></ListBucketResult>"""


def test_weather_observations_come_from_every_store(name, declared, object_store_peer):
    station = STATIONS[object_store_peer.kind]
    target = {"kind": "weather_observations", "source": "hourly"}
    weather = Ingestion.model_validate(
        declared("in/*.csv.xz").model_dump() | {"format": "meteo_hourly", "target": target}
    )
    content = hourly_file([(station, datetime(2019, 3, 31, tzinfo=UTC), 12.5, "1")])
    object_store_peer.put("in/H_44_2019.csv.xz", lzma.compress(content.encode()))
    run = steps.run_once(weather)
    assert (run.state, run.files_loaded) == (RunState.SUCCESS, 1), run.error
    with connect("reader") as client:
        sql = "SELECT value FROM weather_observations WHERE station = {station:String} AND metric = 'temperature_c'"
        assert list(client.query(sql, parameters={"station": station}).result_rows) == [(12.5,)]


def test_no_secret_is_in_the_server_s_log_or_in_the_records(name, declared, object_store_peer, clickhouse_server):
    object_store_peer.put("in/a.csv", csv("a", "no number"))
    run = steps.run_once(declared("in/*.csv", reader="engine", bad_records="fail"))
    assert (run.state, run.files_quarantined) == (RunState.FAILED, 1)  # the server logs such a statement with its text
    logged = "".join(log.read_text() for log in clickhouse_server.data_dir.glob("**/clickhouse.log"))
    assert f"{name}__loads" in logged
    tables = ("file_loads", "file_states", "file_runs")
    with connect("reader") as client:
        recorded = str([client.query(f"SELECT * FROM {table}").result_rows for table in tables])
    for secret in (S3_SECRET, AZURITE_KEY, HMAC_SECRET):
        assert secret not in logged
        assert secret not in recorded
