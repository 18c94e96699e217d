"""Loading files into a table against a bare `INSERT … SELECT FROM file()` of the same files, on the embedded engine."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.files.declaration import Ingestion

FILES, ROWS = 4, 500_000
SMALL_FILES, SMALL_ROWS = 100, 1_000
ROUNDS = 3
GOAL = 0.7
# Readings of load and weather: an instant, two names, two integers, two numbers with gaps, a text that is mostly empty.
COLUMNS = {
    "observed_at": "DateTime('UTC')",
    "area": "LowCardinality(String)",
    "meter": "String",
    "load_mw": "Int32",
    "quality": "UInt8",
    "wind_mw": "Nullable(Float64)",
    "temperature_c": "Nullable(Float64)",
    "note": "Nullable(String)",
}
KEY = ("area", "observed_at")
FORMATS = {"csv": "CSVWithNames", "parquet": "Parquet"}


def run() -> list[dict[str, Any]]:
    """Return the rows of the bench runner: CSV and Parquet in bulk, many small files, and the streaming worker."""
    with _engine() as (client, loader, folder):
        rows = []
        for kind in FORMATS:
            _write(folder / kind, kind, files=FILES, rows=ROWS)
            rows.append(_bulk(client, loader, folder / kind, kind))
        _write(folder / "small", "csv", files=SMALL_FILES, rows=SMALL_ROWS)
        rows.append(_small(client, loader, folder / "small"))
        rows.append(_worker(client, loader, folder / "csv"))
        return rows


@contextmanager
def _engine() -> Iterator[tuple[Client, Client, Path]]:
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder:
        words = [secrets.token_hex(8) for _ in range(3)]
        writer, reader, loader_word = words
        server = EmbeddedClickHouse(Path(folder, "engine"), free_port(), writer, reader, loader_password=loader_word)
        with server:
            os.environ |= _environment(server.http_port, writer=words[0], loader=words[2])
            get_settings.cache_clear()
            try:
                with connect("writer", database="default") as client:
                    migrate(client, settings=get_settings())
                with connect("writer") as client, connect("loader") as loader:
                    yield client, loader, Path(folder)
            finally:
                os.environ.clear()
                os.environ |= before
                get_settings.cache_clear()


def _environment(port: int, *, writer: str, loader: str) -> dict[str, str]:
    facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "schema": "powersense_bench"}
    return {
        "CLICKHOUSE_DATABASE": "powersense_bench",
        "CLICKHOUSE_MARTS_DATABASE": "powersense_bench_marts",
        "CLICKHOUSE_FILES_DATABASE": "powersense_bench_files",
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(facts | {"login": "powersense_writer", "password": writer}),
        "AIRFLOW_CONN_CLICKHOUSE_LOADER": json.dumps(facts | {"login": "powersense_loader", "password": loader}),
    }


def _write(folder: Path, kind: str, *, files: int, rows: int) -> None:
    import numpy as np
    import pandas as pd

    folder.mkdir()
    random = np.random.default_rng(7)
    for number in range(files):
        instants = pd.date_range(f"{2012 + number % 10}-01-01", periods=rows // 13 + 1, freq="15min", tz="UTC")
        frame = pd.DataFrame(
            {
                "observed_at": instants.repeat(13)[:rows].tz_localize(None).as_unit("ms"),
                "area": random.choice(["France", "Occitanie", "Bretagne", "Île-de-France"], rows),
                "meter": [f"M{position % 5000:06d}" for position in range(rows)],
                "load_mw": random.integers(2000, 90_000, rows).astype("int32"),
                "quality": random.integers(0, 4, rows).astype("uint8"),
                "wind_mw": np.where(random.random(rows) < 0.1, np.nan, np.round(random.gamma(2, 1000, rows), 2)),
                "temperature_c": np.round(random.normal(12, 7, rows), 1),
                "note": pd.Series(random.choice(["", "estimated", "late"], rows, p=[0.9, 0.05, 0.05])).replace(
                    "", None
                ),
            }
        )
        path = folder / f"{number:04d}.{kind}"
        if kind == "csv":
            frame.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S")
        else:
            frame.to_parquet(path, index=False, row_group_size=100_000)


def _bare(loader: Client, folder: Path, kind: str) -> float:
    """Return the seconds of one plain INSERT … SELECT a file into a table of the same columns and order."""
    structure = ", ".join(f"{name} {column}" for name, column in COLUMNS.items())
    loader.command("DROP TABLE IF EXISTS bare SYNC")
    loader.command(f"CREATE TABLE bare ({structure}) ENGINE = MergeTree ORDER BY ({', '.join(KEY)})")
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        loader.command(
            "INSERT INTO bare SELECT * FROM file({path:String}, {format:String}, {structure:String})",
            parameters={"path": str(path), "format": FORMATS[kind], "structure": structure},
        )
    return time.perf_counter() - started


def _ours(client: Client, loader: Client | None, folder: Path, kind: str) -> float:
    """Return the seconds of loading the same files, each checked, cast strictly and activated."""
    from powersense.autoloader.tables import load_table_file, prepare_target
    from powersense.autoloader.tables.layout import target_of
    from powersense.sources.object_stores.opening import open_store

    ingestion = _ingestion(folder, kind)
    store = open_store(ingestion)
    prepare_target(client, ingestion)
    deadline = datetime.now(tz=UTC) + timedelta(hours=1)
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        load_table_file(
            client,
            loader,
            ingestion,
            store.stat(str(path).lstrip("/")),
            store,
            load_id=secrets.randbits(62) + 1,
            run_id="bench",
            deadline=deadline,
        )
    seconds = time.perf_counter() - started
    table = target_of(ingestion).table
    shown, bare = (
        client.command(f"SELECT count() FROM {name}") for name in (f"powersense_bench_files.{table}", "bare")
    )
    # Else its merges would weigh on what is measured next.
    client.command(f"DROP VIEW powersense_bench_files.{table} SYNC")
    client.command(f"DROP TABLE powersense_bench_files.{table}__loads SYNC")
    if shown != bare:
        raise RuntimeError(f"{shown} rows are shown, the bare insert gave {bare}")
    return seconds


def _ingestion(folder: Path, kind: str) -> Ingestion:
    from powersense.files.declaration import Ingestion

    columns = [{"name": name, "type": column} for name, column in COLUMNS.items()]
    return Ingestion.model_validate(
        {
            "name": "bench",
            "uri": f"file://{folder}/*.{kind}",
            "format": kind,
            "target": {"kind": "table", "table": f"t_{secrets.token_hex(4)}", "columns": columns, "key": KEY},
        }
    )


def _compared(bare: Callable[[], float], ours: Callable[[], float]) -> tuple[float, float]:
    """Return the middle times of both, taken in turns; the first of each warms up."""
    bare()
    ours()
    times = [(bare(), ours()) for _ in range(ROUNDS)]
    return statistics.median(time for time, _ in times), statistics.median(time for _, time in times)


def _bulk(client: Client, loader: Client, folder: Path, kind: str) -> dict[str, Any]:
    bare, ours = _compared(lambda: _bare(loader, folder, kind), lambda: _ours(client, loader, folder, kind))
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return {
        "name": f"load {FILES} {kind} files of {ROWS:,} rows ({megabytes:.0f} MB)",
        "value": FILES * ROWS / ours,
        "unit": "rows/s",
        "reference": f"bare INSERT … SELECT FROM file(): {FILES * ROWS / bare:,.0f} rows/s",
        "ratio": bare / ours,
        "goal": f"≥ {GOAL} of the reference's speed",
        "holds": bare / ours >= GOAL,
    }


def _small(client: Client, loader: Client, folder: Path) -> dict[str, Any]:
    bare, ours = _compared(lambda: _bare(loader, folder, "csv"), lambda: _ours(client, loader, folder, "csv"))
    return {
        "name": f"load a csv file of {SMALL_ROWS:,} rows, one of {SMALL_FILES}",
        "value": ours / SMALL_FILES * 1000,
        "unit": "ms",
        "reference": f"bare INSERT … SELECT FROM file(): {bare / SMALL_FILES * 1000:.1f} ms",
        "ratio": ours / bare,
        "goal": "≤ 50 ms",
        "holds": ours / SMALL_FILES <= 0.05,
    }


def _worker(client: Client, loader: Client, folder: Path) -> dict[str, Any]:
    _bare(loader, folder, "csv")
    seconds = _ours(client, None, folder, "csv")
    return {
        "name": f"stream {FILES} csv files of {ROWS:,} rows through the worker",
        "value": FILES * ROWS / seconds,
        "unit": "rows/s",
        "reference": "what a server that does not reach the store gets",
        "ratio": None,
        "goal": "≥ 100,000 rows/s",
        "holds": FILES * ROWS / seconds >= 100_000,
    }
