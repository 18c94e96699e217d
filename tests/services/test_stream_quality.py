"""The rules on the stream, on really stored rows: they fire on the fault, end with it, and leave alone who has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from powersense.settings import get_settings
from powersense.streaming import batches
from powersense.streaming.landing_records import read_dead_letter, read_result
from powersense.streaming.presence import MICRO_BATCHES, live_workers
from powersense.warehouse.client import connect
from powersense.warehouse.stream import rows as stream
from tests.services.rule_data import alert_rows, findings_of
from tests.services.stream_data import dead_letter, result

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOW = datetime(2018, 3, 20, 13, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = ("stream_anomaly", "stream_dead_letters", "stream_stalled", "stream_model_stale")


@pytest.fixture
def client(warehouse):
    with connect("writer") as opened:
        yield opened


def found(now: datetime = NOW) -> dict[str, int]:
    """Return the findings of the rules on the stream that have any."""
    return findings_of(RULES, now)


def scored(client: Client, offsets: range, *, at: datetime, **changed: Any) -> None:
    """Land results, scored at an instant; the message of offset n is of 12:00 and n minutes."""
    rows = [read_result(*result(offset, **changed), published_at=at) for offset in offsets]
    assert stream.insert_results(client, [row for row in rows if isinstance(row, stream.StreamResult)]) == len(offsets)


def failed(client: Client, offsets: range) -> None:
    """Land dead letters of 12:00."""
    rows = [read_dead_letter(*dead_letter(offset), published_at=NOW) for offset in offsets]
    assert stream.insert_dead_letters(client, [row for row in rows if isinstance(row, stream.DeadLetter)])


def beats(
    client: Client,
    worker_id: str,
    *,
    minutes: range,
    lag: int,
    state: str = "running",
    now: datetime = NOW,
    **grow: int,
) -> None:
    """Store a heartbeat a minute, so many minutes before `now`; `lag_grows` and `scores` so many messages in each."""
    for age in minutes:
        passed = minutes.stop - age
        beat = stream.Beat(
            worker_id,
            now - age * MINUTE,
            stream.WorkerState(state),
            lag=lag + grow.get("lag_grows", 0) * passed,
            messages=grow.get("scores", 0) * passed,
        )
        stream.beat(client, beat)


def runs(
    client: Client, *, minutes: range, lag: int, state: str = "running", scores: int = 0, now: datetime = NOW
) -> None:
    """Store the heartbeat of a run of the DAG a minute, so many minutes before `now`; each has that run's counts."""
    for age in minutes:
        beat = stream.Beat(MICRO_BATCHES, now - age * MINUTE, stream.WorkerState(state), lag=lag, messages=scores)
        stream.beat(client, beat)


def trained(client: Client, model_id: str, *, scope: str = "", days: int) -> None:
    row = {
        "model_id": model_id,
        "scope": scope,
        "trained_at": NOW - timedelta(days=days),
        "source": "schedule",
    }
    client.insert("stream_models", [list(row.values())], column_names=list(row))


def test_an_installation_without_a_stream_is_told_nothing(client):
    assert found() == {}


def test_a_stream_that_does_well_is_told_nothing(client):
    trained(client, "pooled-1", days=29)
    scored(client, range(55), at=NOW - MINUTE)
    scored(client, range(55, 58), at=NOW - MINUTE, is_anomaly=True, criticality="medium")
    failed(client, range(9))
    beats(client, "one", minutes=range(20), lag=3, scores=6)
    assert found() == {}


def test_an_asset_with_anomalies_is_told_once_and_ends(client):
    scored(client, range(30), at=NOW - MINUTE)
    # Landed twice, as after a crash; one more of an area, and one of long ago, as from a bootstrap.
    for _ in range(2):
        scored(client, range(30, 32), at=NOW - MINUTE, is_anomaly=True, asset_id="pump", criticality="critical")
    scored(client, range(32, 33), at=NOW - 30 * MINUTE, is_anomaly=True, asset_id="Bretagne")
    long_ago = "2018-03-12T12:00:00+00:00"
    scored(client, range(33, 34), at=NOW - MINUTE, is_anomaly=True, asset_id="old", timestamp=long_ago)
    assert found() == {"stream_anomaly": 2}
    area, pump = alert_rows(client, "stream_anomaly")
    assert (area[:3], pump[:3]) == (
        ("stream_anomaly|Bretagne|Bretagne", "warning", "open"),
        ("stream_anomaly||pump", "critical", "open"),
    )
    assert pump[3] == (
        "2 of the 2 messages scored in the last 60 min, from 2018-03-20 12:30 UTC to 2018-03-20 12:31 UTC. "
        "The worst of sensor meter scores 0.90, flagged by isolation_forest."
    )
    assert found(NOW + 60 * MINUTE) == {}
    assert {state for _, _, state, _ in alert_rows(client, "stream_anomaly")} == {"closed"}


def test_dead_letters_are_told_by_their_share_with_the_most_frequent_reason(client):
    scored(client, range(50), at=NOW - MINUTE)
    failed(client, range(50, 60))
    assert found(NOW - MINUTE) == {"stream_dead_letters": 1}
    [(_, severity, _, message)] = alert_rows(client, "stream_dead_letters")
    assert severity == "warning"
    assert message.startswith(
        "16.7% of an hour's messages are dead letters; the limit is 1.0%. 10 of them: invalid_json"
    )
    assert found(NOW + MINUTE) == {}


def test_a_worker_that_died_is_missed_until_another_beats(client):
    beats(client, "one", minutes=range(11, 30), lag=40)
    assert found() == {"stream_stalled": 1}
    [(fingerprint, severity, _, message)] = alert_rows(client, "stream_stalled")
    assert (fingerprint, severity) == ("stream_stalled||worker", "critical")
    assert message == (
        "The last heartbeat, of one (running), is of 2018-03-20 12:49 UTC, 11 min ago; 40 messages waited then."
    )
    beats(client, "two", minutes=range(1), lag=40)
    assert found() == {}


def test_a_worker_that_was_stopped_with_nothing_left_is_not_missed(client):
    beats(client, "one", minutes=range(60, 61), lag=0, state="stopped")
    assert found() == {}


def test_workers_without_a_model_and_workers_that_fall_behind_are_told(client):
    beats(client, "one", minutes=range(13), lag=7, state="waiting_for_model")
    assert found() == {"stream_stalled": 1}
    assert alert_rows(client, "stream_stalled")[0][0] == "stream_stalled||model"
    # A second worker has the model, and more to do than it can.
    beats(client, "two", minutes=range(13), lag=500, lag_grows=10, scores=1)
    assert found() == {"stream_stalled": 1}
    (lag, _, state, message), (model, _, before, _) = alert_rows(client, "stream_stalled")
    assert (lag, state, model, before) == ("stream_stalled||lag", "open", "stream_stalled||model", "closed")
    assert message == "637 messages wait, 527 did 10 min before, and 11 were scored meanwhile."


def test_the_dag_alone_does_well_whatever_it_had_to_do(client):
    runs(client, minutes=range(20), lag=0)
    assert found() == {}
    client.command("TRUNCATE TABLE stream_workers")
    # What comes while it leaves waits for its next run.
    runs(client, minutes=range(20), lag=6, scores=6)
    assert found() == {}


def test_the_dag_that_gets_nowhere_or_has_no_model_is_told(client):
    runs(client, minutes=range(13), lag=6)
    assert found() == {"stream_stalled": 1}
    [(fingerprint, severity, _, message)] = alert_rows(client, "stream_stalled")
    assert (fingerprint, severity) == ("stream_stalled||lag", "critical")
    assert message == "6 messages wait, 6 did 10 min before, and 0 were scored meanwhile."
    # A run that scores counts; the next one has what it left, and its own counts.
    runs(client, minutes=range(0, 1), lag=0, scores=9, now=NOW + MINUTE)
    assert found(NOW + MINUTE) == {}
    client.command("TRUNCATE TABLE stream_workers")
    runs(client, minutes=range(13), lag=6, state="waiting_for_model")
    assert found() == {"stream_stalled": 1}
    assert {row[0] for row in alert_rows(client, "stream_stalled") if row[2] == "open"} == {"stream_stalled||model"}


def test_the_dag_is_missed_for_a_day_and_while_messages_wait(client):
    runs(client, minutes=range(11, 14), lag=0, scores=5)
    assert found() == {"stream_stalled": 1}
    [(fingerprint, _, _, message)] = alert_rows(client, "stream_stalled")
    assert fingerprint == "stream_stalled||worker"
    assert message.startswith("The last heartbeat, of score_features (running), is of 2018-03-20 12:49 UTC, 11 min ago")
    # A worker that takes over ends it; stopped in order, it is missed again, since the DAG does not go on.
    beats(client, "one", minutes=range(3), lag=0)
    assert found() == {}
    stream.beat(client, stream.Beat("one", NOW + MINUTE, stream.WorkerState("stopped")))
    assert found(NOW + 12 * MINUTE) == {"stream_stalled": 1}
    assert found(NOW + timedelta(days=1)) == {}


def test_a_worker_that_was_stopped_before_messages_is_missed_until_the_dag_takes_over(client):
    beats(client, "one", minutes=range(60, 61), lag=4, state="stopped")
    assert found() == {"stream_stalled": 1}
    runs(client, minutes=range(1), lag=4)
    assert found() == {}


def test_the_results_of_the_dag_that_do_not_land_are_told(client):
    now = datetime.now(UTC).replace(microsecond=0)
    runs(client, minutes=range(13), lag=0, now=now)
    client.insert("stream_results", [["in", 1, now - 13 * MINUTE]], column_names=["topic", "offset", "inserted_at"])
    # It had nothing to score, so nothing is missing.
    assert found(now) == {}
    runs(client, minutes=range(5, 6), lag=0, scores=5, now=now)
    assert found(now) == {"stream_stalled": 1}
    assert [row[0] for row in alert_rows(client, "stream_stalled")] == ["stream_stalled||landing"]


def test_a_run_of_the_dag_is_no_worker_that_lives(client, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    get_settings.cache_clear()
    now = datetime.now(UTC)
    trained(client, "pooled-1", days=0)
    runs(client, minutes=range(1), lag=3, now=now)
    assert live_workers(client, now=now) == []
    assert batches.why_not_now() == ""
    stream.beat(client, stream.Beat("one", now, stream.WorkerState("running")))
    assert [beat.worker_id for beat in live_workers(client, now=now)] == ["one"]
    assert batches.why_not_now().startswith("one scores the stream")


def test_a_run_that_is_skipped_without_knowing_what_waits_leaves_no_heartbeat(client, monkeypatch):
    monkeypatch.setattr(batches, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    get_settings.cache_clear()
    assert batches.why_not_now().startswith("no ensemble is trained")
    monkeypatch.setenv("STREAM_MICRO_BATCHES", "off")
    get_settings.cache_clear()
    assert "is off" in batches.why_not_now()
    assert client.query("SELECT count() FROM stream_workers").first_row == (0,)


def test_results_that_no_longer_land_are_told_where_some_did(client):
    # By the wall clock, which rows are stored by.
    now = datetime.now(UTC).replace(microsecond=0)
    beats(client, "one", minutes=range(13), lag=0, scores=5, now=now)
    assert found(now) == {}
    landed_at = now - 13 * MINUTE
    client.insert("stream_results", [["in", 1, landed_at]], column_names=["topic", "offset", "inserted_at"])
    assert found(now) == {"stream_stalled": 1}
    assert [row[:2] for row in alert_rows(client, "stream_stalled")] == [("stream_stalled||landing", "warning")]
    scored(client, range(3), at=NOW - MINUTE)
    assert found(now) == {}


def test_a_model_that_serves_is_told_when_it_is_old_and_one_that_does_not_is_not(client):
    trained(client, "pooled-1", days=31)
    trained(client, "pump-1", scope="pump", days=400)
    assert found() == {}
    scored(client, range(3), at=NOW - MINUTE)
    assert found() == {"stream_model_stale": 1}
    [(_, severity, _, message)] = alert_rows(client, "stream_model_stale")
    assert severity == "warning"
    assert message.startswith("pooled-1 (pooled) was trained at 2018-02-17 13:00 UTC, 31 days ago; the limit is 30.")
    trained(client, "pooled-2", days=0)
    assert found() == {}
