"""Streaming: messages a second through a real broker, against one message at a time; time to publish; memory.

The broker runs on the same cores. Topics are filled before the clock starts; joining the group is not counted, and
every result is acknowledged and committed when it stops; rates are medians of three rounds.
`STREAM_BENCH_MEMORY_MESSAGES` is the length of the memory run (2,000,000 is the goal's; the default is a tenth of it).
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
SEED = 20_171_201
FEATURES = tuple(f"feature_{number}" for number in range(10))
ASSETS = 10_000
CLASSICAL = ("isolation_forest", "one_class_svm")
ALL_THREE = (*CLASSICAL, "lstm_autoencoder")
MESSAGES = 100_000
ROUNDS = 3
SINGLE_MESSAGES = 300
LATENCY_RATE, LATENCY_SECONDS = 500, 15
MEMORY_MESSAGES = int(os.environ.get("STREAM_BENCH_MEMORY_MESSAGES", "200000"))
SERVERS = "bootstrap.servers"


def run() -> list[dict[str, Any]]:
    """Return the rows of all streaming benchmarks."""
    sys.path.insert(0, str(ROOT / "include"))
    logging.getLogger("powersense").setLevel(logging.CRITICAL)
    from powersense.local.kafka import EmbeddedKafka

    ensembles = {names: _train(names) for names in (CLASSICAL, ALL_THREE)}
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder:

        @contextmanager
        def broker() -> Iterator[str]:
            # A broker in memory grows: each measurement has its own.
            with EmbeddedKafka(Path(folder) / "broker.log") as one:
                yield one.servers

        rates = {}
        for names, ensemble in ensembles.items():
            found = []
            for _ in range(ROUNDS):
                with broker() as servers:
                    found.append(_rate(servers, ensemble, MESSAGES))
            rates[names] = statistics.median(found)
        with broker() as servers:
            single = _single_rate(servers, ensembles[ALL_THREE])
        with broker() as servers:
            p50, p99 = _latencies(servers, ensembles[ALL_THREE])
        with broker() as servers:
            growth, megabytes = _memory(servers, ensembles[ALL_THREE])
    three, two = rates[ALL_THREE], rates[CLASSICAL]
    return [
        _row("two classical models", two, "messages/s", goal="≥ 20,000/s", holds=two >= 20_000),
        _row("all three models", three, "messages/s", goal="≥ 5,000/s", holds=three >= 5_000),
        _row(
            "all three models, batched", three, "messages/s", reference=f"one by one, {single:,.0f}/s",
            ratio=three / single, goal="≥ 50×", holds=three >= 50 * single,
        ),
        _row(f"p50 produce to publish at {LATENCY_RATE}/s", p50, "ms", goal="–", holds=True),
        _row(f"p99 produce to publish at {LATENCY_RATE}/s", p99, "ms", goal="≤ 500 ms", holds=p99 <= 500),
        _row(
            f"memory at the end of {MEMORY_MESSAGES:,} messages of {ASSETS:,} assets", megabytes, "MB",
            reference="the same run after its first quarter", ratio=growth, goal="≤ 1.1×", holds=growth <= 1.1,
        ),
    ]  # fmt: skip


def _row(
    name: str, value: float, unit: str, *, goal: str, holds: bool, reference: str = "–", ratio: float | None = None
) -> dict[str, Any]:
    return {
        "name": f"streaming: {name}",
        "value": value,
        "unit": unit,
        "reference": reference,
        "ratio": ratio,
        "goal": goal,
        "holds": bool(holds),
    }


def _rows(count: int, seed: int) -> np.ndarray:
    """Return correlated features, a message a row."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(SEED).normal(size=(4, len(FEATURES)))
    return rng.normal(size=(count, 4)) @ mixing + 0.3 * rng.normal(size=(count, len(FEATURES)))


def _train(names: Sequence[str]) -> Any:
    from powersense.detection.stream.ensemble import TrainedEnsemble

    return TrainedEnsemble.train(_rows(4_000, SEED), FEATURES, series=None, models=names, seed=SEED, model_id="bench")


def _messages(count: int, *, assets: int = ASSETS) -> Iterator[tuple[str, bytes]]:
    """Yield (asset, message), the assets in turn; rows repeat after a while."""
    import orjson

    rows = _rows(min(count, 20_000), SEED + 1).round(4).tolist()
    for number in range(count):
        asset = f"asset-{number % assets}"
        content = {
            "asset_id": asset,
            "sensor_id": "meter",
            "features": dict(zip(FEATURES, rows[number % len(rows)], strict=True)),
            "timestamp": "2026-01-01T00:00:00Z",
            "metadata": {"number": number},
        }
        yield asset, orjson.dumps(content)


def _settings(servers: str) -> Any:
    from tests.services.stream_stack import stream_settings

    return stream_settings(servers, partitions=6)


def _worker(settings: Any, ensemble: Any, stop: threading.Event) -> Any:
    from powersense.detection.stream.scorer import StreamScorer
    from powersense.detection.stream.sequences import SequenceState
    from powersense.streaming.models import Serving
    from powersense.streaming.worker import Worker
    from tests.services.stream_stack import stored

    scorer = StreamScorer({"": ensemble}, SequenceState(settings.stream_max_series))
    scorer.warm_up()

    class Models:
        serving = Serving(lambda: scorer, {"": stored("bench")})

    return Worker(settings, Models(), stop=stop)


def _rate(servers: str, ensemble: Any, count: int, *, each: Callable[[int], None] = lambda _: None) -> float:
    """Return messages a second from the first batch to the last acknowledgement."""
    from tests.services.stream_stack import produce

    settings = _settings(servers)
    produce(settings, _messages(count))
    worker = _worker(settings, ensemble, threading.Event())
    first: list[tuple[float, int]] = []

    def is_done(_: Any) -> bool:
        done = worker.metrics.messages
        if done and not first:
            first.append((time.perf_counter(), done))
        each(done)
        if done < count:
            return False
        worker._settle()
        return True

    worker.run(is_done=is_done)
    if worker.metrics.results != count:
        raise RuntimeError(f"{worker.metrics.results} results of {count} messages")
    started, already = first[0]
    # Leaving the group is part of no rate: the worker notes when its last batch was acknowledged.
    return (count - already) / (worker.acknowledged_at - started)


def _single_rate(servers: str, ensemble: Any) -> float:
    """Return messages a second of a loop that does for each message what the worker does for a batch."""
    from confluent_kafka import Consumer, Producer, TopicPartition
    from sklearn.ensemble import IsolationForest
    from sklearn.svm import OneClassSVM

    from tests.services.stream_stack import produce

    train = _rows(4_000, SEED)
    forest = IsolationForest(random_state=SEED).fit(train)
    svm = OneClassSVM(gamma="scale", nu=0.05).fit(train)
    lstm = next(model for model in ensemble.models if model.name == "lstm_autoencoder")
    histories: dict[str, list[list[float]]] = {}
    settings = _settings(servers)
    produce(settings, _messages(SINGLE_MESSAGES * 6, assets=20))
    topic = settings.kafka_topic_input_features
    consumer = Consumer({SERVERS: servers, "group.id": "single", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(6)])
    producer = Producer({SERVERS: servers, "acks": "all"})
    done, started = 0, 0.0
    while done < SINGLE_MESSAGES:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        started = started or time.perf_counter()
        content = json.loads(message.value())
        row = [content["features"][name] for name in FEATURES]
        history = histories.setdefault(content["asset_id"], [row] * lstm.window)
        history[:] = [*history[1:], row]
        scores = [
            float(-forest.score_samples([row])[0]),
            float(-svm.decision_function([row])[0]),
            float(lstm.raw_scores(np.array([history]))[0]),
        ]
        producer.produce(
            settings.kafka_topic_output_anomalies, json.dumps({**content, "scores": scores}), message.key()
        )
        producer.flush()
        consumer.commit(message, asynchronous=False)
        done += 1
    seconds = time.perf_counter() - started
    consumer.close()
    return done / seconds


def _latencies(servers: str, ensemble: Any) -> tuple[float, float]:
    """Return the median and the 99th percentile, in ms, from producing a message to reading its result."""
    from confluent_kafka import Consumer, Producer, TopicPartition

    settings = _settings(servers)
    stop = threading.Event()
    worker = _worker(settings, ensemble, stop)
    thread = threading.Thread(target=worker.run)
    thread.start()
    while worker.metrics.partitions == 0:
        time.sleep(0.1)
    reader = Consumer({SERVERS: servers, "group.id": "latency", "fetch.wait.max.ms": 10})
    reader.assign([TopicPartition(settings.kafka_topic_output_anomalies, partition, 0) for partition in range(6)])
    count, sent, found = LATENCY_RATE * LATENCY_SECONDS, {}, []
    producer = Producer({SERVERS: servers, "linger.ms": 1})

    def send() -> None:
        begun = time.perf_counter()
        for number, (asset, value) in enumerate(_messages(count)):
            time.sleep(max(0.0, begun + number / LATENCY_RATE - time.perf_counter()))
            sent[number] = time.perf_counter()
            producer.produce(settings.kafka_topic_input_features, value, asset)
            producer.poll(0)
        producer.flush(10)

    sending = threading.Thread(target=send)
    sending.start()
    while len(found) < count:
        for message in reader.consume(1_000, 0.01):
            if not message.error():
                number = json.loads(message.value())["metadata"]["number"]
                found.append((number, time.perf_counter() - sent[number]))
    sending.join()
    stop.set()
    thread.join()
    reader.close()
    milliseconds = 1_000 * np.array([seconds for _, seconds in found])
    return float(np.quantile(milliseconds, 0.5)), float(np.quantile(milliseconds, 0.99))


def _memory(servers: str, ensemble: Any) -> tuple[float, float]:
    """Return how the process grew over the last three quarters of a long run, and its memory at the end, in MB."""
    process = psutil.Process()
    sizes: dict[int, float] = {}

    def note(done: int) -> None:
        sizes[done * 100 // MEMORY_MESSAGES] = process.memory_info().rss / 1e6

    _rate(servers, ensemble, MEMORY_MESSAGES, each=note)
    quarter = max(size for share, size in sizes.items() if share <= 25)
    return sizes[max(sizes)] / quarter, sizes[max(sizes)]
