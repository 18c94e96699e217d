"""The sink of the stream on a real broker and the real engine: nothing is lost, nothing counts twice."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from powersense.errors import WarehouseUnavailableError
from powersense.local.ports import free_port
from powersense.settings import Settings, get_settings
from powersense.streaming.landing import Landing
from powersense.warehouse.client import connect
from powersense.warehouse.stream import rows as stream
from tests.services.stream_data import START, Published, dead_letter, foreign, result

DRAIN_SECONDS = 60
KILLED_BEFORE_ITS_COMMIT = """
import os, signal
from powersense.settings import get_settings
from powersense.streaming.landing import Landing
Landing._commit = lambda landing, consumer: os.kill(os.getpid(), signal.SIGKILL)
Landing(get_settings()).drain(60)
"""


@pytest.fixture
def settings(warehouse, kafka_broker, monkeypatch) -> Settings:
    """Two topics and a group of the test's own."""
    suffix = secrets.token_hex(4)
    names = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_broker.servers,
        # A member that was killed is gone soon.
        "KAFKA_SESSION_TIMEOUT_MS": "2000",
        "KAFKA_CONSUMER_GROUP": f"detect-{suffix}",
        "KAFKA_TOPIC_OUTPUT_ANOMALIES": f"anomalies-{suffix}",
        "KAFKA_TOPIC_DEAD_LETTER": f"dead-{suffix}",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    admin = AdminClient({"bootstrap.servers": kafka_broker.servers})
    topics = [NewTopic(names[f"KAFKA_TOPIC_{kind}"], 2, 1) for kind in ("OUTPUT_ANOMALIES", "DEAD_LETTER")]
    for created in admin.create_topics(topics).values():
        created.result(10)
    return get_settings()


def publish(settings: Settings, topic: str, messages: Iterable[Published]) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for value, named in messages:
        producer.produce(topic, key=b"k", value=value, headers=named)
    assert producer.flush(10) == 0


def committed(settings: Settings) -> int:
    """Return how many results the sink's group has behind it."""
    group = f"{settings.kafka_consumer_group}-landing"
    reader = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": group})
    places = [TopicPartition(settings.kafka_topic_output_anomalies, partition) for partition in (0, 1)]
    offsets = [place.offset for place in reader.committed(places, timeout=10)]
    reader.close()
    return sum(offset for offset in offsets if offset > 0)


def stored(query: str) -> list[tuple[object, ...]]:
    with connect("reader") as client:
        return [tuple(row) for row in client.query(query).result_rows]


def test_results_dead_letters_and_foreign_messages_land_each_in_its_place(settings):
    publish(settings, settings.kafka_topic_output_anomalies, [result(n, is_anomaly=n == 3) for n in range(500)])
    publish(settings, settings.kafka_topic_output_anomalies, [*foreign(), foreign()[1]])
    publish(settings, settings.kafka_topic_dead_letter, [dead_letter(n, bytes([255, n, 0])) for n in range(20)])

    counts = Landing(settings).drain(DRAIN_SECONDS)
    assert (counts["results"], counts["dead_letters"], counts["quarantined"]) == (500, 20, 11)
    assert stored("SELECT count(), uniqExact(offset), countIf(is_anomaly) FROM stream_results") == [(500, 500, 1)]
    [row] = stored(
        "SELECT topic, partition, asset_id, observed_at, criticality, model_names, flags, features, metadata "
        "FROM stream_results WHERE offset = 3"
    )
    features = {"load_mw_ratio": 1.5, "ramp_ratio": -0.25}
    assert row == (
        "extracted-features", 0, "asset 3", START + timedelta(minutes=3), "high",
        ["isolation_forest", "one_class_svm"], [True, False], features, '{"plant":"Chooz"}',
    )  # fmt: skip
    assert stored("SELECT reason, hex(original) FROM stream_dead_letters WHERE offset = 7") == [
        ("invalid_json", "FF0700")
    ]
    # Of the same bytes one record stands, told with its reason.
    assert stored("SELECT reason, count() FROM quarantine FINAL GROUP BY reason ORDER BY reason") == [
        ("bad_instant", 1),
        ("malformed_record", 4),
        ("missing_key", 2),
        ("not_a_number", 1),
        ("out_of_range", 1),
    ]

    # The same inputs once more, as a worker that delivers at least once may publish them.
    publish(settings, settings.kafka_topic_output_anomalies, [result(n, is_anomaly=n == 3) for n in range(500)])
    publish(settings, settings.kafka_topic_dead_letter, [dead_letter(n, bytes([255, n, 0])) for n in range(20)])
    assert Landing(settings).drain(DRAIN_SECONDS)["results"] == 500
    assert stored("SELECT count(), countIf(is_anomaly) FROM stream_results FINAL") == [(500, 1)]
    assert stored("SELECT count() FROM stream_dead_letters FINAL") == [(20,)]


@pytest.mark.slow
def test_a_sink_killed_between_insert_and_commit_lands_nothing_twice(settings):
    publish(settings, settings.kafka_topic_output_anomalies, [result(n) for n in range(300)])
    command = [sys.executable, "-c", KILLED_BEFORE_ITS_COMMIT]
    killed = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert stored("SELECT count() > 0 FROM stream_results") == [(1,)]
    assert committed(settings) == 0

    assert Landing(settings).drain(DRAIN_SECONDS)["results"] == 300
    assert stored("SELECT count(), uniqExact(offset) FROM stream_results FINAL") == [(300, 300)]


def test_a_sink_waits_for_clickhouse_and_goes_on(settings, monkeypatch):
    publish(settings, settings.kafka_topic_output_anomalies, [result(n) for n in range(50)])
    there = os.environ["AIRFLOW_CONN_CLICKHOUSE_DEFAULT"]
    port = json.loads(there)["port"]
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", there.replace(f'"port": {port}', f'"port": {free_port()}'))
    with pytest.raises(WarehouseUnavailableError):
        Landing(settings).drain(8)
    stop, sink = threading.Event(), Landing(settings)
    thread = threading.Thread(target=sink.run_until, args=[stop])
    thread.start()
    try:
        wait_for(lambda: sink.counts.failures >= 2)
        monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", there)
        wait_for(lambda: sink.counts.results == 50)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert stored("SELECT count(), uniqExact(offset) FROM stream_results FINAL") == [(50, 50)]
    assert committed(settings) == 50


def wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        threading.Event().wait(0.1)
    pytest.fail("waited a minute in vain")


def test_a_worker_is_known_by_its_newest_heartbeat_and_the_stream_by_its_counts(warehouse):
    now = datetime.now(UTC).replace(microsecond=0)
    with connect("writer") as client:
        for seconds, state in ((20, "waiting_for_model"), (10, "running")):
            beat_at = now - timedelta(seconds=seconds)
            stream.beat(client, stream.Beat("one", beat_at, stream.WorkerState(state), messages=seconds, lag=3))
        stream.beat(client, stream.Beat("gone", now - timedelta(hours=1), stream.WorkerState.STOPPED))
    with connect("reader") as client:
        [alive] = stream.workers(client, since=now - timedelta(minutes=1))
        assert (alive.worker_id, alive.state, alive.messages, alive.beat_at) == (
            "one", "running", 10, now - timedelta(seconds=10),
        )  # fmt: skip
        assert stream.counts(client, since=now) == stream.StreamCounts(0, 0, 0, None, None)
