"""What the Data API bears: too many questions, slow ones, clients that take nothing, and a warehouse that is down."""

from __future__ import annotations

import json
import re
import resource
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice

import httpx
import pytest
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.limits import Buckets
from powersense.errors import WarehouseError
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.warehouse import data_reads
from powersense.warehouse.client import connect
from powersense.warehouse.reader_pool import ReaderPool
from powersense.warehouse.sql import statement
from tests.services.api_data import AREAS, served
from tests.services.api_reading import ARROW, CSV, KEY, KEYS, LISTINGS, ON_THE_DAY, reading
from tests.warehouses import Warehouse

ENDLESS = "SELECT number, repeat('x', 100) AS x FROM numbers(10000000)"


def endless_series(name: str, **parts: bool) -> str:
    """Return statements as they are, but that of the series: one without end."""
    return ENDLESS if name == "api_series" else statement(name, **parts)


@pytest.fixture(scope="module")
def api(module_warehouse: Warehouse) -> Iterator[TestClient]:
    with reading(module_warehouse) as client:
        yield client


@pytest.fixture
def options(monkeypatch) -> Iterator[Callable[..., None]]:
    """Sets options for the length of a test."""

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        get_settings.cache_clear()

    yield change
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_caller_who_asks_too_often_waits(api, options):
    options(API_REQUESTS_PER_MINUTE=5)
    with TestClient(create_service(KEYS), base_url=f"http://alone{URL_PREFIX}/") as client:
        assert client.get("areas").status_code == 401
        client.headers["X-API-Key"] = KEY
        assert [client.get("areas").status_code for _ in range(6)] == [200] * 5 + [429]
        refused = client.get("areas")
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert client.get("health").status_code == 200


def test_tokens_drip_in_for_each_caller_alone():
    now = [0.0]
    buckets = Buckets(clock=lambda: now[0])
    assert [buckets.take("a", per_minute=2) for _ in range(3)] == [0, 0, 30]
    assert buckets.take("b", per_minute=2) == 0
    now[0] = 29.0
    assert buckets.take("a", per_minute=2) == pytest.approx(1)
    now[0] = 30.0
    assert buckets.take("a", per_minute=2) == 0
    now[0] = 3_600.0
    assert [buckets.take("a", per_minute=2) > 0 for _ in range(3)] == [False, False, True]


def test_a_warehouse_that_is_down_is_told_without_its_address(api, monkeypatch, options):
    port = free_port()
    connection = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "login": "r", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", json.dumps(connection))
    for path in LISTINGS:
        for accept in ("application/json", ARROW):
            answer = api.get(path, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.headers["retry-after"]
            assert not re.search(rf"127\.0\.0\.1|{port}|secret", answer.text)


def test_a_question_that_takes_too_long_is_ended(api, options, monkeypatch):
    options(API_QUERY_SECONDS=1)
    monkeypatch.setattr(data_reads, "statement", lambda _, **__: "SELECT sleepEachRow(0.5) FROM numbers(1000)")
    answer = api.get("series")
    assert (answer.status_code, "shorter range" in answer.json()["detail"]) == (503, True)


def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(api, monkeypatch):
    text = "SELECT number, throwIf(number = 3000000, 'disk gone') AS x FROM numbers(10000000) SETTINGS max_threads = 1"
    monkeypatch.setattr(data_reads, "statement", lambda _, **__: text)
    running = data_reads.download(ReaderPool(), data_reads.Question("series", ()), fmt="CSV")
    read = 0
    sizes = map(len, running.chunks)
    read = sum(islice(sizes, 3))
    with pytest.raises(WarehouseError, match="broke off"):
        read += sum(sizes)
    running.close()
    assert read > 1_000_000
    with served(KEYS) as address, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{address}/series", headers={"Accept": CSV, "X-API-Key": KEY}, timeout=30)


def test_a_client_that_takes_nothing_is_cut_off_though_it_stays(api, monkeypatch, options):
    options(API_STALLED_SECONDS=0.5, API_CONCURRENT_STREAMS=1)
    monkeypatch.setattr(data_reads, "statement", endless_series)
    with served(KEYS) as address, socket.create_connection(("127.0.0.1", httpx.URL(address).port)) as stalled:
        stalled.sendall(
            f"GET {URL_PREFIX}/series HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nAccept: {CSV}\r\n\r\n".encode()
        )
        assert stalled.recv(15) == b"HTTP/1.1 200 OK"
        headers = {"X-API-Key": KEY, "Accept": CSV}
        assert httpx.get(f"{address}/episodes", headers=headers, timeout=20).status_code == 200


def test_clients_that_take_nothing_keep_nobody_waiting_and_are_gone_when_they_hang_up(api, monkeypatch, options):
    options(API_STALLED_SECONDS=60, API_CONCURRENT_STREAMS=2)
    # Both ends of each connection are in this process.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], min(most[1], 4_096)), most[1]))
    monkeypatch.setattr(data_reads, "statement", endless_series)
    with served(KEYS) as address, ExitStack() as sockets:
        port = httpx.URL(address).port
        request = f"GET {URL_PREFIX}/series HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nAccept: {CSV}\r\n\r\n".encode()
        for _ in range(1_000):
            one = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.sendall(request)
        headers = {"X-API-Key": KEY}
        for _ in range(5):
            # A page that waited for streams would be told to come back.
            page = httpx.get(f"{address}/measurements", params=ON_THE_DAY, headers=headers, timeout=30)
            assert page.status_code == 200
        # Two at a time hold a stream; others wait a little, or are told at once to come back.
        busy = httpx.get(f"{address}/series", headers=headers | {"Accept": CSV}, timeout=20)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert "API" not in busy.text
        sockets.close()
        monkeypatch.setattr(data_reads, "statement", statement)
        deadline = datetime.now(UTC) + timedelta(seconds=15)
        status = 503
        while status == 503 and datetime.now(UTC) < deadline:
            status = httpx.get(f"{address}/series", headers=headers | {"Accept": CSV}, timeout=20).status_code
        assert status == 200
    with connect("writer") as client:
        texts = [text for (text,) in client.query("SELECT query FROM system.processes").result_rows]
    assert [text for text in texts if text.startswith(ENDLESS)] == []


def test_many_callers_at_once_get_each_their_own(api):
    def day_of(number: int) -> tuple[str, set[str]]:
        area = AREAS[number % 2]
        rows = client.get("measurements", params={**ON_THE_DAY, "areas": area})
        return area, {row["area"] for row in rows.json()["items"]}

    with (
        served(KEYS) as address,
        httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=30) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        for area, found in threads.map(day_of, range(60)):
            assert found == {area}
