"""The stream in micro-batches, for the DAG `score_features`: what waits is scored and landed, then everyone leaves."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powersense.errors import StreamError
from powersense.settings import get_settings
from powersense.streaming.presence import MICRO_BATCHES, NOT_SET_UP, is_set_up, live_workers

if TYPE_CHECKING:
    from powersense.settings import Settings

logger = logging.getLogger(__name__)

# What one run scored is landed within seconds; a longer wait is ClickHouse's or the broker's.
_LANDING_SECONDS = 120.0
_ANSWER_SECONDS = 10.0


def why_not_now() -> str:
    """Tell why a micro-batch has nothing to do at present; empty where it shall run.

    Where messages would be scored here, had any ensemble been trained, a heartbeat tells how many wait for it.

    Raises:
        WarehouseError: ClickHouse failed.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.stream.models import newest

    settings = get_settings()
    if not is_set_up():
        return NOT_SET_UP
    if settings.stream_micro_batches == "off":
        return "STREAM_MICRO_BATCHES is off: the stream is left to the workers"
    with connect("reader") as client:
        workers = live_workers(client, now=datetime.now(UTC))
        has_model = bool(newest(client))
    if workers and settings.stream_micro_batches == "auto":
        return f"{workers[0].worker_id} scores the stream; STREAM_MICRO_BATCHES=always would score beside it"
    if not has_model and settings.stream_untrained == "hold":
        _beat(settings, {}, model_id="", is_waiting=True)
        return "no ensemble is trained, messages wait: run train_models, or POST …/anomalies/train"
    return ""


def score_waiting() -> dict[str, int]:
    """Score what waits in the input topic, as a member of the workers' group, and leave a heartbeat of it.

    Returns:
        `messages` taken, `results`, `anomalies` and `dead_letters` published, and `lag`: messages that still wait.
        The heartbeat has the counts of this run alone; without an answer of the broker on `lag` there is none.

    Raises:
        StreamError: the broker does not answer; a worker would wait for it without a word.
        WarehouseError: ClickHouse failed.
    """
    from confluent_kafka import KafkaException

    from powersense.streaming.client import ensure_topics
    from powersense.streaming.models import warehouse_models
    from powersense.streaming.worker import drain

    settings = get_settings()
    try:
        ensure_topics(settings)
    except KafkaException as error:
        servers = settings.kafka_bootstrap_servers
        raise StreamError(f"the broker at KAFKA_BOOTSTRAP_SERVERS={servers!r} does not answer: {error}") from error
    models = warehouse_models(settings)
    counts = drain(settings.stream_micro_batch_seconds, settings=settings, models=models)
    serving = models.serving
    is_waiting = serving is None and settings.stream_untrained == "hold"
    lag = _beat(settings, counts, model_id=serving.model_id if serving else "", is_waiting=is_waiting)
    return counts if lag is None else counts | {"lag": lag}


def land_waiting() -> dict[str, int]:
    """Write the results and dead letters that wait to ClickHouse; returns the counts."""
    from powersense.streaming.landing import Landing

    return Landing(get_settings()).drain(_LANDING_SECONDS)


def _beat(settings: Settings, counts: dict[str, int], *, model_id: str, is_waiting: bool) -> int | None:
    """Store a run's heartbeat; return the messages that wait, None (and no heartbeat) where the broker does not tell.

    Without heartbeats the rule `stream_stalled` misses the DAG in the end, so neither failure fails the run.
    """
    from confluent_kafka import KafkaException

    from powersense import __version__
    from powersense.streaming.beats import store
    from powersense.warehouse.stream.rows import Beat, WorkerState

    try:
        lag = _lag(settings)
    except KafkaException as error:
        logger.warning("no heartbeat, the broker does not tell how many messages wait: %s", error.args[0].str())
        return None
    store(
        Beat(
            worker_id=MICRO_BATCHES,
            beat_at=datetime.now(UTC),
            state=WorkerState.WAITING_FOR_MODEL if is_waiting else WorkerState.RUNNING,
            model_id=model_id,
            messages=counts.get("messages", 0),
            anomalies=counts.get("anomalies", 0),
            dead_letters=counts.get("dead_letters", 0),
            lag=lag,
            version=__version__,
        )
    )
    return lag


def _lag(settings: Settings) -> int:
    """Return how many messages of the input topic the group has not committed, without joining it.

    What a member counts of itself is up to a second old, and 0 before it gets partitions. Here each partition is read
    from where the group stands, until a message or its end comes: asked for its last offset alone, tansu tells that of
    the last batch's first message.

    Raises:
        KafkaException: the broker does not answer.
    """
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    from powersense.streaming.client import consumer_properties

    name = settings.kafka_topic_input_features
    properties = consumer_properties(settings) | {"enable.partition.eof": True, "queued.min.messages": 1}
    consumer = Consumer(properties, logger=logger)
    try:
        topic = consumer.list_topics(name, timeout=_ANSWER_SECONDS).topics.get(name)
        untold = set(topic.partitions) if topic else set()
        consumer.assign([TopicPartition(name, number) for number in untold])
        waiting, until = 0, time.monotonic() + _ANSWER_SECONDS
        while untold:
            message = consumer.poll(max(until - time.monotonic(), 0))
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            error, place = message.error(), TopicPartition(name, message.partition())
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if place.partition in untold:
                untold.discard(place.partition)
                consumer.pause([place])
                if error is None:
                    _, end = consumer.get_watermark_offsets(place, cached=True)
                    waiting += max(end - message.offset(), 1)
        return waiting
    finally:
        consumer.close()
