"""Deadlines: what Airflow stores of them with our plugin loaded, and what the callbacks make of a missed one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from powersense.quality.check import check
from powersense.quality.deadlines import freshness, lateness, report_late_run, report_old_data
from powersense.warehouse.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.warehouses import Warehouse

NOW = datetime.now(UTC).replace(microsecond=0)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def missed(*, run_type: str = "scheduled", state: str = "running", ended_at: datetime | None = None) -> dict[str, Any]:
    """Return the context that Airflow 3.3.2 gives a deadline callback: a run as the API shows it, and the deadline."""
    run = {"dag_id": "ingest_load", "dag_run_id": "scheduled__1", "run_type": run_type, "state": state}
    run["end_date"] = ended_at.isoformat() if ended_at else None  # type: ignore[assignment]
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": NOW.isoformat()}}


def alerts() -> list[tuple[str, str, str]]:
    with connect("reader") as client:
        rows = client.query("SELECT rule, fingerprint, state FROM alerts FINAL ORDER BY opened_at").result_rows
    return [tuple(row) for row in rows]


def test_a_late_run_is_an_alert_until_the_run_has_ended(warehouse: Warehouse) -> None:
    report_late_run(missed(), minutes=15)
    assert alerts() == [("late_run", "late_run||ingest_load", "open")]

    check(NOW, "run", run_state=lambda dag_id, run_id: {("ingest_load", "scheduled__1"): "running"}[dag_id, run_id])
    assert ("late_run", "late_run||ingest_load", "open") in alerts()

    check(NOW, "run", run_state=lambda dag_id, run_id: {("ingest_load", "scheduled__1"): "failed"}[dag_id, run_id])
    assert ("late_run", "late_run||ingest_load", "closed") in alerts()


@pytest.mark.parametrize(
    "context",
    [missed(run_type="backfill"), missed(state="failed", ended_at=NOW - timedelta(minutes=1))],
    ids=["a backfill is not late", "a run that failed in time is not late"],
)
def test_excused_runs_raise_nothing(warehouse: Warehouse, context: dict[str, Any]) -> None:
    report_late_run(context, minutes=15)
    assert alerts() == []


def test_a_run_that_ended_after_its_deadline_was_late(warehouse: Warehouse) -> None:
    report_late_run(missed(state="success", ended_at=NOW + timedelta(minutes=1)), minutes=15)
    assert len(alerts()) == 1


def test_old_data_are_the_alert_that_the_check_raises_too(warehouse: Warehouse) -> None:
    with connect("writer") as client:
        columns = ["metric", "area", "observed_at", "vintage", "publisher", "version", "value"]
        row = ["consommation", "France", NOW - timedelta(hours=5), "realtime", "rte", 1, 50000.0]
        client.insert("measurements", [row], column_names=columns)
    report_old_data(missed(), minutes=300)

    check(NOW + timedelta(minutes=15), "run")

    assert alerts() == [("stale_data", "stale_data||all", "open")]


@pytest.fixture
def dag_run(airflow_home: Path) -> Iterator[Any]:
    """A scheduled run in the metadata database, of a DAG that is stored nowhere else."""
    from airflow.models import DagRun
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    name = f"deadline_{uuid.uuid4().hex[:8]}"
    with create_session() as session:
        session.add(DagBundleModel(name=name))
        session.flush()
        session.add(DagModel(dag_id=name, bundle_name=name))
        session.flush()
        run = DagRun(
            dag_id=name,
            run_id="r",
            run_type=DagRunType.SCHEDULED,
            run_after=NOW,
            triggered_by=DagRunTriggeredByType.TEST,
        )
        session.add(run)
        session.commit()
        yield session, run


def evaluate(dag_run: Any, alert: Any) -> datetime | None:
    """Store a deadline as the DAG processor does, read it as the scheduler does, and compute its time."""
    from airflow.serialization.decoders import decode_deadline_alert
    from airflow.serialization.encoders import encode_deadline_alert

    session, run = dag_run
    stored = json.loads(json.dumps({"__type": "deadline_alert", "__var": encode_deadline_alert(alert)}))
    deadline = decode_deadline_alert(stored)
    time = deadline.reference.evaluate_with(
        session=session, interval=deadline.interval, dag_id=run.dag_id, run_id=run.run_id
    )
    assert time is None or isinstance(time, datetime)
    return time


def test_freshness_counts_from_the_newest_observation(warehouse: Warehouse, dag_run: Any) -> None:
    with connect("writer") as client:
        columns = ["metric", "area", "observed_at", "vintage", "publisher", "version", "value"]
        for hours, value in ((5, 50000.0), (1, None)):
            row = ["consommation", "France", NOW - timedelta(hours=hours), "realtime", "rte", 1, value]
            client.insert("measurements", [row], column_names=columns)

    assert evaluate(dag_run, freshness("x", minutes=150)) == NOW - timedelta(hours=5) + timedelta(minutes=150)


def test_without_a_warehouse_freshness_counts_from_now(warehouse: Warehouse, dag_run: Any) -> None:
    nowhere = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": 1, "schema": "x"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", json.dumps(nowhere))
        before = datetime.now(UTC)
        deadline = evaluate(dag_run, freshness("x", minutes=150))

    assert deadline is not None
    assert before <= deadline - timedelta(minutes=150) <= datetime.now(UTC)


def test_a_silent_warehouse_does_not_hold_up_the_scheduler(warehouse: Warehouse, dag_run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent, pytest.MonkeyPatch.context() as patch:
        host = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": silent.getsockname()[1], "schema": "x"}
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", json.dumps(host))
        started = time.monotonic()
        assert evaluate(dag_run, freshness("x", minutes=150)) is not None
        assert time.monotonic() - started < 8


def test_only_scheduled_runs_have_a_freshness_deadline(warehouse: Warehouse, dag_run: Any) -> None:
    session, run = dag_run
    run.run_type = "manual"
    session.flush()

    assert evaluate(dag_run, freshness("x", minutes=150)) is None


def test_importing_the_deadlines_loads_no_client() -> None:
    script = (
        "import sys, airflow.sdk; import powersense.quality.deadlines, powersense.quality.callbacks;"
        "print([name for name in ('pandas', 'clickhouse_connect', 'apprise', 'yaml.nothing') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_deadline_names_its_dag_and_minutes() -> None:
    assert lateness("ingest_load", minutes=15).name == "ingest_load ends within 15 min"
