"""`transform_warehouse` run for real: dbt builds, every model reports, a failed test stops what stands behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from powersense.errors import ConfigurationError
from powersense.transform.model_operator import DbtModelFailed, report
from powersense.transform.results import last_results, outcomes, rows
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch
from tests.dags.real_dags import dag_of, runnable

END = datetime(2018, 1, 12, 12, tzinfo=UTC)
CONF = {"start": (END - timedelta(days=1)).isoformat(), "end": END.isoformat()}
LAYERS = ("staging", "intermediate", "marts")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def dag(airflow_home):
    return dag_of("transform_warehouse")


def load_of(*, hours: int) -> pd.DataFrame:
    instants = pd.date_range(END - timedelta(hours=hours), periods=hours * 4, freq="15min")
    return pd.DataFrame(
        {
            "metric": "consommation",
            "area": "Bretagne",
            "observed_at": instants,
            "vintage": "realtime",
            "publisher": "rte",
            "value": 2000.0,
            "source": "test",
            "retrieved_at": END,
            "run_id": "test",
        }
    )


def run(dag) -> tuple[str, dict[str, str]]:
    """Run the DAG and return its state and that of each task."""
    dag_run = runnable(dag).test(run_conf=CONF)
    return str(dag_run.state), {task.task_id: str(task.state) for task in dag_run.get_task_instances()}


def test_models_show_in_layers_behind_the_build(dag):
    groups = set(dag.task_group_dict)
    assert {f"models.{layer}" for layer in LAYERS} <= groups
    coverage = dag.get_task("models.marts.mart_daily_coverage")
    assert "models.intermediate.int_series_days_expected" in coverage.upstream_task_ids
    roots = dag.get_task("build_models").downstream_task_ids
    assert "models.staging.stg_powersense__measurements" in roots
    assert all(not dag.get_task(root).upstream_task_ids - {"build_models"} for root in roots)
    assert dag.get_task("publish_marts").outlets[0].name == "marts"


def test_rows_of_load_or_of_weather_start_a_run(dag):
    condition = dag.timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"
    assert {asset.name for asset in condition.objects} == {"measurements", "weather_observations"}


@pytest.mark.slow
def test_a_run_builds_reports_and_records_and_a_failed_test_stops_what_reads_it(dag, warehouse):
    with connect("writer") as client:
        land(client, load_of(hours=48), batch_id="test")
        store_batch(client, "test")

    state, tasks = run(dag)
    assert state == "success"
    assert set(tasks.values()) == {"success"}
    with connect("reader") as client:
        results = last_results(client)
        as_of = client.query(f"SELECT max(as_of) FROM {warehouse.marts_database}.mart_daily_coverage").first_row[0]
    assert as_of.replace(tzinfo=UTC) == END
    models = {result.name for result in results if result.resource_type == "model"}
    assert models == {task.rsplit(".", 1)[-1] for task in tasks if task.startswith("models.") and ".seeds." not in task}
    assert all(result.has_passed for result in results)
    assert not [result for result in results if result.resource_type == "unit_test"]
    assert len([result for result in results if result.resource_type == "test"]) >= 30

    with connect("writer") as client:  # a day of 22 hours: an error on the calendar, which features and coverage read
        client.command(
            "INSERT INTO calendar_days (day, day_type, hours_in_day, day_start_utc, day_end_utc) "
            "VALUES ('2018-01-20', 'saturday', 22, '2018-01-19 23:00:00', '2018-01-20 21:00:00')"
        )
    state, tasks = run(dag)
    assert state == "failed"
    assert tasks["build_models"] == "failed"
    assert tasks["models.staging.stg_powersense__calendar_days"] == "failed"
    assert tasks["models.marts.mart_load_features"] == "upstream_failed"
    assert tasks["models.marts.mart_daily_coverage"] == "upstream_failed"
    assert tasks["publish_marts"] == "upstream_failed"
    assert tasks["models.marts.mart_ingestion_lag"] == "success"
    with connect("reader") as client:
        failed = [result for result in last_results(client) if result.has_failed]
        skipped = {result.name for result in last_results(client) if result.status == "skipped"}
    assert [(result.tested_node, result.failures) for result in failed] == [("stg_powersense__calendar_days", 1)]
    assert {"mart_load_features", "mart_daily_coverage"} <= skipped


def test_a_missing_manifest_names_the_command_that_writes_it(monkeypatch, tmp_path):
    from powersense.transform.artifacts import manifest_path

    monkeypatch.setenv("POWERSENSE_PROJECT_ROOT", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"python -m powersense\.transform\.artifacts"):
        manifest_path()


RESULT = {"execution_time": 0.5, "failures": None, "message": "OK"}
MANIFEST = {
    "nodes": {
        "model.powersense.m": {"resource_type": "model", "name": "m", "depends_on": {"nodes": []}},
        "test.powersense.t": {
            "resource_type": "test",
            "name": "t",
            "attached_node": "model.powersense.m",
            "depends_on": {"nodes": ["model.powersense.other", "model.powersense.m"]},
        },
    }
}


def outcome_of(status: str, test_status: str) -> dict[str, object]:
    results = {
        "metadata": {"invocation_id": "i", "invocation_started_at": "2018-01-12T12:00:00.5Z"},
        "args": {"which": "build"},
        "results": [
            RESULT | {"unique_id": "model.powersense.m", "status": status},
            RESULT | {"unique_id": "test.powersense.t", "status": test_status, "message": "3 rows", "failures": 3},
        ],
    }
    return outcomes(rows(results, MANIFEST, dag_id="d", run_id="r"))["m"]


@pytest.mark.parametrize("test_status", ["pass", "warn"])
def test_a_model_whose_tests_pass_or_warn_succeeds(test_status):
    report("m", outcome_of("success", test_status))


@pytest.mark.parametrize(
    ("status", "test_status", "reason"),
    [("success", "fail", "t: 3 rows"), ("error", "skipped", "error: OK"), ("skipped", "skipped", "skipped: OK")],
    ids=["a failed test", "a failed model", "a model skipped after a failure"],
)
def test_a_model_fails_with_what_dbt_said(status, test_status, reason):
    with pytest.raises(DbtModelFailed, match=reason):
        report("m", outcome_of(status, test_status))


def test_a_model_that_the_run_did_not_know_fails():
    with pytest.raises(DbtModelFailed, match="older than the project"):
        report("m", None)
