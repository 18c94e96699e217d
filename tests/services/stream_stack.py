"""What the stream's tests share: settings of topics of their own, a plain scorer, producing and reading back."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from powersense.detection.stream.interface import FeatureMessage, ScoredBatch
from powersense.settings import Settings
from powersense.streaming.models import ModelWatch
from powersense.streaming.worker import Worker
from powersense.warehouse.stream.models import StoredEnsemble

TRAINED_AT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = 3


def stream_settings(servers: str, *, partitions: int = 2, **changes: object) -> Settings:
    """Return settings with topics and a group that no other test has; the input topic exists."""
    name = secrets.token_hex(4)
    settings = Settings(
        kafka_bootstrap_servers=servers,
        kafka_consumer_group=f"group-{name}",
        kafka_topic_input_features=f"in-{name}",
        kafka_topic_output_anomalies=f"out-{name}",
        kafka_topic_dead_letter=f"dead-{name}",
        kafka_topic_partitions=partitions,
        **{"stream_delivery": "at_least_once", "stream_landing": "off", **changes},
    )
    topics = (
        settings.kafka_topic_input_features,
        settings.kafka_topic_output_anomalies,
        settings.kafka_topic_dead_letter,
    )
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics([NewTopic(topic, num_partitions=partitions) for topic in topics]).values():
        made.result(10)
    return settings


class PlainScorer:
    """Scores a message by the share of the last three values of its series that are the newest's equals or less.

    A real, order-dependent scorer without anything to train: a message that is fed twice, left out or out of turn
    changes the scores that follow it.
    """

    def __init__(self, model_id: str = "plain-1", state: dict[tuple[str, str], deque[float]] | None = None) -> None:
        self.model_id = model_id
        self.state = defaultdict(lambda: deque(maxlen=WINDOW)) if state is None else state

    def has_model(self, asset_id: str) -> bool:
        return not asset_id.startswith("unknown")

    def refusals(self, messages: Sequence[FeatureMessage]) -> Mapping[int, str]:
        return {i: "feature x is missing" for i, message in enumerate(messages) if "x" not in message.features}

    def score_batch(self, messages: Sequence[FeatureMessage]) -> ScoredBatch:
        if any(message.features.get("poison") for message in messages):
            raise ArithmeticError("poison")
        scores = np.array([[self._score(message)] for message in messages]).reshape(-1, 1)
        flags = scores >= 0.95
        return ScoredBatch(
            ("plain",),
            scores,
            np.full_like(scores, 0.95),
            flags,
            scores[:, 0],
            flags[:, 0],
            np.where(flags[:, 0], 3, 0).astype(np.int8),
            [self.model_id] * len(messages),
            {},
        )

    def observe(self, messages: Sequence[FeatureMessage]) -> None:
        for message in messages:
            self._feed(message)

    def forget(self, series: Iterable[tuple[str, str]]) -> None:
        for one in series:
            self.state.pop(one, None)

    def _feed(self, message: FeatureMessage) -> deque[float]:
        values = self.state[message.asset_id, message.sensor_id]
        values.append(message.features["x"])
        return values

    def _score(self, message: FeatureMessage) -> float:
        text = repr(list(self._feed(message))).encode()
        return int.from_bytes(hashlib.blake2s(text, digest_size=4).digest()) / 2**32


class GivenModels:
    """A source of models that tests set."""

    def __init__(self, *model_ids: str) -> None:
        self.stored = {"": stored(model_ids[-1])} if model_ids else {}

    def newest(self) -> Mapping[str, StoredEnsemble]:
        return self.stored


def stored(model_id: str) -> StoredEnsemble:
    return StoredEnsemble(model_id, f"file:///nowhere/{model_id}.zip", "0" * 64, TRAINED_AT)


def watch(
    source: GivenModels, *, make: Callable[..., PlainScorer] = PlainScorer, poll_seconds: float = 0.1
) -> ModelWatch:
    """Return a watch whose scorers keep one state, as the real ones do."""
    state: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
    return ModelWatch(
        source,
        load=lambda each: each.model_id,
        assemble=lambda models: lambda: make(models[""], state),
        poll_seconds=poll_seconds,
    )


@dataclass
class Running:
    worker: Worker
    stop: threading.Event
    thread: threading.Thread
    source: GivenModels


@contextmanager
def running(
    settings: Settings, *, model: str | None = "plain-1", make: Callable[..., PlainScorer] = PlainScorer
) -> Iterator[Running]:
    """Run a worker in a thread; it is stopped and has ended on exit."""
    source = GivenModels(*([model] if model else []))
    models = watch(source, make=make)
    models.refresh()
    stop = threading.Event()
    worker = Worker(settings, models, stop=stop)
    threads = [threading.Thread(target=worker.run), threading.Thread(target=models.run_until, args=(stop,))]
    for thread in threads:
        thread.start()
    try:
        yield Running(worker, stop, threads[0], source)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "the worker did not stop"


def message(asset: str, x: float, *, sensor: str = "s", second: int = 0, **more: object) -> bytes:
    timestamp = datetime.fromtimestamp(1_767_225_600 + second, UTC).isoformat()
    return json.dumps(
        {"asset_id": asset, "sensor_id": sensor, "features": {"x": x}, "timestamp": timestamp, "metadata": {}, **more}
    ).encode()


def produce(settings: Settings, messages: Iterable[tuple[str | None, bytes | None]]) -> int:
    """Send (key, value) pairs to the input topic; return how many."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    count = 0
    for key, value in messages:
        producer.produce(settings.kafka_topic_input_features, key=key, value=value)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(30) == 0
    return count


class Reader:
    """Reads a topic from its start, further with each call.

    The embedded broker tells the end of a topic by the first message of the last batch: only reading finds the end.
    """

    def __init__(self, settings: Settings, topic: str, *, isolation: str = "read_uncommitted") -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "group.id": "check",
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
            }
        )
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = set(partitions)
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        self.found: list[Message] = []

    def read(self, *, seconds: float = 30) -> list[Message]:
        """Return all messages up to the ends that the partitions have now, each partition in its order."""
        waiting = set(self._partitions)
        deadline = time.monotonic() + seconds
        while waiting and time.monotonic() < deadline:
            for one in self._consumer.consume(10_000, timeout=0.05):
                if one.error() is None:
                    self.found.append(one)
                else:
                    assert one.error().code() == KafkaError._PARTITION_EOF, one.error()
                    waiting.discard(one.partition())
        return self.found

    def close(self) -> None:
        self._consumer.close()


def read_all(settings: Settings, topic: str, *, isolation: str = "read_uncommitted") -> list[Message]:
    """Return everything that stands in a topic now, each partition in its order."""
    reader = Reader(settings, topic, isolation=isolation)
    try:
        return reader.read()
    finally:
        reader.close()


def wait_for_messages(settings: Settings, topic: str, count: int, *, seconds: float = 30) -> list[Message]:
    """Wait until a topic holds at least so many messages; return all of them."""
    reader = Reader(settings, topic)
    try:
        deadline = time.monotonic() + seconds
        while len(reader.read(seconds=0.3)) < count:
            assert time.monotonic() < deadline, f"{topic} holds {len(reader.found)} of {count} after {seconds:g} s"
        return reader.found
    finally:
        reader.close()


def until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"
        time.sleep(0.05)
