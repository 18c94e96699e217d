"""The rules on the stream, against tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from powersense.quality.rules import CHECKED_RULES, Finding, Thresholds

NOON = datetime(2018, 3, 20, 12, tzinfo=UTC)
LIMITS = Thresholds()


def find(rule: str, *rows: dict[str, Any]) -> list[Finding]:
    return CHECKED_RULES[rule](rows, now=NOON, thresholds=LIMITS)


def anomalous(**changed: Any) -> dict[str, Any]:
    return {
        "asset_id": "pump 7",
        "area": "",
        "anomalies": 3,
        "messages": 60,
        "critical": 0,
        "first_at": NOON - timedelta(minutes=40),
        "last_at": NOON - timedelta(minutes=5),
        "worst_score": 0.931,
        "worst_sensor_id": "flow",
        "models": ["isolation_forest", "one_class_svm"],
    } | changed


@pytest.mark.parametrize(("critical", "severity"), [(0, "warning"), (1, "critical")])
def test_an_asset_with_anomalies_is_one_finding_as_bad_as_the_worst(critical: int, severity: str) -> None:
    [found] = find("stream_anomaly", anomalous(critical=critical))
    assert (found.severity, found.key, found.area) == (severity, "pump 7", "")
    assert found.message == (
        "3 of the 60 messages scored in the last 60 min, from 2018-03-20 11:20 UTC to 2018-03-20 11:55 UTC. "
        "The worst of sensor flow scores 0.93, flagged by isolation_forest, one_class_svm."
    )


def test_two_assets_are_two_problems_and_an_area_is_named_as_one() -> None:
    found = find("stream_anomaly", anomalous(), anomalous(asset_id="Bretagne", area="Bretagne", worst_sensor_id=""))
    assert len({finding.fingerprint for finding in found}) == 2
    assert found[1].area == "Bretagne"
    assert "The worst scores" in found[1].message


@pytest.mark.parametrize(
    ("letters", "messages", "severities"),
    [
        (9, 0, []),
        (10, 0, ["critical"]),
        (10, 10, ["critical"]),
        (10, 11, ["warning"]),
        (10, 989, ["warning"]),
        (10, 990, []),
        (0, 1000, []),
    ],
)
def test_dead_letters_are_told_by_their_share_of_an_hour(letters: int, messages: int, severities: list[str]) -> None:
    row = {"reason": "invalid_json", "detail": "x", "with_reason": letters}
    found = find("stream_dead_letters", row | {"dead_letters": letters, "messages": messages})
    assert [finding.severity for finding in found] == severities


def worker(*, beat: float = 0, state: str = "running", watched: float = 11, **changed: Any) -> dict[str, Any]:
    """Return the facts of a worker; ages in minutes."""
    return {
        "worker_id": "one",
        "is_micro_batches": False,
        "beat_at": NOON - timedelta(minutes=beat),
        "state": state,
        "watched_since": NOON - timedelta(minutes=watched),
        "lag": 0,
        "lag_before": 0,
        "scored": 0,
        "is_always_waiting": state == "waiting_for_model",
        "has_scored": True,
        "landed": 1,
        "landed_in_week": 100,
    } | changed


def batches(**changed: Any) -> dict[str, Any]:
    """Return the facts of the DAG, which beats once a minute."""
    return worker(worker_id="score_features", is_micro_batches=True, **changed)


DAY = 24 * 60


@pytest.mark.parametrize(
    ("workers", "keys"),
    [
        ([worker()], []),
        ([worker(beat=9.9)], []),
        ([worker(beat=10)], ["worker"]),
        ([worker(beat=60, state="stopped")], []),
        ([worker(beat=60, state="stopped", lag=1)], ["worker"]),
        ([worker(beat=5, state="stopped", lag=1)], []),
        # One that ended long ago in disorder does not count beside one that was stopped in order.
        ([worker(beat=600, lag=5), worker(beat=60, state="stopped")], []),
        ([worker(beat=600), worker()], []),
        ([worker(state="waiting_for_model")], []),
        ([worker(state="waiting_for_model", lag=5, lag_before=5)], ["model"]),
        ([worker(state="waiting_for_model", lag=5, watched=9)], []),
        ([worker(state="running", lag=5, is_always_waiting=True), worker(scored=100)], []),
        ([worker(lag=100, lag_before=100, scored=0)], ["lag"]),
        ([worker(lag=1000, lag_before=500, scored=999)], ["lag"]),
        ([worker(lag=1000, lag_before=500, scored=1000)], []),
        ([worker(lag=499, lag_before=500, scored=1)], []),
        ([worker(lag=1000, lag_before=0, scored=1)], []),
        ([worker(lag=1000, lag_before=500, watched=9)], []),
        ([worker(landed=0)], ["landing"]),
        ([worker(landed=0, watched=9)], []),
        ([worker(landed=0, landed_in_week=0)], []),
        ([worker(landed=0, has_scored=False)], []),
        ([worker(landed=0, lag=100, lag_before=100)], ["lag", "landing"]),
        # What one worker gave back, another holds now.
        ([worker(lag=0, lag_before=500), worker(lag=400, lag_before=0)], []),
        # One after another, each for less than the minutes: one stream that gets nowhere, or gets on.
        ([worker(beat=6, lag=500, lag_before=500), worker(watched=5, lag=500)], ["lag"]),
        ([worker(beat=6, lag=500, lag_before=500), worker(watched=5, lag=400)], []),
        ([worker(beat=6, state="stopped", lag=400, lag_before=500), worker(watched=5, lag=500)], ["lag"]),
        ([worker(beat=6, state="stopped", lag=0, lag_before=500, scored=500), worker(watched=5, lag=500)], []),
        # Stopped at the same time, each leaves its own; one that was relieved left nothing.
        ([worker(beat=60, state="stopped"), worker(beat=60.1, state="stopped", lag=5)], ["worker"]),
        ([worker(beat=60, state="stopped"), worker(beat=62, state="stopped", lag=5)], []),
    ],
)
def test_a_stream_is_stalled_when_messages_wait_and_nobody_gets_through(
    workers: list[dict[str, Any]], keys: list[str]
) -> None:
    found = find("stream_stalled", *workers)
    assert [finding.key for finding in found] == keys
    assert [finding.severity for finding in found] == ["warning" if key == "landing" else "critical" for key in keys]


@pytest.mark.parametrize(
    ("workers", "keys"),
    [
        ([batches()], []),
        ([batches(beat=9.9)], []),
        ([batches(beat=10)], ["worker"]),
        ([batches(beat=DAY - 1)], ["worker"]),
        ([batches(beat=DAY)], []),
        ([batches(beat=DAY, lag=1)], ["worker"]),
        ([batches(lag=3, lag_before=3)], ["lag"]),
        ([batches(lag=3, lag_before=3, scored=3)], []),
        ([batches(lag=3, lag_before=3, watched=9)], []),
        ([batches(state="waiting_for_model")], []),
        ([batches(state="waiting_for_model", lag=5)], ["model"]),
        ([batches(landed=0)], ["landing"]),
        # Beside workers the DAG tells of the same messages, and helps.
        ([worker(lag=60, lag_before=50), batches(lag=60, lag_before=50, scored=60)], []),
        ([worker(lag=60, lag_before=50, scored=58), batches(lag=60, lag_before=50, scored=1)], ["lag"]),
        # A worker took over, or was stopped in order and the DAG takes over.
        ([batches(beat=DAY / 2), worker()], []),
        ([batches(beat=8, lag=50, lag_before=50), worker(watched=7, lag=40)], []),
        ([worker(beat=8, state="stopped"), batches(watched=7)], []),
        ([worker(beat=60, state="stopped", lag=5), batches(watched=59)], []),
        # A worker was stopped in order, but the DAG, which would take over, does not.
        ([batches(beat=90), worker(beat=60, state="stopped")], ["worker"]),
        ([batches(beat=2 * DAY), worker(beat=60, state="stopped")], []),
        ([batches(beat=2 * DAY), worker(beat=60, state="stopped", lag=1)], ["worker"]),
    ],
)
def test_a_stream_that_the_dag_scores_is_stalled_in_the_same_way(
    workers: list[dict[str, Any]], keys: list[str]
) -> None:
    assert [finding.key for finding in find("stream_stalled", *workers)] == keys


def test_who_did_not_take_over_is_named() -> None:
    [found] = find("stream_stalled", batches(beat=90), worker(beat=60, state="stopped"))
    assert found.subject == "Nobody scores the stream"
    assert found.message == (
        "The last heartbeat, of one (stopped), is of 2018-03-20 11:00 UTC, 60 min ago; 0 messages waited then. "
        "score_features, which scored until 2018-03-20 10:30 UTC, has not taken over."
    )
    [waiting] = find("stream_stalled", batches(state="waiting_for_model", lag=5))
    assert "by score_features, since" in waiting.message


@pytest.mark.parametrize(("days", "count"), [(30, 0), (30.01, 1)])
def test_a_serving_model_is_old_after_its_days(days: float, count: int) -> None:
    trained_at = NOON - timedelta(days=days)
    assert len(find("stream_model_stale", {"scope": "", "model_id": "m", "trained_at": trained_at})) == count


def test_many_old_models_are_one_alert_that_names_the_oldest() -> None:
    ages = {"": 5, "a": 40, "b": 50}
    rows = [
        {"scope": scope, "model_id": f"m-{scope}", "trained_at": NOON - timedelta(days=days)}
        for scope, days in ages.items()
    ]
    [found] = find("stream_model_stale", *rows)
    assert found.message.startswith("m-b (b) was trained at 2018-01-29 12:00 UTC, 50 days ago")
    assert found.message.endswith("Old models: 2 of 3.")
