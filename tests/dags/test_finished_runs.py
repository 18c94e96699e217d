"""Which runs count as finished for the dead-man's switch: their last step says so, really run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from powersense.warehouse.client import connect
from powersense.warehouse.finished_runs import newest_finishes

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
# Dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.usefixtures("airflow_home")]


def dag_of(dag_id: str) -> Any:
    bag = DagBag(dag_folder=str(ROOT / "dags" / f"{dag_id}.py"))
    assert bag.import_errors == {}
    return bag.dags[dag_id]


def test_a_run_that_works_and_one_with_nothing_to_do_count_and_one_that_fails_does_not(warehouse: Any) -> None:
    def run(dag_id: str) -> str:
        dag = dag_of(dag_id)
        # Airflow 3.3.2's dag.test() takes a deadline's definition for its id when the run ends, and fails.
        dag.deadline = None
        for task in dag.tasks:
            task.retries = 0
        conf = {"start": (NOON - timedelta(minutes=15)).isoformat(), "end": NOON.isoformat()}
        return str(dag.test(run_conf=conf).state)

    def finished() -> set[str]:
        with connect("reader") as client:
            newest = newest_finishes(client)
        assert all(0 <= each.age_seconds < 600 for each in newest)
        return {each.dag_id for each in newest}

    assert finished() == set()
    assert run("score_anomalies") == "success"
    assert finished() == {"score_anomalies"}
    with connect("writer") as client:
        client.command("RENAME TABLE ingestion_runs TO away")
        client.command("CREATE TABLE ingestion_runs (wrong UInt8) ENGINE = MergeTree ORDER BY tuple()")
    assert run("check_data_quality") == "failed"
    before = finished()
    with connect("writer") as client:
        client.command("DROP TABLE ingestion_runs SYNC")
        client.command("RENAME TABLE away TO ingestion_runs")
    assert run("check_data_quality") == "success"
    assert (before, finished()) == ({"score_anomalies"}, {"score_anomalies", "check_data_quality"})
