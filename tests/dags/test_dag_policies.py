"""What every DAG of this project promises, and what importing them must not do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from powersense.quality.callbacks import record_finish

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
MAIN_JOB = {
    "ingest_load",
    "reconcile_load",
    "transform_warehouse",
    "score_anomalies",
    "check_data_quality",
    "maintain_warehouse",
}
# The last step of each; train_models ends in two that do not wait for each other, the minutely DAGs prove nothing.
LAST_STEPS = {
    "ingest_load": "store",
    "reconcile_load": "store",
    "ingest_weather": "announce",
    "transform_warehouse": "publish_marts",
    "score_anomalies": "score",
    "forecast_load": "issue",
    "check_data_quality": "check",
    "publish_features": "publish",
    "load_files": "finish",
    "maintain_warehouse": "compact",
}
HEAVY = (
    *("pandas", "numpy", "scipy", "pyarrow", "dbt", "clickhouse_connect", "holidays", "chdb"),
    *("confluent_kafka", "sklearn", "jax", "optax"),
)


@pytest.fixture(scope="module")
def bag(airflow_home, tmp_path_factory):
    return DagBag(dag_folder=str(ROOT / "dags"))


def test_every_file_imports_and_holds_the_dag_of_its_name(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in DAG_FILES}
    assert set(bag.dags) >= MAIN_JOB


def test_each_dag_has_a_docstring_tags_an_owner_and_bounded_runs(bag):
    for dag in bag.dags.values():
        assert dag.doc_md, dag.dag_id
        assert dag.tags, dag.dag_id
        assert dag.max_active_runs <= 16, dag.dag_id
        assert dag.catchup is False, dag.dag_id
        for task in dag.tasks:
            assert task.owner != "airflow", task.task_id
            assert task.execution_timeout is not None, f"{dag.dag_id}.{task.task_id} may run for ever"


def test_scheduled_dags_have_a_real_interval_and_a_deadline(bag):
    scheduled = [dag for dag in bag.dags.values() if "DataInterval" in type(dag.timetable).__name__]
    assert {dag.dag_id for dag in scheduled} >= MAIN_JOB - {"transform_warehouse"}
    for dag in scheduled:
        assert dag.deadline, f"{dag.dag_id} has no deadline alert"


def callbacks(task, name):
    given = getattr(task, name) or []
    return list(given) if isinstance(given, list | tuple) else [given]


def test_one_step_of_each_core_dag_records_its_end_whether_it_succeeds_or_has_nothing_to_do(bag):
    kinds = ("on_success_callback", "on_skipped_callback")
    recording = {
        (dag_id, task.task_id, kind)
        for dag_id, dag in bag.dags.items()
        for task in dag.tasks
        for kind in kinds
        if record_finish in callbacks(task, kind)
    }
    assert recording == {(dag_id, step, kind) for dag_id, step in LAST_STEPS.items() for kind in kinds}


def test_windowed_dags_take_start_and_end(bag):
    for dag_id in ("ingest_load", "reconcile_load", "score_anomalies", "check_data_quality"):
        assert {"start", "end"} <= set(bag.dags[dag_id].params), dag_id


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_table_of_contents(path):
    assert len(path.read_text().splitlines()) <= 110


def test_importing_all_dags_loads_nothing_heavy():
    script = (
        "import sys, json; sys.path.insert(0, 'include'); import airflow.sdk\n"
        "before = set(sys.modules)\n"
        "import importlib.util\n"
        f"for path in {[str(path) for path in DAG_FILES]!r}:\n"
        "    spec = importlib.util.spec_from_file_location('dag_file', path)\n"
        "    spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=True,
    )
    loaded = json.loads(result.stdout.splitlines()[-1])
    assert "powersense" in loaded
    assert sorted(set(loaded) & set(HEAVY)) == []
