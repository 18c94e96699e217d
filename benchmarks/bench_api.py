"""The Data API over HTTP on ten years of load: a day 100 times a second, a year as Arrow, ten years as a curve."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from powersense.local.clickhouse import EmbeddedClickHouse

YEARS = 10
REQUESTS_PER_SECOND, SECONDS = 100, 20
DAY_P99_GOAL_MS, ARROW_GOAL, CURVE_GOAL_MS, MEMORY_GOAL = 50.0, 0.6, 300.0, 1.2
ROUNDS = 5
DATABASE = "powersense_bench"
ARROW = "application/vnd.apache.arrow.stream"
YEAR = ("2016-01-01T00:00:00Z", "2017-01-01T00:00:00Z")
FIRST_DAY, DAYS = date(2008, 1, 1), 3_650
TEN_YEARS = ("2008-01-01T00:00:00Z", "2018-01-01T00:00:00Z")

# Half-hours of 13 areas, published twice, as history is stored.
_FILL = """
INSERT INTO measurements
    (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id, batch_id)
SELECT
    'consommation', {areas:Array(String)}[1 + number % 13],
    toDateTime('2008-01-01 00:00:00', 'UTC') + intDiv(number, 13) * 1800, {vintage:String}, 'rte', 1,
    5000 + number % 997 + number % 13 / 10, 'national_consolidated', '2020-01-01 00:00:00', 'bootstrap', 'bootstrap'
FROM numbers({rows:UInt64})
"""


def run() -> list[dict[str, Any]]:
    """Return the rows of the bench runner."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.settings import get_settings

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder:
        passwords = secrets.token_hex(8), secrets.token_hex(8)
        with EmbeddedClickHouse(Path(folder), free_port(), *passwords) as server:
            os.environ |= _environment(server)
            get_settings.cache_clear()
            try:
                _fill()
                with _service() as (port, key, process):
                    caller = _Caller(port, key)
                    return [_day(caller), _year(caller), _curve(caller), _memory(caller, process.pid)]
            finally:
                os.environ.clear()
                os.environ |= before
                get_settings.cache_clear()


def _environment(server: EmbeddedClickHouse) -> dict[str, str]:
    def connection(role: str, password: str) -> str:
        facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": server.http_port, "schema": DATABASE}
        return json.dumps(facts | {"login": f"powersense_{role}", "password": password})

    return {
        "CLICKHOUSE_DATABASE": DATABASE,
        "CLICKHOUSE_MARTS_DATABASE": f"{DATABASE}_marts",
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": connection("writer", server.writer_password),
        "AIRFLOW_CONN_CLICKHOUSE_READER": connection("reader", server.reader_password),
        "API_REQUESTS_PER_MINUTE": "0",
    }


def _fill() -> None:
    from powersense.contracts import AREAS
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    with connect("writer", database="default") as client:
        migrate(client, settings=get_settings())
    with connect("writer") as client:
        for vintage in ("realtime", "definitive"):
            parameters = {
                "areas": [area.name for area in AREAS],
                "vintage": vintage,
                "rows": len(AREAS) * (365 * YEARS + YEARS // 4) * 48,
            }
            client.command(_FILL, parameters=parameters, settings={"max_partitions_per_insert_block": 0})


@contextmanager
def _service() -> Iterator[tuple[int, str, subprocess.Popen[bytes]]]:
    """The API alone, in a process of its own: its port, a key, and the process."""
    from powersense.api.auth import new_key
    from powersense.local.ports import free_port

    key, entry = new_key("bench", "read")
    port = free_port()
    environment = os.environ | {"POWERSENSE_API_KEYS": f"{entry.name}:{entry.scope}:{entry.sha256}"}
    command = [sys.executable, "-m", "powersense.api", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        caller = _Caller(port, key)
        deadline = time.monotonic() + 60
        while not caller.answers():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the API did not start")
            time.sleep(0.1)
        yield port, key, process
    finally:
        process.terminate()
        process.wait(20)


class _Caller:
    """Asks over connections that stay open, one a thread."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._headers, self._local = port, {"X-API-Key": key}, local()

    def answers(self) -> bool:
        try:
            self.get("areas")
        except OSError:
            self._local.connection = None
            return False
        return True

    def get(self, path: str, accept: str = "application/json") -> int:
        """Return the bytes of an answer; none is kept."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request("GET", f"/powersense/api/v1/{path}", headers=self._headers | {"Accept": accept})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} answers {answer.status}: {answer.read().decode()}")
        size = 0
        while chunk := answer.read(1 << 20):
            size += len(chunk)
        return size


def _day(caller: _Caller) -> dict[str, Any]:
    """A day of one area at a steady rate; a late answer counts from when its request was due."""
    from powersense.contracts import AREAS

    def ask(number: int) -> float:
        due = begun + number / REQUESTS_PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        # Another day each time, all over the ten years: no answer can be one that was given before.
        day = FIRST_DAY + timedelta(days=number * 37 % DAYS)
        caller.get(
            f"measurements?areas={quote(AREAS[number % 13].name)}"
            f"&start={day}T00:00:00Z&end={day + timedelta(days=1)}T00:00:00Z"
        )
        return time.perf_counter() - due

    with ThreadPoolExecutor(16) as threads:
        begun = time.perf_counter()
        list(threads.map(ask, range(2 * REQUESTS_PER_SECOND)))
        begun = time.perf_counter()
        taken = sorted(threads.map(ask, range(REQUESTS_PER_SECOND * SECONDS)))
    p50, p99 = (1_000 * taken[int(share * len(taken))] for share in (0.5, 0.99))
    reference = f"p50 {p50:.1f} ms"
    return _row("day_of_one_area_p99", p99, "ms", reference, None, f"<= {DAY_P99_GOAL_MS:g}", p99 <= DAY_P99_GOAL_MS)


def _year(caller: _Caller) -> dict[str, Any]:
    """A year of 13 areas as Arrow, against clickhouse-connect that asks the same of the server itself."""
    from powersense.contracts import AREAS
    from powersense.warehouse.client import connect
    from powersense.warehouse.sql import statement

    parameters = {
        "metrics": ["consommation"],
        "areas": [area.name for area in AREAS],
        "start": "2016-01-01 00:00:00",
        "end": "2017-01-01 00:00:00",
        "as_of": "2200-01-01 00:00:00",
        "up_to_vintage": "definitive",
        "after": [],
        "limit": 10**15,
    }
    alone, through = [], []
    path = f"measurements?start={YEAR[0]}&end={YEAR[1]}"
    with connect("reader", max_threads=2) as client:
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            with client.raw_stream(statement("api_measurements"), parameters=parameters, fmt="ArrowStream") as stream:
                size = sum(map(len, iter(lambda: stream.read(1 << 20), b"")))
            alone.append(size / (time.perf_counter() - begun))
            begun = time.perf_counter()
            size = caller.get(path, ARROW)
            through.append(size / (time.perf_counter() - begun))
    rate, reference = statistics.median(through) / 1e6, statistics.median(alone) / 1e6
    told = f"clickhouse-connect alone {reference:.1f} MB/s"
    ratio = rate / reference
    return _row("year_of_13_areas_as_arrow", rate, "MB/s", told, ratio, f">= {ARROW_GOAL} x", ratio >= ARROW_GOAL)


def _curve(caller: _Caller) -> dict[str, Any]:
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        caller.get(f"curve?start={TEN_YEARS[0]}&end={TEN_YEARS[1]}")
        taken.append(time.perf_counter() - begun)
    median = 1_000 * statistics.median(taken)
    told = "350,000 half-hours in two vintages"
    return _row("ten_year_curve", median, "ms", told, None, f"<= {CURVE_GOAL_MS:g}", median <= CURVE_GOAL_MS)


def _memory(caller: _Caller, pid: int) -> dict[str, Any]:
    """The service's memory after ten years of 13 areas as CSV, against after one."""
    import psutil

    process = psutil.Process(pid)
    caller.get(f"measurements?start={YEAR[0]}&end={YEAR[1]}", "text/csv")
    small = process.memory_info().rss
    size = caller.get(f"measurements?start={TEN_YEARS[0]}&end={TEN_YEARS[1]}", "text/csv")
    large = process.memory_info().rss
    ratio = large / small
    told = f"{size / 1e6:.0f} MB sent; {small / 1e6:.0f} MB after a tenth of it"
    return _row("memory_after_ten_years", large / 1e6, "MB", told, ratio, f"<= {MEMORY_GOAL} x", ratio <= MEMORY_GOAL)


def _row(  # noqa: PLR0917 - the columns of a row
    name: str, value: float, unit: str, reference: str, ratio: float | None, goal: str, holds: bool
) -> dict[str, Any]:
    columns = ("name", "value", "unit", "reference", "ratio", "goal", "holds")
    return dict(zip(columns, (name, value, unit, reference, ratio, goal, holds), strict=True))
