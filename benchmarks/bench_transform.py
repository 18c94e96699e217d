"""The dbt run that follows ingestion: the whole DAG run in Airflow against `dbt build` of the same selection.

Starts a local stack of its own (schedules off, free ports, a temporary folder) and stores `BENCH_TRANSFORM_DAYS` days
(default 60) of load for 13 areas. Rounds alternate, so that both sides meet the same machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from powersense.local.stack import Stack

ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "transform_warehouse"
ROUNDS = 3
GOAL = 3.0

_FILL = """
    INSERT INTO measurements
        (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id, batch_id)
    SELECT
        'consommation', area, toStartOfInterval(now('UTC'), INTERVAL 15 MINUTE) - number * 900 AS at,
        'realtime', 'rte', 1, 5000 + 1000 * sin(toUnixTimestamp(at) / 13750), 'bench', now64(3), 'bench', 'bench'
    FROM numbers({steps:UInt32}) ARRAY JOIN {areas:Array(String)} AS area
"""


def run() -> list[dict[str, Any]]:
    """Return the rows of this benchmark."""
    sys.path.insert(0, str(ROOT / "include"))
    with _stack() as stack:
        _fill(stack)
        _dag_run(stack)  # builds all tables once
        plain, dag = [], []
        for _ in range(ROUNDS):
            plain.append(_plain_build(stack))
            dag.append(_dag_run(stack))
    value, reference = statistics.median(dag), statistics.median(plain)
    return [
        {
            "name": "dbt run that follows ingestion",
            "value": value,
            "unit": "s",
            "reference": f"plain `dbt build` of the same selection, {reference:.1f} s",
            "ratio": value / reference,
            "goal": f"ratio <= {GOAL:g}",
            "holds": value / reference <= GOAL,
        }
    ]


@contextmanager
def _stack() -> Iterator[Stack]:
    """Start a stack without schedules, and stop it."""
    from powersense.local.options import read_options
    from powersense.local.ports import free_port
    from powersense.local.progress import Progress
    from powersense.local.stack import Stack, StopRequest

    ports = {name: str(free_port()) for name in ("AIRFLOW_PORT", "CLICKHOUSE_HTTP_PORT", "REPLAY_PORT", "KAFKA_PORT")}
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder:
        # PostgreSQL runs as another user than root and has to enter the folder.
        Path(folder).chmod(0o755)
        options = read_options("demo-once", os.environ | ports | {"POWERSENSE_STATE_DIR": folder})
        stack = Stack(options, Progress(), StopRequest())
        try:
            stack.start()
            deadline = time.monotonic() + 120
            while DAG_ID not in stack.api.dag_ids():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{DAG_ID} does not show up: {stack.api.import_errors()}")
                time.sleep(1)
            yield stack
        finally:
            stack.shut_down()


def _fill(stack: Stack) -> None:
    import clickhouse_connect

    from powersense.contracts import AREAS

    client = clickhouse_connect.get_client(
        host="127.0.0.1",
        port=stack.options.clickhouse_http_port,
        username="powersense_writer",
        password=stack.secrets.clickhouse_writer_password,
        database="powersense",
    )
    steps = int(os.environ.get("BENCH_TRANSFORM_DAYS") or 60) * 96
    client.command(_FILL, parameters={"steps": steps, "areas": [area.name for area in AREAS]})
    client.close()


def _plain_build(stack: Stack) -> float:
    """Return the seconds of `dbt build` on the command line, start of the process included."""
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--exclude-resource-type", "unit_test"]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--project-dir", "dbt", "--profiles-dir", "dbt"],
        env=stack.environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=600,
    )
    return time.perf_counter() - started


def _dag_run(stack: Stack) -> float:
    """Return the seconds from queuing a run to its end, by Airflow's own clock."""
    run_id = stack.api.trigger(DAG_ID, {})
    stack.api.wait_for(DAG_ID, run_id, timeout_seconds=600)
    [run] = [run for run in stack.api.runs(DAG_ID) if run["dag_run_id"] == run_id]
    queued, ended = (datetime.fromisoformat(run[key].replace("Z", "+00:00")) for key in ("queued_at", "end_date"))
    return (ended - queued).total_seconds()
