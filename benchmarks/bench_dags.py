"""How much importing all DAG files costs on top of importing Airflow, in a fresh interpreter."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
GOAL_SECONDS = 2.0
SCRIPT = """
import importlib.util, json, sys, time
began = time.perf_counter()
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
airflow_seconds = time.perf_counter() - began
began = time.perf_counter()
for number, path in enumerate(sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(f"dag_file_{number}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps([airflow_seconds, time.perf_counter() - began]))
"""


def run() -> list[dict[str, object]]:
    """Return one row: the median seconds of the DAG files' own import, beside Airflow's."""
    files = [str(path) for path in sorted((ROOT / "dags").glob("*.py"))]
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as home:
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__COSMOS__CACHE_DIR": f"{home}/cosmos",
            "POWERSENSE_PROJECT_ROOT": str(ROOT),
        }
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *files]
        rounds = [
            json.loads(
                subprocess.run(
                    command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
                ).stdout.splitlines()[-1]
            )
            for _ in range(ROUNDS)
        ]
    airflow_seconds, seconds = (statistics.median(column) for column in zip(*rounds, strict=True))
    return [
        {
            "name": f"importing all {len(files)} DAG files",
            "value": seconds,
            "unit": "s",
            "reference": f"importing Airflow: {airflow_seconds:.2f} s",
            "ratio": seconds / airflow_seconds,
            "goal": "≤ 2 s on top of Airflow's import",
            "holds": seconds <= GOAL_SECONDS,
        }
    ]
