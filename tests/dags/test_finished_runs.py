"""Which runs count as finished for the dead-man's switch: their last step says so, really run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from powersense.warehouse.client import connect
from powersense.warehouse.finished_runs import newest_finishes
from tests.dags.real_dags import dag_of, runnable

NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
# Dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.usefixtures("airflow_home")]


def test_a_run_that_works_and_one_with_nothing_to_do_count_and_one_that_fails_does_not(warehouse: Any) -> None:
    def run(dag_id: str) -> str:
        conf = {"start": (NOON - timedelta(minutes=15)).isoformat(), "end": NOON.isoformat()}
        return str(runnable(dag_of(dag_id)).test(run_conf=conf).state)

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
