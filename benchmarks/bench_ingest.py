"""Ingestion: one five-minute cycle against a bare script, and the bootstrap of seven yearly files.

`BENCH_DATA` names a folder of RTE yearly files (`eCO2mix_RTE_Annuel-Definitif_<year>.xls.xz`); without it, the bundled
sample's years are repeated, moved by whole years, until there are seven.
"""

from __future__ import annotations

import json
import logging
import lzma
import os
import re
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
YEARS = 7
ROUNDS = 7
MIB = 1024
# The live datasets, and the field that names the area in each.
DATASETS = {"eco2mix-national-tr": "perimetre", "eco2mix-regional-tr": "libelle_region"}


def run() -> list[dict[str, Any]]:
    """Return the rows of both benchmarks."""
    sys.path.insert(0, str(ROOT / "include"))
    logging.getLogger("powersense").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder, _engine(Path(folder)) as server:
        return [*_bootstrap(Path(folder), server), *_cycle()]


@contextmanager
def _engine(folder: Path) -> Iterator[Any]:
    """A fresh embedded ClickHouse, migrated, to which the Airflow connections of the environment lead."""
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate

    os.environ.setdefault("AIRFLOW_HOME", str(folder / "airflow"))
    writer, reader = secrets.token_urlsafe(9), secrets.token_urlsafe(9)
    engine = EmbeddedClickHouse(folder / "clickhouse", free_port(), writer, reader)
    for role, password in (("writer", writer), ("reader", reader)):
        name = "CLICKHOUSE_DEFAULT" if role == "writer" else "CLICKHOUSE_READER"
        address = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": engine.http_port, "schema": "powersense"}
        login = {"login": f"powersense_{role}", "password": password}
        os.environ[f"AIRFLOW_CONN_{name}"] = json.dumps(address | login)
    with engine:
        with connect("writer", database="default") as client:
            migrate(client, settings=get_settings())
        yield engine


def _yearly_files(folder: Path) -> dict[int, Path]:
    """Return seven yearly national files by year."""
    given = Path(os.environ.get("BENCH_DATA", ROOT / "include/powersense/local/sample"))
    found = {int(path.name[-11:-7]): path for path in sorted(given.glob("eCO2mix_RTE_Annuel-Definitif_*.xls.xz"))}
    if len(found) >= YEARS:
        return dict(list(found.items())[-YEARS:])
    files = dict(found)
    first, path = next(iter(found.items()))
    for step in range(1, YEARS - len(found) + 1):
        year = first - step
        text = re.sub(rf"\t{first}-".encode(), f"\t{year}-".encode(), lzma.decompress(path.read_bytes()))
        files[year] = folder / f"eCO2mix_RTE_Annuel-Definitif_{year}.xls.xz"
        files[year].write_bytes(lzma.compress(text.replace(f"{year}-02-29".encode(), f"{year}-02-28".encode())))
    return dict(sorted(files.items()))


def _bootstrap(folder: Path, server: Any) -> list[dict[str, Any]]:
    """Load seven yearly files with two workers, as the pool `bootstrap` does."""
    import pandas as pd

    from powersense.ingest import load_history
    from powersense.ingest.jobs import job

    jobs = []
    for year, path in _yearly_files(folder).items():
        one = job(
            "history", "national_consolidated", datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        )
        jobs.append({**one, "urls": [path.as_uri()]})
    pd.DataFrame({"warm": [1]}).to_dict()
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        stored = list(pool.map(lambda one: load_history(one, run_id="bench", dag_id="bench"), jobs))
    seconds = time.perf_counter() - started
    rows = sum(one["rows_new"] for one in stored)
    loader = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    engine = _peak_mib(server.pid)
    return [
        _row(
            "bootstrap of seven yearly files",
            rows / seconds,
            "rows/s",
            f"{rows:,} rows",
            None,
            ">= 200,000",
            rows / seconds >= 200_000,
        ),
        _row(
            "peak memory of that bootstrap, loader",
            loader,
            "MiB",
            f"engine {engine:,.0f} MiB",
            None,
            "<= 1,024",
            loader <= 1024,
        ),
    ]


def _cycle() -> list[dict[str, Any]]:
    """Compare one cycle of ingestion with the same GETs, a DataFrame and `insert_df` of the same rows.

    Each turn the portal's clock stands a quarter of an hour later, so that every cycle finds new values among the old
    ones and no insert repeats an earlier one. The first turn loads the backlog and the second warms both up.
    """
    from powersense.warehouse.client import connect

    last = datetime.now(UTC).replace(second=0, microsecond=0)
    with connect("writer") as client:
        client.command(
            "CREATE TABLE bench_bare (metric String, area String, observed_at DateTime, vintage String, "
            "publisher String, value Nullable(Float64), source String, retrieved_at DateTime64(3), run_id String) "
            "ENGINE = MergeTree ORDER BY (metric, area, observed_at)"
        )
    pairs = []
    for turn in range(ROUNDS + 2):
        end = last - timedelta(minutes=15) * (ROUNDS + 1 - turn)
        with _replay(end) as address:
            os.environ["AIRFLOW_CONN_ODRE_DEFAULT"] = json.dumps({"conn_type": "http", "host": address})
            for dataset in DATASETS:
                # The portal's own work on a first question is nobody's.
                _ask(address, dataset, end)
            ours, bare = _ours(end, turn), _bare(end, address, turn)
            pairs.append((_seconds(ours), _seconds(bare)))
    _require_same_rows(ROUNDS + 1)
    cycle, script = (statistics.median(times) for times in zip(*pairs[2:], strict=True))
    ratio = statistics.median(one / other for one, other in pairs[2:])
    return [_row("one ingestion cycle", cycle, "s", f"bare script {script:.2f} s", ratio, "<= 2 x", ratio <= 2)]


def _ours(end: datetime, turn: int) -> Callable[[], object]:
    """Return the tasks of one run of `ingest_load`, each with its own connections; history counts as loaded."""
    from powersense.ingest import fetch, plan_history, plan_live, store
    from powersense.window import Window

    def cycle() -> object:
        window = Window(end - timedelta(minutes=5), end)
        plan_history(window)
        return store([fetch(one, run_id=f"bench {turn}", dag_id="bench") for one in plan_live(window)])

    return cycle


def _bare(end: datetime, address: str, turn: int) -> Callable[[], object]:
    """Return the shortest script that puts the same rows of the same answers into a table."""
    import pandas as pd

    from powersense.warehouse.client import connect

    keys = ["perimetre", "libelle_region", "code_insee_region", "nature", "date", "heure", "date_heure"]

    def script() -> object:
        with connect("writer") as client:
            for dataset, area in DATASETS.items():
                answer = _ask(address, dataset, end)
                wide = pd.DataFrame(answer.json())
                wide["date_heure"] = pd.to_datetime(wide["date_heure"])
                others = [name for name in keys if name in wide and name not in (area, "date_heure", "nature")]
                long = wide.drop(columns=others).melt(id_vars=[area, "date_heure", "nature"], var_name="metric")
                long["value"] = pd.to_numeric(long["value"], errors="coerce")
                is_forecast = long["metric"].str.startswith("prevision")
                is_due = long["date_heure"] <= pd.Timestamp.now("UTC") + pd.Timedelta(minutes=2)
                long = long[long["value"].notna() | is_forecast | is_due]
                long = long.rename(columns={area: "area", "date_heure": "observed_at", "nature": "vintage"})
                long = long.assign(
                    publisher="rte", source=dataset, retrieved_at=pd.Timestamp.now("UTC"), run_id=f"bench {turn}"
                )
                client.insert_df("bench_bare", long)
        return turn

    return script


def _ask(address: str, dataset: str, end: datetime) -> Any:
    """Send the question that a cycle without backlog sends."""
    import requests

    start, until = (f"{end + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-24, 48))
    where = f"date_heure >= date'{start}' AND date_heure < date'{until}'"
    return requests.get(
        f"{address}/api/explore/v2.1/catalog/datasets/{dataset}/exports/json",
        params={"where": where, "order_by": "date_heure", "timezone": "UTC"},
        timeout=30,
    )


def _require_same_rows(turn: int) -> None:
    """Refuse a comparison of unequal work; absent values of the last quarter of an hour may be due for one only.

    Raises:
        RuntimeError: in a turn, the two wrote different numbers of values, or of rows by more than 2 %.
    """
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        counts = [
            client.query(
                f"SELECT count(), countIf(isNotNull(value)) FROM {table} WHERE run_id = {{run:String}}",
                parameters={"run": f"bench {turn}"},
            ).first_row
            for table in ("measurements_landing", "bench_bare")
        ]
    (our_rows, our_values), (bare_rows, bare_values) = counts
    if our_values != bare_values or abs(our_rows - bare_rows) > 0.02 * bare_rows:
        raise RuntimeError(f"the cycle landed {counts[0]} rows and values, the bare script {counts[1]}")


@contextmanager
def _replay(clock: datetime) -> Iterator[str]:
    """The replay in a process of its own, so that its work is nobody's."""
    from powersense.local.ports import free_port

    port = free_port()
    command = [sys.executable, "-m", "powersense.local.replay", "--port", str(port), "--shift", "auto"]
    process = subprocess.Popen(
        [*command, "--clock", clock.isoformat()],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
    )
    try:
        if process.stdout:
            process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / MIB for line in lines if line.startswith("VmHWM"))


def _row(  # noqa: PLR0917
    name: str, value: float, unit: str, reference: str, ratio: float | None, goal: str, holds: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": reference,
        "ratio": ratio,
        "goal": goal,
        "holds": holds,
    }


if __name__ == "__main__":
    for result in run():
        print(result)
