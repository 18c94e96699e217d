"""publish_features, score_features and the stream part of train_models, really run on a broker and a warehouse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from powersense.settings import get_settings
from powersense.streaming.batches import why_not_now
from powersense.streaming.presence import MICRO_BATCHES
from powersense.warehouse.client import connect
from powersense.warehouse.stream.rows import Beat, WorkerState, beat
from tests.dags.real_dags import dag_of, runnable
from tests.services.lifecycle_data import AREA, NOW, put_load
from tests.services.scoring_data import table
from tests.services.stream_environment import stream_environment
from tests.services.test_publish_features import SINCE

NAMES = ("publish_features", "score_features", "train_models")

# dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("airflow_home", "warehouse"),
]


@pytest.fixture(scope="module")
def bag(airflow_home) -> dict[str, Any]:
    return {name: dag_of(name) for name in NAMES}


@pytest.fixture
def _stream(kafka_broker, monkeypatch, tmp_path):
    for variable, value in stream_environment(kafka_broker.servers, models=tmp_path).items():
        monkeypatch.setenv(variable, value)
    get_settings.cache_clear()


def run(bag: dict[str, Any], dag_id: str, **conf: Any) -> dict[str, str]:
    """Run a DAG; it must not fail. Returns the states of its tasks."""
    dag = runnable(bag[dag_id])
    # The Param objects of one DAG keep the value of its last run, so each is given anew.
    fresh = dict.fromkeys(dag.params) | ({"rollback": False} if "rollback" in dag.params else {})
    done = dag.test(run_conf=fresh | conf)
    assert done.state == "success"
    return {task.task_id: task.state for task in done.get_task_instances()}


def at_now() -> dict[str, str]:
    return {"end": NOW.isoformat()}


def count(name: str) -> int:
    return int(table(f"SELECT count() AS n FROM {name} FINAL")["n"].iloc[0])


def runs_of_the_dag() -> list[tuple[Any, ...]]:
    """Return the state, messages and lag of the heartbeats that score_features left, in their order."""
    query = "SELECT toString(state), messages, lag FROM stream_workers WHERE worker_id = {id:String} ORDER BY beat_at"
    with connect("reader") as client:
        return [tuple(row) for row in client.query(query, parameters={"id": MICRO_BATCHES}).result_rows]


def test_without_a_broker_all_are_skipped(bag, capfd):
    assert run(bag, "publish_features") == {"publish": "skipped"}
    assert run(bag, "score_features") == {"score": "skipped", "land": "skipped"}
    states = run(bag, "train_models", part="stream")
    assert states == {"plan": "skipped", "train": "skipped", "train_stream": "skipped"}
    assert capfd.readouterr().out.count("KAFKA_BOOTSTRAP_SERVERS is empty") >= 3
    assert runs_of_the_dag() == []


@pytest.mark.usefixtures("_stream")
def test_trained_published_scored_and_landed(bag):
    put_load(start=SINCE)
    # Before there is a topic.
    assert why_not_now().startswith("no ensemble is trained")
    assert run(bag, "publish_features", **at_now()) == {"publish": "success"}
    assert run(bag, "score_features") == {"score": "skipped", "land": "skipped"}
    assert runs_of_the_dag() == [("waiting_for_model", 0, 0), ("waiting_for_model", 0, 48)]
    states = run(bag, "train_models", part="stream", **at_now())
    assert states == {"plan": "skipped", "train": "skipped", "train_stream": "success"}
    assert run(bag, "score_features") == {"score": "success", "land": "success"}
    # Its own heartbeat does not keep it from running again; then it has nothing to score, and says so.
    assert run(bag, "score_features") == {"score": "success", "land": "success"}
    assert runs_of_the_dag()[2:] == [("running", 48, 0), ("running", 0, 0)]
    results = table("SELECT * FROM stream_results FINAL ORDER BY observed_at")
    assert len(results) == 48
    assert set(results["asset_id"]) == {AREA}
    assert results["observed_at"].max() < NOW
    assert count("stream_dead_letters") == 0

    assert run(bag, "train_models", part="stream", **at_now())["train_stream"] == "skipped"
    assert run(bag, "publish_features", **at_now()) == {"publish": "skipped"}
    assert count("stream_models") == 1

    with connect("writer") as client:
        client.command("TRUNCATE TABLE stream_workers")
        beat(client, Beat("worker-1", datetime.now(UTC), WorkerState.RUNNING))
    assert run(bag, "score_features") == {"score": "skipped", "land": "skipped"}
    assert runs_of_the_dag() == []
