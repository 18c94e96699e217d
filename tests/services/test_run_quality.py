"""Each rule on dbt's results, ingestion runs and quarantine: it fires, its alert closes; a missing table is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from powersense.quality.check import check
from powersense.warehouse.client import connect

if TYPE_CHECKING:
    from tests.warehouses import Warehouse
from tests.services.rule_data import NOW, QUARTER, alerts, findings


def store_dbt_result(test: str, status: str, *, at: datetime, is_whole_run: bool = True) -> None:
    columns = ["invocation_id", "node_id", "resource_type", "name", "status", "failures", "message"]
    columns += ["is_whole_run", "started_at"]
    row = [at.isoformat(), f"test.{test}", "test", test, status, 3, "Got 3 results", is_whole_run, at]
    with connect("writer") as client:
        client.insert("dbt_results", [row], column_names=columns)


def test_a_missing_table_skips_its_rule_visibly_and_keeps_its_alerts(warehouse: Warehouse) -> None:
    store_dbt_result("not_null_load", "fail", at=NOW)
    check(NOW, "run")
    with connect("writer") as client:
        client.command("DROP TABLE dbt_results SYNC")

    counts = check(NOW + QUARTER, "run")

    assert counts["skipped_rules"] == ["failed_dbt_tests"]
    assert alerts("failed_dbt_tests") == [("", "critical", "open")]


@pytest.mark.parametrize(("status", "severity"), [("fail", "critical"), ("error", "critical"), ("warn", "warning")])
def test_failed_dbt_tests(warehouse: Warehouse, status: str, severity: str) -> None:
    store_dbt_result("not_null_load", status, at=NOW - QUARTER)
    store_dbt_result("unique_load", "pass", at=NOW - QUARTER)
    assert findings(NOW, "failed_dbt_tests") == 1
    assert alerts("failed_dbt_tests") == [("", severity, "open")]

    store_dbt_result("not_null_load", "pass", at=NOW, is_whole_run=False)
    assert findings(NOW + QUARTER, "failed_dbt_tests") == 0
    assert alerts("failed_dbt_tests") == [("", severity, "closed")]


def test_a_dbt_test_that_left_the_project_fails_no_more(warehouse: Warehouse) -> None:
    store_dbt_result("old_test", "fail", at=NOW - 2 * QUARTER)
    store_dbt_result("not_null_load", "pass", at=NOW - QUARTER)

    assert findings(NOW, "failed_dbt_tests") == 0


def store_run(state: str, *, at: datetime, source: str = "national_realtime", error: str = "") -> None:
    columns = ["batch_id", "run_id", "dag_id", "source", "state", "started_at", "error"]
    row: list[Any] = [f"{source}/{at.isoformat()}", "run", "ingest_load", source, state, at, error]
    with connect("writer") as client:
        client.insert("ingestion_runs", [row], column_names=columns)


def test_ingestion_errors(warehouse: Warehouse) -> None:
    store_run("success", at=NOW - 3 * QUARTER)
    store_run("failed", at=NOW - 2 * QUARTER, error="SourceUnavailableError: HTTP 503")
    assert findings(NOW, "ingestion_errors") == 1
    assert alerts("ingestion_errors") == [("", "warning", "open")]

    store_run("failed", at=NOW - QUARTER)
    store_run("failed", at=NOW)
    assert findings(NOW + QUARTER, "ingestion_errors") == 1
    assert alerts("ingestion_errors") == [("", "critical", "open")]

    store_run("success", at=NOW + QUARTER)
    assert findings(NOW + 2 * QUARTER, "ingestion_errors") == 0
    assert alerts("ingestion_errors") == [("", "critical", "closed")]


def test_a_polled_source_is_overdue_while_its_runs_hang_and_a_history_source_never_is(warehouse: Warehouse) -> None:
    store_run("success", at=NOW - timedelta(hours=2))
    store_run("running", at=NOW - QUARTER)
    store_run("success", at=NOW - timedelta(hours=20), source="national_consolidated")

    assert findings(NOW, "ingestion_errors") == 1


def test_quarantine_growth_counts_recent_records_only(warehouse: Warehouse) -> None:
    def set_aside(count: int, *, observed_at: datetime) -> None:
        columns = ["source", "reason", "record_hash", "area", "observed_at", "detail"]
        rows = [["s", "out_of_range", f"{observed_at}{n}", "France", observed_at, "-1 MW"] for n in range(count)]
        with connect("writer") as client:
            client.insert("quarantine", rows, column_names=columns)

    set_aside(500, observed_at=NOW - timedelta(days=400))
    set_aside(100, observed_at=NOW - timedelta(hours=1))
    assert findings(NOW, "quarantine_growth") == 0

    set_aside(1, observed_at=NOW)
    assert findings(NOW, "quarantine_growth") == 1
    assert findings(NOW + timedelta(days=2), "quarantine_growth") == 0
    assert alerts("quarantine_growth") == [("", "warning", "closed")]
