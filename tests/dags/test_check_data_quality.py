"""The data-quality and maintenance DAGs, really run; and what an Airflow with our plugin makes of our deadlines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.dags.real_dags import dag_of, runnable

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)

# Dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.usefixtures("airflow_home")]


def run(dag_id: str, *, until: datetime = NOON) -> Any:
    """Run a DAG once in this process, triggered with an explicit window, and return the run."""
    dag = runnable(dag_of(dag_id))
    return dag.test(run_conf={"start": (until - timedelta(minutes=15)).isoformat(), "end": until.isoformat()})


def returned(dag_run: Any, task_id: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key="return_value")
        return XComModel.deserialize_value(session.scalars(query).one())


def test_the_check_dag_raises_alerts_as_of_its_window_and_twice_is_once(warehouse: Warehouse) -> None:
    with connect("writer") as client:
        columns = ["metric", "area", "observed_at", "vintage", "publisher", "version", "value"]
        row = ["consommation", "France", NOON - timedelta(hours=5), "realtime", "rte", 1, 50000.0]
        client.insert("measurements", [row], column_names=columns)

    runs = [run("check_data_quality"), run("check_data_quality")]

    assert [dag_run.state for dag_run in runs] == ["success", "success"]
    assert [returned(dag_run, "check")["opened"] for dag_run in runs] == [1, 0]
    with connect("reader") as client:
        rows = client.query(
            "SELECT rule, severity, state, occurrences, opened_at, run_id FROM alerts FINAL"
        ).result_rows
    assert rows == [("stale_data", "critical", "open", 1, NOON, runs[0].run_id)]


def test_a_check_that_fails_raises_an_alert_that_its_next_success_closes(warehouse: Warehouse) -> None:
    def states() -> list[tuple[str, str]]:
        with connect("reader") as client:
            query = "SELECT fingerprint, state FROM alerts FINAL WHERE rule = 'failed_task'"
            return [tuple(row) for row in client.query(query).result_rows]

    with connect("writer") as client:
        client.command("RENAME TABLE ingestion_runs TO away")
        client.command("CREATE TABLE ingestion_runs (wrong UInt8) ENGINE = MergeTree ORDER BY tuple()")
    assert run("check_data_quality").state == "failed"
    assert states() == [("failed_task||check_data_quality.check", "open")]

    with connect("writer") as client:
        client.command("DROP TABLE ingestion_runs SYNC")
        client.command("RENAME TABLE away TO ingestion_runs")
    assert run("check_data_quality").state == "success"
    assert states() == [("failed_task||check_data_quality.check", "closed")]


def test_maintenance_updates_expires_and_compacts(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDING_RETENTION_DAYS", "5")
    get_settings.cache_clear()
    # The tables' own time to live runs on the wall clock.
    now = datetime.now(UTC)
    with connect("writer") as client:
        columns = ["landing_id", "metric", "area", "observed_at", "landed_at"]
        for days_ago in (0, 3, 6):
            landed_at = now - timedelta(days=days_ago)
            client.insert("measurements_landing", [["l", "m", "a", now, landed_at]], column_names=columns)
        for record, last_seen in (("old", 400), ("old", 380), ("seen-again", 400), ("seen-again", 1)):
            row = ["s", "r", record, now - timedelta(days=last_seen), now - timedelta(days=last_seen)]
            columns = ["source", "reason", "record_hash", "first_seen_at", "last_seen_at"]
            client.insert("quarantine", [row], column_names=columns)
        # Keeps background merges off the table, and leaves OPTIMIZE alone.
        no_merges = "max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1"
        client.command(f"ALTER TABLE scores MODIFY SETTING {no_merges}")
        for number in range(6):
            row = ["d", "m", f"area-{number}", now]
            client.insert("scores", [row], column_names=["detector", "metric", "area", "observed_at"])

    dag_run = run("maintain_warehouse", until=now)

    assert dag_run.state == "success"
    assert returned(dag_run, "update_schema") == {"migrations_applied": 0, "calendar_days_written": 0}
    assert returned(dag_run, "expire") == {
        "landing_days_dropped": 1,
        "quarantine_records_dropped": 1,
        "file_loads_removed": 0,
        "file_rows_removed": 0,
    }
    assert returned(dag_run, "compact") == {"partitions_compacted": 1, "parts_before": 6}
    with connect("reader") as client:
        assert client.query("SELECT count() FROM measurements_landing").first_row[0] == 2
        assert client.query("SELECT record_hash FROM quarantine FINAL").result_rows == [("seen-again",)]
        assert client.query("SELECT count(), uniqExact(_part) FROM scores").first_row == (6, 1)
