"""The scoring DAG, really run: due points at a run's end, a range that is asked for, and nothing to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.dags.real_dags import dag_of, runnable
from tests.services.scoring_data import insert, loads, paris_day, scores, table, with_values

SATURDAY = paris_day("2017-09-30")
NOON = datetime(2017, 9, 30, 10, tzinfo=UTC)

# Dag.test() runs the scheduler's own code, which warns about its own future.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("airflow_home", "warehouse"),
]


@pytest.fixture
def dag() -> Any:
    return runnable(dag_of("score_anomalies"))


def asset_events(run: Any) -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return [dict(event.extra) for event in session.query(AssetEvent).filter_by(source_run_id=run.run_id)]


def state(run: Any) -> str:
    (instance,) = run.get_task_instances()
    return str(instance.state)


def test_a_run_scores_what_is_due_at_its_end_and_tells_the_asset(dag):
    history = loads("2017-08-14", "2017-09-30")
    insert(history)
    insert(with_values(history, between=(NOON, SATURDAY[1]), factor=0.05), version=2)
    run = dag.test(logical_date=NOON)
    assert (run.state, state(run)) == ("success", "success")
    found = scores()
    assert found["observed_at"].max() < NOON
    assert set(found["run_id"]) == {run.run_id}
    (told,) = asset_events(run)
    assert told["points_scored"] == len(found)
    assert told["anomalies"] == 0


def test_a_range_in_the_conf_is_scored_whole_and_again(dag):
    history = loads("2017-08-14", "2017-09-30")
    insert(history)
    insert(with_values(history, between=(NOON, SATURDAY[1]), factor=0.05), version=2)
    conf = {"start": SATURDAY[0].isoformat(), "end": SATURDAY[1].isoformat()}
    runs = [dag.test(run_conf=conf), dag.test(run_conf=conf)]
    assert [run.state for run in runs] == ["success", "success"]
    found = scores()
    assert len(found) == 48
    assert set(found["run_id"]) == {runs[1].run_id}
    assert [event["anomalies_new"] for run in runs for event in asset_events(run)] == [24, 0]
    assert len(table("SELECT 1 FROM episodes FINAL")) == 1


def test_nothing_to_score_skips_and_tells_nobody(dag):
    run = dag.test(logical_date=NOON)
    assert (run.state, state(run)) == ("success", "skipped")
    assert asset_events(run) == []
