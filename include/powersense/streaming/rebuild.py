"""Sequences after a restart or a rebalance: the messages before the first one to score are read once more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from powersense.detection.stream.interface import FeatureMessage
from powersense.settings import Settings
from powersense.streaming.client import consumer_properties
from powersense.streaming.messages import BadMessageError, parse
from powersense.streaming.scoring import Scorer

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 5.0
_SILENCE_SECONDS = 5.0
_CHUNK = 2_000


def rebuild(
    scorer: Scorer, first_offsets: Mapping[int, int], *, settings: Settings, is_cancelled: Callable[[], bool]
) -> int:
    """Feed a scorer's sequences with what stands before offsets of the input topic.

    The series found there are forgotten first: a partition that comes back would be in them twice.

    Args:
        scorer: takes the messages.
        first_offsets: by partition, the first message that will be scored.
        settings: `stream_rebuild_messages` of a partition are read at most.
        is_cancelled: told to stop; what was read by then is fed.

    Returns:
        Messages fed. Fewer than there are, with a warning, where the broker does not answer.
    """
    started, messages = time.monotonic(), []
    if not settings.stream_rebuild_messages:
        return 0
    try:
        for partition, first in first_offsets.items():
            messages += _good(_read_back(settings, partition, first, is_cancelled), settings)
    except KafkaException as error:
        logger.warning("sequences are rebuilt in part: %s", error.args[0].str())
    scorer.forget({(message.asset_id, message.sensor_id) for message in messages})
    chunks = iter(messages)
    while chunk := list(islice(chunks, _CHUNK)):
        scorer.observe(chunk)
    seconds = time.monotonic() - started
    logger.info(
        "sequences rebuilt from %d messages of %d partitions in %.1f s", len(messages), len(first_offsets), seconds
    )
    return len(messages)


def _read_back(settings: Settings, partition: int, first: int, is_cancelled: Callable[[], bool]) -> list[Message]:
    """Return up to so many messages of a partition that stand before an offset, in order."""
    topic = settings.kafka_topic_input_features
    group = f"{settings.kafka_consumer_group}-rebuild"  # never joined: partitions are assigned by hand
    reader = Consumer({**consumer_properties(settings), "group.id": group, "enable.partition.eof": True}, logger=logger)
    found: list[Message] = []
    try:
        oldest, _ = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=_ANSWER_SECONDS)
        start = max(oldest, first - settings.stream_rebuild_messages)
        if start >= first:
            return found
        reader.assign([TopicPartition(topic, partition, start)])
        heard = time.monotonic()
        while not is_cancelled() and time.monotonic() - heard < _SILENCE_SECONDS:
            batch = reader.consume(_CHUNK, timeout=0.05)
            heard = time.monotonic() if batch else heard
            for message in batch:
                error = message.error()
                if error is None and message.offset() < first:
                    found.append(message)
                elif error is None or error.code() == KafkaError._PARTITION_EOF:
                    return found
            if found and found[-1].offset() == first - 1:
                break
        return found
    finally:
        reader.close()


def _good(records: Sequence[Message], settings: Settings) -> list[FeatureMessage]:
    """Return the messages that can be read; the others were dead letters in their time."""
    messages = []
    for record in records:
        try:
            received = record.timestamp()[1]
            messages.append(parse(record.value(), received_ms=received, largest_bytes=settings.stream_message_bytes))
        except BadMessageError:
            continue
    return messages
