"""How the stream reaches the broker: properties from the environment, topics that exist, and what it is told back."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from powersense.errors import ConfigurationError
from powersense.settings import Settings

logger = logging.getLogger(__name__)

_PASSED_ON = ("KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_")
_ANSWER_SECONDS = 3.0


def client_properties(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what every client of the broker is given: its address and the security settings.

    Args:
        settings: of the process.
        environment: where `KAFKA_SECURITY_…`, `KAFKA_SASL_…` and `KAFKA_SSL_…` stand; the process's by default.

    Raises:
        ConfigurationError: no broker is named.
    """
    if not settings.kafka_bootstrap_servers:
        raise ConfigurationError(
            "KAFKA_BOOTSTRAP_SERVERS is empty: streaming is off. Set it to the broker's host:port."
        )
    source = os.environ if environment is None else environment
    security = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in source.items()
        if name.startswith(_PASSED_ON) and value
    }
    return {"bootstrap.servers": settings.kafka_bootstrap_servers, "client.id": "powersense", **security}


def consumer_properties(settings: Settings) -> dict[str, Any]:
    """Return the properties of a member of the consumer group."""
    return {
        **client_properties(settings),
        "group.id": settings.kafka_consumer_group,
        "auto.offset.reset": settings.kafka_auto_offset_reset,
        # Offsets are committed once the results are acknowledged, never by the clock.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        "heartbeat.interval.ms": max(settings.kafka_session_timeout_ms // 10, 100),
        # Eager: what a member holds is given back before others get it, so no two score one partition.
        "partition.assignment.strategy": "range,roundrobin",
        "isolation.level": "read_committed",
        # A message that was just published is not waited for longer than a batch may take.
        "fetch.wait.max.ms": min(100, settings.stream_batch_milliseconds),
        "fetch.error.backoff.ms": 200,
        "queued.min.messages": max(20_000, 2 * settings.stream_batch_messages),
        "reconnect.backoff.max.ms": 5_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        "allow.auto.create.topics": False,
    }


def producer_properties(settings: Settings) -> dict[str, Any]:
    """Return the properties of the producer of results and dead letters."""
    return {
        **client_properties(settings),
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "compression.type": "lz4",
        "queue.buffering.max.messages": max(100_000, 4 * settings.stream_batch_messages),
        "delivery.report.only.error": True,
        # Then it is published again, by a producer that a broker which forgot the old one knows; below a transaction's.
        "message.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 5_000,
        "topic.metadata.refresh.interval.ms": 30_000,
    }


def ensure_topics(settings: Settings) -> bool:
    """Make the topics that are missing, where the broker lets us; return whether the input topic is there.

    Raises:
        KafkaException: the broker does not answer.
    """
    admin = AdminClient({**client_properties(settings), "reconnect.backoff.max.ms": 5_000}, logger=logger)
    known = set(admin.list_topics(timeout=_ANSWER_SECONDS).topics)
    wanted = [
        settings.kafka_topic_input_features,
        settings.kafka_topic_output_anomalies,
        settings.kafka_topic_dead_letter,
    ]
    missing = [name for name in wanted if name not in known]
    if missing:
        new = [NewTopic(name, num_partitions=settings.kafka_topic_partitions) for name in missing]
        for name, made in admin.create_topics(new, request_timeout=_ANSWER_SECONDS).items():
            try:
                made.result(_ANSWER_SECONDS)
                known.add(name)
                logger.info("topic %s made with %d partitions", name, settings.kafka_topic_partitions)
            except KafkaException as error:
                logger.warning("topic %s is missing and cannot be made: %s", name, error.args[0].str())
    return settings.kafka_topic_input_features in known
