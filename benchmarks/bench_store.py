"""Landing and storing against a bare `insert_df` of the same rows, on the embedded engine."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

YEARS = 7
# A yearly file of one area: 17,520 half-hours of 36 metrics.
METRICS, SLOTS = 36, 17_520
LIVE_AREAS, LIVE_METRICS, LIVE_SLOTS = 13, 12, 96
BULK_GOAL = 600_000.0


def run() -> list[dict[str, Any]]:
    """Return the rows of the bench runner: bulk speed of seven years, and the cost of a five-minute batch."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder:
        passwords = secrets.token_hex(8), secrets.token_hex(8)
        with EmbeddedClickHouse(Path(folder), free_port(), *passwords) as server:
            os.environ |= _environment(server.http_port, server.writer_password)
            get_settings.cache_clear()
            try:
                with connect("writer", database="default") as client:
                    migrate(client, settings=get_settings())
                with connect("writer") as client:
                    return [*_bulk(client), *_live(client)]
            finally:
                os.environ.clear()
                os.environ |= before
                get_settings.cache_clear()


def _environment(port: int, password: str) -> dict[str, str]:
    facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "login": "powersense_writer"}
    return {
        "CLICKHOUSE_DATABASE": "powersense_bench",
        "CLICKHOUSE_MARTS_DATABASE": "powersense_bench_marts",
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(facts | {"password": password, "schema": "powersense_bench"}),
    }


def series(*, metrics: int, areas: int, slots: int, first: str, vintage: str) -> pd.DataFrame:
    """Return a landing frame of half-hourly values from `first` on."""
    import numpy as np
    import pandas as pd

    instants = pd.date_range(first, periods=slots, freq="30min", tz="UTC").as_unit("s")
    names = [f"metric_{number:02d}" for number in range(metrics)]
    places = [f"area_{number:02d}" for number in range(areas)]
    rows = metrics * areas * slots
    return pd.DataFrame(
        {
            "metric": np.repeat(names, areas * slots),
            "area": np.tile(np.repeat(places, slots), metrics),
            "observed_at": instants[np.tile(np.arange(slots), metrics * areas)],
            "vintage": vintage,
            "publisher": "rte",
            "value": np.random.default_rng(1).integers(0, 90_000, rows).astype("float64"),
            "source": "bench",
            "retrieved_at": pd.Timestamp.now(tz="UTC"),
            "run_id": "bench",
        }
    )


def _bare_insert(client: Client, frame: pd.DataFrame) -> float:
    """Return the seconds of a plain insert into a table of the same columns."""
    client.command(
        "CREATE OR REPLACE TABLE bare (metric LowCardinality(String), area LowCardinality(String), "
        "observed_at DateTime('UTC'), vintage LowCardinality(String), publisher LowCardinality(String), "
        "value Nullable(Float64), source LowCardinality(String), retrieved_at DateTime64(3, 'UTC'), "
        "run_id LowCardinality(String)) ENGINE = MergeTree ORDER BY (metric, area, observed_at)"
    )
    started = time.perf_counter()
    client.insert_df("bare", frame)
    return time.perf_counter() - started


def _land_and_store(client: Client, frame: pd.DataFrame) -> float:
    from powersense.warehouse.landing import land
    from powersense.warehouse.measurements import store_batch

    batch_id = secrets.token_hex(8)
    started = time.perf_counter()
    land(client, frame, batch_id=batch_id)
    store_batch(client, batch_id)
    return time.perf_counter() - started


def _bulk(client: Client) -> list[dict[str, Any]]:
    frames = [
        series(metrics=METRICS, areas=1, slots=SLOTS, first=f"{2012 + year}-01-01", vintage="definitive")
        for year in range(YEARS)
    ]
    rows = sum(map(len, frames))
    _bare_insert(client, frames[0].head(1000))
    bare = sum(_bare_insert(client, frame) for frame in frames)
    ours = sum(_land_and_store(client, frame) for frame in frames)
    return [
        {
            "name": "land and store seven yearly files",
            "value": rows / ours,
            "unit": "rows/s",
            "reference": f"insert_df of the same rows: {rows / bare:,.0f} rows/s",
            "ratio": ours / bare,
            "goal": f"≥ {BULK_GOAL:,.0f} rows/s",
            "holds": rows / ours >= BULK_GOAL,
        }
    ]


def _live(client: Client) -> list[dict[str, Any]]:
    """Store a day of 13 areas five times, each time with a few new values, on top of what the bulk left."""
    import pandas as pd

    frame = series(metrics=LIVE_METRICS, areas=LIVE_AREAS, slots=LIVE_SLOTS, first="2018-06-01", vintage="realtime")
    _land_and_store(client, frame)
    ours, bare = [], []
    for number in range(5):
        frame.loc[frame.index % 50 == number, "value"] += 1
        frame["retrieved_at"] += pd.Timedelta(minutes=5)
        bare.append(_bare_insert(client, frame))
        ours.append(_land_and_store(client, frame))
    ratio = sorted(ours)[2] / sorted(bare)[2]
    return [
        {
            "name": f"land and store a five-minute batch of {len(frame)} rows",
            "value": sorted(ours)[2] * 1000,
            "unit": "ms",
            "reference": f"insert_df of the same rows: {sorted(bare)[2] * 1000:.0f} ms",
            "ratio": ratio,
            "goal": "≤ 2x the reference",
            "holds": ratio <= 2,
        }
    ]
