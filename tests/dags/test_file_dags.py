"""load_files and schedule_file_loads, really run: a real folder, the real engine, `dag.test()`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from powersense.settings import get_settings
from tests.dags.real_dags import dag_of, runnable
from tests.services.file_data import forget_files, ingestion, loaded, states, write
from tests.warehouses import query

# dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "include" / "powersense" / "local" / "sample"


@pytest.fixture(scope="module")
def dags(airflow_home):
    from airflow.models.pool import Pool

    for name in ("file_loads", "file_loads_high_memory"):
        Pool.create_or_update_pool(name, slots=2, description="", include_deferred=False)
    return {name: runnable(dag_of(name)) for name in ("load_files", "schedule_file_loads")}


@pytest.fixture
def folder(module_warehouse, tmp_path, monkeypatch):
    """A folder of files, and one of declarations that the settings lead to."""
    forget_files()
    monkeypatch.setenv("FILE_INGESTIONS_FOLDER", str(tmp_path / "declared"))
    get_settings.cache_clear()
    (tmp_path / "declared").mkdir()
    for meter in (1, 2, 3):
        write(tmp_path / "files", f"m{meter}.csv", meter=meter)
    yield tmp_path / "files"
    get_settings.cache_clear()


def declare(folder, **changes):
    from powersense.autoloader.steps import sync_declarations

    one = ingestion(folder, **changes)
    path = folder.parent / "declared" / f"{one.name}.yaml"
    path.write_text(yaml.safe_dump(one.model_dump(mode="json", exclude={"name"})))
    sync_declarations()


def run(dag, **conf):
    # dag.test() leaves the values of one run in the DAG's Params, for the next.
    done = dag.test(run_conf={"dry_run": False, "full_listing": False, "request_id": None} | conf)
    return done, {(task.task_id, task.map_index): task.state for task in done.get_task_instances()}


def test_a_run_loads_each_batch_in_a_task_of_its_own_and_the_next_one_nothing(dags, folder):
    declare(folder, batch_files=2)
    done, tasks = run(dags["load_files"], ingestion="meters")
    assert done.state == "success"
    assert {key: state for key, state in tasks.items() if key[0] == "load"} == {
        ("load", 0): "success",
        ("load", 1): "success",
    }
    assert tasks["load_large", -1] == tasks["announce", -1] == "skipped"
    assert loaded() == {1: 3, 2: 3, 3: 3}
    assert query("SELECT run_id, toString(state), files_loaded FROM file_runs FINAL") == [(done.run_id, "success", 3)]
    idle, tasks = run(dags["load_files"], ingestion="meters")
    assert (idle.state, tasks["load", -1], tasks["finish", -1]) == ("success", "skipped", "success")


def test_a_partial_run_is_red_and_has_loaded_the_others(dags, folder):
    (folder / "m2.csv").write_text("<html><body>error</body></html>\n")
    declare(folder, pool="high_memory")
    done, tasks = run(dags["load_files"], ingestion="meters")
    assert (done.state, tasks["load", -1], tasks["load_large", 0], tasks["finish", -1]) == (
        "failed",
        "skipped",
        "success",
        "failed",
    )
    assert states() == {"m1.csv": "loaded", "m2.csv": "quarantined", "m3.csv": "loaded"}
    assert query("SELECT toString(state), files_quarantined FROM file_runs FINAL") == [("partial", 1)]


def test_a_dry_run_loads_nothing(dags, folder):
    declare(folder)
    done, tasks = run(dags["load_files"], ingestion="meters", dry_run=True)
    assert (done.state, tasks["load", -1], states()) == ("success", "skipped", {})
    assert query("SELECT count() FROM file_candidates") == [(3,)]


def test_a_store_that_is_not_there_ends_the_run_s_record(dags, folder):
    declare(folder, uri=f"file://{folder}/gone/*.csv")
    done, tasks = run(dags["load_files"], ingestion="meters")
    assert (done.state, tasks["discover", -1], tasks["load", -1]) == ("failed", "failed", "upstream_failed")
    assert tasks["finish", -1] == "failed"
    ((state, error),) = query("SELECT toString(state), error FROM file_runs FINAL")
    assert state == "failed"
    assert "gone" in error


def test_an_unknown_ingestion_is_refused_by_name(dags, folder):
    done, tasks = run(dags["load_files"], ingestion="nobody")
    assert (done.state, tasks["start", -1]) == ("failed", "failed")
    assert query("SELECT count() FROM file_runs") == [(0,)]


def test_rows_of_a_ledger_announce_its_asset(dags, folder, airflow_home):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    files = sorted(SAMPLE.rglob("*.xls.xz"))[:1]
    (folder / files[0].name).write_bytes(files[0].read_bytes())
    declare(
        folder,
        name="rte",
        uri=f"file://{folder}/*.xls.xz",
        format="rte_xls",
        target={"kind": "measurements", "source": "rte_files"},
    )
    done, tasks = run(dags["load_files"], ingestion="rte")
    assert (done.state, tasks["announce", -1]) == ("success", "success")
    assert query("SELECT count() > 0 FROM measurements") == [(1,)]
    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == done.run_id).all()
        assert [event.asset.name for event in events] == ["measurements"]


def test_the_scheduler_starts_what_is_due_once(dags, folder):
    from powersense.autoloader import declarations
    from powersense.warehouse.client import connect

    declare(folder)
    with connect("writer") as client:
        request_id = declarations.request_run(client, "meters", dry_run=False, by="vera")
    done, tasks = run(dags["schedule_file_loads"])
    assert done.state == "success", tasks
    assert started(request_id) == {"ingestion": "meters", "dry_run": False, "request_id": request_id}
    again, tasks = run(dags["schedule_file_loads"])
    assert (again.state, tasks["start", 0]) == ("success", "skipped")


def started(request_id):
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        runs = session.query(DagRun).filter(DagRun.run_id == f"requested__{request_id}").all()
        assert [run.dag_id for run in runs] == ["load_files"]
        return dict(runs[0].conf)


def test_a_wrong_declaration_fails_by_name_and_keeps_no_other_out(dags, folder):
    declare(folder, schedule="* * * * *")
    (folder.parent / "declared" / "wrong.yaml").write_text("uri: nowhere\n")
    _, tasks = run(dags["schedule_file_loads"])
    assert (tasks["sync", -1], tasks["find_due", -1]) == ("failed", "success")
    assert query("SELECT ingestion FROM file_ingestions FINAL") == [("meters",)]


def test_the_pools_of_the_dag_are_declared(dags):
    declared = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())["airflow"]["pools"]
    names = {pool["pool_name"] for pool in declared}
    assert {task.pool for task in dags["load_files"].tasks} - {"default_pool"} <= names
