"""The areas' load on its way to the stream: what is published, once, again when revised, and the ensemble it is for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition

from powersense import model_store
from powersense.errors import StreamError, TrainingDataError
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.streaming.area_features import read_features
from powersense.streaming.batches import score_waiting, why_not_now
from powersense.streaming.publishing import publish_due
from powersense.streaming.training import NothingToTrainError, Rows, train_areas, train_as_asked, train_rows
from powersense.warehouse.client import connect
from powersense.warehouse.stream.models import newest, serving
from powersense.warehouse.stream.rows import Beat, WorkerState, beat
from tests.services.lifecycle_data import AREA, NOW, load, put_load
from tests.services.scoring_data import insert, table
from tests.services.stream_environment import stream_environment

pytestmark = pytest.mark.usefixtures("warehouse")

SINCE = NOW - timedelta(days=140)
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture
def topic(kafka_broker, monkeypatch, tmp_path) -> str:
    """Settings that lead to the broker; the input topic's name."""
    environment = stream_environment(kafka_broker.servers, models=tmp_path)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    return environment["KAFKA_TOPIC_INPUT_FEATURES"]


def messages(topic: str) -> list[tuple[str, dict[str, Any], str]]:
    """Return all messages of a topic: key, content and header, each partition's in order."""
    servers = get_settings().kafka_bootstrap_servers
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            ended += 1
            continue
        (header,) = message.headers()
        found.append((message.key().decode(), json.loads(message.value()), header[1].decode()))
    consumer.close()
    return found


def test_a_day_of_two_areas_is_published_once_and_in_order(topic):
    for area in (AREA, "France"):
        put_load(start=SINCE, area=area)
    counts = publish_due(NOW, "run-1")
    assert counts == {"messages": 96, "areas": 2, "without_baseline": 0}
    found = messages(topic)
    assert {key for key, _, _ in found} == {AREA, "France"}
    mine = [content for key, content, _ in found if key == AREA]
    instants = [datetime.fromisoformat(content["timestamp"]) for content in mine]
    assert instants == [NOW - timedelta(days=1) + number * HALF_HOUR for number in range(48)]
    last, known = mine[-1], load(NOW - HALF_HOUR, NOW)["value"].iloc[0]
    assert (last["asset_id"], last["sensor_id"]) == (AREA, "load")
    assert last["metadata"] == {
        "unit": "MW",
        "load_mw": pytest.approx(known),
        "vintage": "definitive",
        "version": 1,
        "run_id": "run-1",
    }
    yesterday = load(NOW - HALF_HOUR - timedelta(days=1), NOW - timedelta(days=1))["value"].iloc[0]
    assert last["features"]["day_ratio"] == pytest.approx(known / yesterday)
    assert len(last["features"]) == 9

    assert publish_due(NOW, "run-2")["messages"] == 0
    assert publish_due(NOW + timedelta(minutes=29), "run-3")["messages"] == 0
    assert len(messages(topic)) == 96


def test_what_is_revised_or_late_is_published_again_with_its_version(topic):
    put_load(start=SINCE, end=NOW - HALF_HOUR)
    assert publish_due(NOW, "run-1")["messages"] == 47
    revised = load(NOW - timedelta(hours=3), NOW - timedelta(hours=2, minutes=30))
    insert(revised.assign(value=revised["value"] * 1.5), vintage="definitive", version=2)
    insert(load(NOW - HALF_HOUR, NOW), vintage="realtime")
    assert publish_due(NOW, "run-2")["messages"] == 2
    again, late = [
        (content, header) for _, content, header in messages(topic) if content["metadata"]["run_id"] == "run-2"
    ]
    assert again[0]["metadata"]["version"] == 2
    assert again[0]["metadata"]["load_mw"] == pytest.approx(revised["value"].iloc[0] * 1.5)
    assert again[1] == f"{AREA}/20171115T1500/definitive/2"
    assert late[1] == f"{AREA}/20171115T1730/realtime/1"


def test_a_second_quarter_hour_makes_another_version_of_its_half_hour(topic):
    put_load(start=SINCE, end=NOW - HALF_HOUR)
    quarter = load(NOW - HALF_HOUR, NOW)
    insert(quarter, vintage="realtime")
    publish_due(NOW, "run-1")
    insert(quarter.assign(observed_at=quarter["observed_at"] + timedelta(minutes=15)), vintage="realtime")
    assert publish_due(NOW, "run-2") == {"messages": 1, "areas": 1, "without_baseline": 0}


def test_a_run_that_could_not_record_sends_the_same_again(topic):
    put_load(start=SINCE)
    publish_due(NOW, "run-1")
    with connect("writer") as client:
        client.command("TRUNCATE TABLE stream_published")
    publish_due(NOW, "run-1")
    found = messages(topic)
    first, second = found[:48], found[48:]
    assert sorted(map(str, first)) == sorted(map(str, second))


def test_a_load_without_weeks_before_it_waits(topic):
    put_load(start=NOW - timedelta(hours=6))
    assert publish_due(NOW, "run-1") == {"messages": 0, "areas": 0, "without_baseline": 12}
    assert table("SELECT count() AS n FROM stream_published")["n"].iloc[0] == 0


def test_a_broker_that_is_away_fails_the_run_and_nothing_counts_as_published(topic, monkeypatch):
    put_load(start=SINCE)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr("powersense.streaming.client._ANSWER_SECONDS", 0.5)
    get_settings.cache_clear()
    with pytest.raises(StreamError, match="KAFKA_BOOTSTRAP_SERVERS"):
        publish_due(NOW, "run-1")
    with pytest.raises(StreamError, match="KAFKA_BOOTSTRAP_SERVERS"):
        score_waiting()
    assert table("SELECT count() AS n FROM stream_published")["n"].iloc[0] == 0


def test_an_anomaly_is_not_learnt_nor_what_is_compared_with_it():
    put_load(start=SINCE)
    before = usual_half_hours()
    anomalous = NOW - timedelta(days=2)
    mark_anomaly(anomalous)
    # The last six half-hours' deviation, and the half-hour a day later.
    lost = {anomalous + number * HALF_HOUR for number in range(6)} | {anomalous + timedelta(days=1)}
    assert lost <= before
    assert usual_half_hours() == before - lost


def usual_half_hours() -> set[datetime]:
    with connect("reader") as client:
        span = {"start": NOW - timedelta(weeks=1), "end": NOW, "is_for_training": True}
        (found,) = read_features(client, [AREA], **span)
    return {instant.to_pydatetime() for instant in found.features.dropna().index}


@pytest.mark.usefixtures("topic")
def test_the_areas_ensemble_is_stored_and_a_repeated_run_trains_the_same():
    from powersense.detection.stream.ensemble import TrainedEnsemble
    from powersense.detection.stream.load_features import FEATURE_NAMES

    put_load(start=SINCE)
    trained = train_areas(now=NOW, run_id="run-1")
    assert (trained.scopes, trained.rows_trained) == ([""], 336)
    assert trained.feature_names == list(FEATURE_NAMES)
    with connect("reader") as client:
        (known,) = serving(client)
        stored = newest(client)[""]
    assert (known.source, known.data_until, known.trained_at) == ("schedule", NOW, NOW)
    files = model_store.load(stored.artefact_uri, sha256=stored.artefact_sha256, model_id=stored.model_id)
    assert TrainedEnsemble.from_files(files).model_id == trained.model_id
    again = train_areas(now=NOW, run_id="run-1")
    assert (again.model_id, again.metrics) == (trained.model_id, trained.metrics)
    with connect("reader") as client:
        assert newest(client)[""].artefact_sha256 == stored.artefact_sha256


@pytest.mark.usefixtures("topic")
def test_a_light_run_trains_only_where_there_is_none():
    monday = {"kind": "light"}
    with pytest.raises(NothingToTrainError, match="too little is known"):
        train_as_asked(monday, now=NOW, run_id="run-1")
    put_load(start=SINCE)
    assert train_as_asked(monday, now=NOW, run_id="run-2")["rows_trained"] > 300
    with pytest.raises(NothingToTrainError, match="full runs train it again"):
        train_as_asked(monday, now=NOW, run_id="run-3")
    with pytest.raises(NothingToTrainError, match="rollback"):
        train_as_asked({"kind": "full", "rollback": True}, now=NOW, run_id="run-4")
    assert train_as_asked({"kind": "full"}, now=NOW, run_id="run-5")["scopes"] == 1


@pytest.mark.usefixtures("topic")
def test_an_ensemble_that_somebody_pooled_stays_and_the_areas_get_theirs_by_name():
    put_load(start=SINCE)
    theirs = train_rows(pumps(), "api:bob", NOW - timedelta(days=9))
    trained = train_areas(now=NOW, run_id="run-1")
    with connect("reader") as client:
        served = newest(client)
    assert served[""].model_id == theirs.model_id
    assert served[AREA].model_id == served["France"].model_id == trained.model_id
    assert len(served) == 14


def test_too_few_rows_are_refused_by_name():
    with pytest.raises(TrainingDataError, match="data"):
        train_rows(Rows([[1.0]], ["flow"]), "api:bob", NOW)


@pytest.mark.usefixtures("topic")
def test_micro_batches_give_way_to_a_worker_that_lives(monkeypatch):
    assert "no ensemble is trained" in why_not_now()
    train_rows(pumps(), "api:bob", NOW)
    assert why_not_now() == ""
    with connect("writer") as client:
        beat(client, Beat("worker-1", datetime.now(UTC) - timedelta(minutes=5), WorkerState.RUNNING))
        assert why_not_now() == ""
        beat(client, Beat("worker-2", datetime.now(UTC), WorkerState.RUNNING))
    assert "worker-2 scores the stream" in why_not_now()
    for choice, said in (("always", ""), ("off", "STREAM_MICRO_BATCHES is off")):
        monkeypatch.setenv("STREAM_MICRO_BATCHES", choice)
        get_settings.cache_clear()
        assert why_not_now().startswith(said)
        assert bool(why_not_now()) == bool(said)


def pumps() -> Rows:
    """Return usual rows of a pump, and one cheap model to learn them."""
    data = [[float(number % 7), float(number % 5)] for number in range(300)]
    return Rows(data, ["flow", "pressure"], models=["isolation_forest"])


def mark_anomaly(observed_at: datetime) -> None:
    row = pd.DataFrame(
        {
            "detector": ["baseline_zscore"],
            "metric": "consommation",
            "area": AREA,
            "observed_at": pd.Timestamp(observed_at),
            "value": 1.0,
            "expected_mw": 2.0,
            "z_score": -9.0,
            "deviation_mw": -1.0,
            "direction": "low",
            "severity": "critical",
            "detected_at": pd.Timestamp(observed_at),
            "run_id": "test",
        }
    )
    with connect("writer") as client:
        client.insert_df("anomalies", row)
