"""The autoloader's own work: a million objects against a million known states, and a cycle that finds nothing new."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.s3_listing import PAGE

if TYPE_CHECKING:
    from powersense.local.clickhouse import EmbeddedClickHouse

OBJECTS, CHANGED, IDLE_FILES = 1_000_000, 1_000, 10_000
GOAL_SECONDS, GOAL_BYTES, GOAL_IDLE_SECONDS = 60.0, 500e6, 5.0
ROOT = Path(__file__).resolve().parents[1]

# In a process of its own, so that its memory is its own.
CYCLE = """
import json, sys, time
from powersense.files.declaration import Ingestion
from powersense.autoloader import runs
from powersense.warehouse.client import connect
from datetime import UTC, datetime
import airflow.providers.clickhousedb.hooks.clickhouse, pyarrow.compute, obstore, psutil
from powersense.autoloader import discovery, tables
ingestion = Ingestion.model_validate_json(sys.argv[1])
me = psutil.Process()
with connect("writer") as client:
    before, began = me.memory_info().rss, time.perf_counter()
    run = runs.start(client, ingestion, run_id=sys.argv[2], now=datetime.now(UTC), is_dry_run=sys.argv[3] == "dry")
    listing_id, listed = runs.discover(client, ingestion, run)
    discovered = time.perf_counter()
    run = runs.begun(client, ingestion=ingestion.name, run_id=run.run_id)
    comparison_id, batches = runs.compare(client, ingestion, run, listing_id=listing_id)
    compared = time.perf_counter()
    run = runs.begun(client, ingestion=ingestion.name, run_id=run.run_id)
    if not batches:
        runs.finish(client, run)
    ended = time.perf_counter()
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"listed": listed, "found": run.files_new + run.files_changed, "discovery": discovered - began,
    "comparison": compared - discovered, "total": ended - began, "bytes": peak - before}))
"""


def run() -> list[dict[str, Any]]:
    """Return the rows of the bench runner."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder, _bucket() as port:
        ingestion = _ingestion("million", "s3://bench/meters/**/*.csv.gz") | {"connection": "bench_s3"}
        data, passwords = Path(folder, "clickhouse"), _passwords()
        try:
            with EmbeddedClickHouse(data, free_port(), *passwords) as server:
                _prepare(server, s3_port=port)
                # The states come from a listing of the same bucket, and lack the changes.
                _cycle(ingestion, "first", "dry")
                _know("million")
            # Anew, so that what it held for the preparation does not count.
            with EmbeddedClickHouse(data, free_port(), *passwords) as server:
                _prepare(server, s3_port=port)
                return [*_million(server, ingestion), _idle(Path(folder, "files"))]
        finally:
            os.environ.clear()
            os.environ |= before


def _passwords() -> tuple[str, ...]:
    """Return those of writer and reader."""
    return tuple(secrets.token_hex(8) for _ in range(2))


def _million(server: EmbeddedClickHouse, ingestion: dict[str, Any]) -> list[dict[str, Any]]:
    with _peak_of(server) as peak:
        found = _cycle(ingestion, "second", "dry")
    _expect(found, listed=OBJECTS, found=CHANGED)
    seconds, memory = found["discovery"] + found["comparison"], found["bytes"] + peak[0]
    pages = f"{OBJECTS // PAGE} pages over HTTP"
    told = f"discovery {found['discovery']:.1f} s ({pages}), comparison {found['comparison']:.1f} s"
    return [
        _row("files: 1,000,000 objects against 1,000,000 states", seconds, "s", told, GOAL_SECONDS),
        _row(
            "files: memory of that, worker and engine, above idle",
            memory / 1e6,
            "MB",
            f"worker {found['bytes'] / 1e6:.0f} MB, engine {peak[0] / 1e6:.0f} MB",
            GOAL_BYTES / 1e6,
        ),
    ]


def _idle(folder: Path) -> dict[str, Any]:
    for number in range(IDLE_FILES):
        path = folder / f"{number // 500:02d}" / f"meters_{number:05d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"meter,load_mw\n1,1\n")
    ingestion = _ingestion("idle", f"file://{folder}/**/*.csv")
    _cycle(ingestion, "first", "dry")
    _know("idle", changed=0)
    found = _cycle(ingestion, "second", "real")
    _expect(found, listed=IDLE_FILES, found=0)
    told = f"a folder of {IDLE_FILES:,} known files"
    return _row("files: a cycle without anything new", found["total"], "s", told, GOAL_IDLE_SECONDS)


def _expect(cycle: dict[str, Any], **wanted: int) -> None:
    """Refuse a figure of work that was not done."""
    got = {name: cycle[name] for name in wanted}
    if got != wanted:
        raise RuntimeError(f"the cycle was to find {wanted}, and found {got}")


def _row(name: str, value: float, unit: str, reference: str, most: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": reference,
        "ratio": None,
        "goal": f"≤ {most:g} {unit}",
        "holds": value <= most,
    }


def _ingestion(name: str, uri: str) -> dict[str, Any]:
    columns = [{"name": "meter", "type": "Int64"}, {"name": "load_mw", "type": "Float64"}]
    return {
        "name": name,
        "uri": uri,
        "format": "csv",
        "target": {"kind": "table", "table": name, "columns": columns},
        "max_files_per_run": 1_000_000,
    }


def _prepare(server: EmbeddedClickHouse, *, s3_port: int) -> None:
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": server.http_port, "schema": "powersense_bench"}
    login = {"login": "powersense_writer", "password": server.writer_password}
    address = {"endpoint_url": f"http://127.0.0.1:{s3_port}", "region_name": "us-east-1"}
    bucket = {"conn_type": "aws", "login": "bench", "password": "bench", "extra": address}
    os.environ |= {
        "AIRFLOW_CONN_BENCH_S3": json.dumps(bucket),
        "CLICKHOUSE_DATABASE": "powersense_bench",
        "CLICKHOUSE_MARTS_DATABASE": "powersense_bench_marts",
        "CLICKHOUSE_FILES_DATABASE": "powersense_bench_files",
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(facts | login),
        "PYTHONPATH": str(ROOT / "include"),
        "TZ": "UTC",
    }
    get_settings.cache_clear()
    with connect("writer", database="default") as client:
        migrate(client, settings=get_settings())


@contextmanager
def _bucket() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.s3_listing", str(OBJECTS), str(CHANGED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield int(server.stdout.readline() if server.stdout else 0)
        finally:
            server.kill()


def _cycle(ingestion: dict[str, Any], run_id: str, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-c", CYCLE, json.dumps(ingestion), run_id, kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _know(name: str, *, changed: int = CHANGED) -> None:
    """Write a loaded state for each file of the first listing; `changed` of them know another version."""
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        client.command(
            "INSERT INTO file_states (ingestion, path, state, version, loaded_version, load_id, size, modified_at, "
            "etag, attempts, claims, rows, run_id, first_seen_at, error) SELECT ingestion, path, 'loaded', "
            "if(row_number() OVER (ORDER BY path) <= {changed:UInt32}, 'earlier', version) AS known, known, 1, size, "
            "modified_at, etag, 1, 1, 10, 'first', now64(6), '' FROM file_listings WHERE ingestion = {name:String}",
            parameters={"name": name, "changed": changed},
        )


@contextmanager
def _peak_of(server: EmbeddedClickHouse) -> Iterator[list[float]]:
    """Watch how far the engine's memory rises above where it stands."""
    import psutil

    process = psutil.Process(server.pid)
    idle, peak, stop = process.memory_info().rss, [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak[0] = max(peak[0], process.memory_info().rss - idle)
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
