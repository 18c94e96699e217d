"""Which guarantee a broker keeps: found out by trying, since some show what a transaction aborted."""

from __future__ import annotations

import logging
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from powersense.settings import Settings
from powersense.streaming.client import client_properties, producer_properties
from powersense.streaming.delivery import Guarantee

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 4.0
_READ_SECONDS = 5.0


def chosen_guarantee(settings: Settings, *, worker_id: str) -> Guarantee:
    """Return what `STREAM_DELIVERY` says; `auto` asks the broker, and takes at least once where in doubt."""
    if settings.stream_delivery != "auto":
        return settings.stream_delivery
    try:
        hides = hides_aborted(settings, worker_id=worker_id)
    except KafkaException as error:
        logger.warning(
            "delivery: at least once; whether the broker keeps transactions cannot be told (%s). "
            "Set STREAM_DELIVERY=transactions if it does",
            error.args[0].str(),
        )
        return "at_least_once"
    if hides:
        logger.info("delivery: exactly once, in transactions")
        return "transactions"
    logger.info("delivery: at least once; this broker shows aborted messages to readers of committed ones")
    return "at_least_once"


def probe_topic(settings: Settings) -> str:
    """Return the topic on which transactions are tried; it holds a few messages that were aborted."""
    return f"{settings.kafka_topic_output_anomalies}-transaction-probe"[:249]


def hides_aborted(settings: Settings, *, worker_id: str) -> bool:
    """Abort one message on a topic of its own and tell whether a reader of committed messages is spared it.

    Raises:
        KafkaException: the broker has no transactions, or does not let us make the topic.
    """
    topic = probe_topic(settings)
    admin = AdminClient(client_properties(settings), logger=logger)
    if topic not in admin.list_topics(timeout=_ANSWER_SECONDS).topics:
        admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(_ANSWER_SECONDS)
    reader = Consumer(
        {
            **client_properties(settings),
            "group.id": f"{settings.kafka_consumer_group}-transaction-probe",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        },
        logger=logger,
    )
    try:
        before = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=_ANSWER_SECONDS)[1]
        _abort_one(settings, topic, worker_id)
        reader.assign([TopicPartition(topic, 0, before)])
        return not _shows(reader, worker_id.encode())
    finally:
        reader.close()


def _abort_one(settings: Settings, topic: str, worker_id: str) -> None:
    properties = producer_properties(settings)
    producer = Producer(
        {**properties, "transactional.id": f"{worker_id}-probe", "transaction.timeout.ms": 10_000}, logger=logger
    )
    producer.init_transactions(_ANSWER_SECONDS)
    producer.begin_transaction()
    producer.produce(topic, worker_id)
    # Without this it would be aborted before it ever left.
    producer.flush(_ANSWER_SECONDS)
    producer.abort_transaction(_ANSWER_SECONDS)


def _shows(reader: Consumer, value: bytes) -> bool:
    """Tell whether the message comes up to the partition's end; a broker that does not get there is not trusted."""
    deadline = time.monotonic() + _READ_SECONDS
    while time.monotonic() < deadline:
        message = reader.poll(0.2)
        if message is None:
            continue
        if message.error() is not None:
            return False
        if message.value() == value:
            return True
    return True
