"""Each rule on really stored data: it fires on the fault and its alert closes when the fault is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from powersense.contracts import AREAS, LOAD_METRIC
from powersense.quality.check import check
from powersense.quality.rules import CHECKED_RULES
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

# Insertion is stamped by the server's clock, so the recent past of these tests is the real one.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
QUARTER = timedelta(minutes=15)
REGIONS = [area.name for area in AREAS if area.name != "France"]


def load_of(area: str, instant: datetime) -> float:
    """Return a plausible load in MW that never repeats: France is the sum of its twelve equal regions."""
    regional_mw = 4000 + (instant.timestamp() / 900) % 97
    return regional_mw * (12 if area == "France" else 1)


def frame(*, hours: float = 30, until: datetime = NOW, areas: list[str] | None = None) -> pd.DataFrame:
    """Return quarter-hourly loads of `areas` (all by default) that end at `until`."""
    steps = int(hours * 4)
    rows = [
        (area, until - step * QUARTER, load_of(area, until - step * QUARTER))
        for area in (areas or [area.name for area in AREAS])
        for step in range(steps)
    ]
    table = pd.DataFrame(rows, columns=["area", "observed_at", "value"])
    return table.assign(
        metric=LOAD_METRIC,
        vintage="realtime",
        publisher="rte",
        source="test",
        retrieved_at=datetime.now(UTC),
        run_id="run",
    )


def store(table: pd.DataFrame, batch_id: str) -> None:
    with connect("writer") as client:
        land(client, table.assign(retrieved_at=datetime.now(UTC)), batch_id=batch_id)
        store_batch(client, batch_id)


def alerts(rule: str) -> list[tuple[str, str, str]]:
    """Return (area, severity, state) of a rule's alerts, oldest first."""
    with connect("reader") as client:
        query = "SELECT area, severity, state FROM alerts FINAL WHERE rule = {rule:String} ORDER BY opened_at, area"
        return [tuple(row) for row in client.query(query, parameters={"rule": rule}).result_rows]


def findings(now: datetime, rule: str) -> int:
    counts = check(now, "run")
    assert counts["skipped_rules"] == []
    return int(counts["by_rule"][rule])


def test_good_data_raise_nothing(warehouse: Warehouse) -> None:
    store(frame(), "good")

    counts = check(NOW, "run")

    assert set(counts["by_rule"]) == set(CHECKED_RULES)
    assert counts["findings"] == 0, counts


def test_an_empty_warehouse_is_worth_one_line(warehouse: Warehouse) -> None:
    assert check(NOW, "run")["findings"] == 1
    assert alerts("stale_data") == [("", "info", "open")]


def test_a_missing_table_skips_its_rule_visibly_and_keeps_its_alerts(warehouse: Warehouse) -> None:
    store_dbt_result("not_null_load", "fail", at=NOW)
    check(NOW, "run")
    with connect("writer") as client:
        client.command("DROP TABLE dbt_results SYNC")

    counts = check(NOW + QUARTER, "run")

    assert counts["skipped_rules"] == ["failed_dbt_tests"]
    assert alerts("failed_dbt_tests") == [("", "critical", "open")]


def test_stale_data_of_one_area(warehouse: Warehouse) -> None:
    store(frame(areas=[name for name in REGIONS if name != "Bretagne"] + ["France"]), "most")
    store(frame(areas=["Bretagne"], until=NOW - timedelta(hours=3)), "late")
    assert findings(NOW, "stale_data") == 1
    assert alerts("stale_data") == [("Bretagne", "warning", "open")]

    store(frame(areas=["Bretagne"]), "healed")
    assert findings(NOW + QUARTER, "stale_data") == 0
    assert alerts("stale_data") == [("Bretagne", "warning", "closed")]


def test_stale_data_everywhere_is_one_critical_alert(warehouse: Warehouse) -> None:
    store(frame(), "good")

    assert findings(NOW + timedelta(hours=3), "stale_data") == 1
    assert alerts("stale_data") == [("", "critical", "open")]


def test_blank_and_future_values_do_not_count_as_data(warehouse: Warehouse) -> None:
    store(frame(until=NOW - timedelta(hours=3)), "old")
    blank = frame(hours=1)
    store(blank.assign(value=float("nan")), "blank")
    store(frame(hours=0.25, until=NOW + timedelta(hours=6)), "future")

    assert findings(NOW, "stale_data") == 1


def test_low_coverage(warehouse: Warehouse) -> None:
    whole = frame(hours=72)
    in_gap = (whole.area == "Normandie") & (
        whole.observed_at.between(NOW - timedelta(hours=20), NOW - timedelta(hours=10))
    )
    store(whole[~in_gap], "gap")
    assert findings(NOW, "low_coverage") == 1
    assert alerts("low_coverage") == [("Normandie", "warning", "open")]

    store(whole[in_gap], "filled")
    assert findings(NOW + QUARTER, "low_coverage") == 0
    assert alerts("low_coverage") == [("Normandie", "warning", "closed")]


def test_half_hourly_areas_have_full_coverage(warehouse: Warehouse) -> None:
    table = frame(hours=72)
    store(table[table.observed_at.dt.minute % 30 == 0], "half-hourly")

    assert findings(NOW, "low_coverage") == 0


def test_stuck_values_of_five_regions_at_once_are_critical(warehouse: Warehouse) -> None:
    table = frame()
    stuck = table.area.isin(REGIONS[:5]) & (table.observed_at > NOW - 6 * QUARTER)
    store(table.assign(value=table.value.mask(stuck, 4000.0)), "stuck")
    assert findings(NOW, "stuck_values") == 5
    assert alerts("stuck_values") == [(name, "critical", "open") for name in sorted(REGIONS[:5])]

    store(frame(hours=1, until=NOW + QUARTER), "moves-again")
    assert findings(NOW + QUARTER, "stuck_values") == 0


def test_five_equal_values_are_no_fault(warehouse: Warehouse) -> None:
    table = frame()
    store(
        table.assign(
            value=table.value.mask((table.area == "Normandie") & (table.observed_at > NOW - 5 * QUARTER), 4e3)
        ),
        "five",
    )

    assert findings(NOW, "stuck_values") == 0


def test_a_load_of_zero_is_impossible(warehouse: Warehouse) -> None:
    table = frame()
    dark = (table.area == "Occitanie") & (table.observed_at == NOW - QUARTER)
    store(table.assign(value=table.value.mask(dark, 0.0)), "zero")
    assert findings(NOW, "impossible_values") == 1
    assert alerts("impossible_values") == [("Occitanie", "critical", "open")]

    store(table[dark], "revised")
    assert findings(NOW + QUARTER, "impossible_values") == 0
    assert alerts("impossible_values") == [("Occitanie", "critical", "closed")]


def test_regions_that_do_not_add_up_to_france_are_impossible(warehouse: Warehouse) -> None:
    table = frame()
    collapsed = table.area.isin(REGIONS[:10]) & (table.observed_at > NOW - 4 * QUARTER)
    store(table.assign(value=table.value.mask(collapsed, table.value * 0.05)), "collapse")

    assert findings(NOW, "impossible_values") == 1
    with connect("reader") as client:
        message = client.query("SELECT message FROM alerts FINAL WHERE rule = 'impossible_values'").first_row[0]
    assert message.startswith(
        "At 4 instants the sum of the regions differs from France by more than 10%, by -79% at worst"
    )


def test_revision_volume(warehouse: Warehouse) -> None:
    table = frame()
    store(table, "first")
    half = (table.area == "Bretagne") & (table.observed_at > NOW - timedelta(hours=13))
    store(table[half].assign(value=table.value[half] * 1.005), "small-changes")
    assert findings(NOW, "revision_volume") == 0

    store(table[half].assign(value=table.value[half] * 1.05), "large-changes")
    assert findings(NOW + QUARTER, "revision_volume") == 1
    assert alerts("revision_volume") == [("Bretagne", "warning", "open")]

    assert findings(NOW + timedelta(days=2), "revision_volume") == 0
    assert alerts("revision_volume") == [("Bretagne", "warning", "closed")]


def store_dbt_result(test: str, status: str, *, at: datetime, is_whole_run: bool = True) -> None:
    columns = ["invocation_id", "node_id", "resource_type", "name", "status", "failures", "message"]
    columns += ["is_whole_run", "started_at"]
    row = [at.isoformat(), f"test.{test}", "test", test, status, 3, "Got 3 results", is_whole_run, at]
    with connect("writer") as client:
        client.insert("dbt_results", [row], column_names=columns)


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


def store_episode(
    area: str, *, state: str, ended_at: datetime, severity: str = "warning", detector: str = "baseline_zscore"
) -> None:
    columns = ["episode_id", "detector", "metric", "area", "started_at", "ended_at", "explanation", "state"]
    columns += ["severity"]
    started_at, told = NOW - timedelta(hours=30), f"Load of {area} is low."
    row = [f"{area} {detector}", detector, LOAD_METRIC, area, started_at, ended_at, told, state, severity]
    with connect("writer") as client:
        client.insert("episodes", [row], column_names=columns)


def test_ten_areas_dark_at_once_are_ten_critical_alerts_that_close_with_their_episodes(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="open", ended_at=NOW)
    assert findings(NOW, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "warning", "open")]

    for area in REGIONS[:10]:
        store_episode(area, state="open", ended_at=NOW)
    assert findings(NOW + QUARTER, "load_anomaly") == len({"Normandie", *REGIONS[:10]})
    assert {severity for _, severity, _ in alerts("load_anomaly")} == {"critical"}

    for area in {"Normandie", *REGIONS[:10]}:
        store_episode(area, state="retracted", ended_at=NOW)
    assert findings(NOW + 2 * QUARTER, "load_anomaly") == 0
    assert {state for _, _, state in alerts("load_anomaly")} == {"closed"}


def test_a_deep_episode_of_one_area_is_critical(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="open", ended_at=NOW, severity="critical")
    assert findings(NOW, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "critical", "open")]


def test_an_episode_found_after_its_end_stays_on_the_list_for_a_day_and_never_comes_back(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="closed", ended_at=NOW - timedelta(days=3) + timedelta(hours=60))
    assert [findings(NOW, "load_anomaly"), findings(NOW, "load_anomaly")] == [1, 1]
    assert alerts("load_anomaly") == [("Normandie", "warning", "open")]

    assert findings(NOW + timedelta(hours=23), "load_anomaly") == 1
    assert findings(NOW + timedelta(hours=24), "load_anomaly") == 0
    assert findings(NOW + timedelta(hours=25), "load_anomaly") == 0
    assert alerts("load_anomaly") == [("Normandie", "warning", "closed")]


def test_what_two_detectors_find_at_once_is_one_alert_that_names_both_and_ends_with_the_last(
    warehouse: Warehouse,
) -> None:
    store_episode("Normandie", state="open", ended_at=NOW, detector="forecast_residual_day")
    assert findings(NOW, "load_anomaly") == 1
    # The baseline comes later, and begins at the same instant: the alert that people know goes on.
    store_episode("Normandie", state="open", ended_at=NOW, severity="critical")
    assert findings(NOW + QUARTER, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "critical", "open")]
    with connect("reader") as client:
        (message,) = client.query("SELECT message FROM alerts FINAL WHERE rule = 'load_anomaly'").first_row
    assert message.endswith("Found by baseline_zscore and forecast_residual_day.")

    store_episode("Normandie", state="closed", ended_at=NOW, detector="forecast_residual_day")
    assert findings(NOW + timedelta(hours=30), "load_anomaly") == 1
    store_episode("Normandie", state="closed", ended_at=NOW)
    assert findings(NOW + timedelta(hours=31), "load_anomaly") == 0
    assert alerts("load_anomaly") == [("Normandie", "critical", "closed")]


def test_episodes_of_one_detector_or_apart_in_time_keep_their_own_alerts(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="closed", ended_at=NOW - timedelta(hours=20))
    store_episode("Bretagne", state="closed", ended_at=NOW, detector="forecast_residual_day")
    store_episode("Bretagne", state="closed", ended_at=NOW, detector="forecast_residual_hour")
    assert findings(NOW, "load_anomaly") == len({"Normandie", "Bretagne"})


def test_the_same_check_again_changes_no_alert(warehouse: Warehouse) -> None:
    store(frame(until=NOW - timedelta(hours=3)), "old")
    store_episode("Normandie", state="closed", ended_at=NOW)
    check(NOW, "run")
    with connect("reader") as client:
        before = client.query("SELECT * FROM alerts FINAL ORDER BY alert_id").result_rows

    counts = check(NOW, "run-2")

    with connect("reader") as client:
        assert client.query("SELECT * FROM alerts FINAL ORDER BY alert_id").result_rows == before
    assert (counts["opened"], counts["closed"], counts["repeated"], counts["notified"]) == (0, 0, 0, 0)
