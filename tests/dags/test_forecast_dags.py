"""train_models and forecast_load, really run: trained, issued, rolled back, and issued once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from powersense.settings import get_settings
from tests.dags.real_dags import dag_of, runnable
from tests.services.lifecycle_data import AREA, NOW, put_load
from tests.services.scoring_data import table

# dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("airflow_home", "warehouse"),
]


@pytest.fixture(autouse=True)
def _model_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path}")
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def bag(airflow_home) -> dict[str, Any]:
    return {name: dag_of(name) for name in ("train_models", "forecast_load")}


def run(bag: dict[str, Any], dag_id: str, **conf: Any) -> tuple[Any, dict[tuple[str, int], str]]:
    """Run a DAG of one area and return its run and the states of its tasks."""
    dag = runnable(bag[dag_id])
    # The Param objects of one DAG keep the value of its last run, so each is given anew.
    fresh = {"start": None, "end": None} | ({"kind": None, "rollback": False} if dag_id == "train_models" else {})
    done = dag.test(run_conf={**fresh, "areas": [AREA], **conf})
    return done, {(task.task_id, task.map_index): task.state for task in done.get_task_instances()}


def at(instant) -> dict[str, str]:
    return {"end": instant.isoformat()}


def asset_events(done: Any) -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return [dict(event.extra) for event in session.query(AssetEvent).filter_by(source_run_id=done.run_id)]


def decisions() -> list[tuple[str, str]]:
    query = "SELECT toString(action) AS action, model_id FROM model_decisions FINAL ORDER BY decided_at"
    return list(table(query).itertuples(index=False, name=None))


def test_trained_issued_and_issued_once(bag):
    put_load()
    done, states = run(bag, "train_models", **at(NOW - timedelta(hours=2)), kind="full")
    assert (done.state, states["train", 0]) == ("success", "success")
    done, states = run(bag, "forecast_load", **at(NOW))
    assert (done.state, states["issue", -1]) == ("success", "success")
    (told,) = asset_events(done)
    assert (told["areas_issued"], told["rows_stored"], told["areas_fallen_back"]) == (1, 336, 0)
    stored = table("SELECT * FROM forecasts ORDER BY target_at")
    assert set(stored["run_id"]) == {done.run_id}

    again, states = run(bag, "forecast_load", **at(NOW))
    assert (again.state, states["issue", -1]) == ("success", "skipped")
    assert asset_events(again) == []
    assert table("SELECT * FROM forecasts ORDER BY target_at").equals(stored)


def test_a_range_is_issued_hour_by_hour(bag):
    put_load()
    done, _ = run(bag, "forecast_load", start=(NOW - timedelta(hours=3)).isoformat(), **at(NOW))
    assert done.state == "success"
    hours = table("SELECT DISTINCT issued_at FROM forecasts ORDER BY issued_at")["issued_at"]
    assert [instant.to_pydatetime() for instant in hours] == [NOW - timedelta(hours=back) for back in (3, 2, 1)]


def test_one_trigger_brings_the_previous_champion_back(bag):
    put_load()
    for hours in (3, 2):
        run(bag, "train_models", **at(NOW - timedelta(hours=hours)))
    done, _ = run(bag, "train_models", **at(NOW - timedelta(hours=1)), rollback=True)
    assert done.state == "success"
    assert [action for action, _ in decisions()] == ["promote", "keep", "rollback"]
    run(bag, "forecast_load", **at(NOW))
    assert set(table("SELECT model_id FROM forecasts")["model_id"]) == {decisions()[0][1]}


def test_an_area_that_does_not_exist_is_refused(bag):
    done, states = run(bag, "train_models", areas=["Atlantide"])
    assert (done.state, states["plan", -1]) == ("failed", "failed")
