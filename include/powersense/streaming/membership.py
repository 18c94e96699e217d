"""A member of the consumer group: what it holds, what it takes, and how it stays a member while it waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

logger = logging.getLogger(__name__)

_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
# The group is left within this time, or it finds out by itself.
_LEAVING_SECONDS = 3.0


class Membership:
    """Takes messages of the partitions that the group gives this member; every call is the worker thread's.

    Args:
        properties: of the consumer.
        topic: the input.
        before_revoke: called while the partitions that go are still held, to finish what is under way.
        when_missing: called when the topic is not there.
    """

    def __init__(
        self,
        properties: dict[str, Any],
        topic: str,
        *,
        before_revoke: Callable[[], None],
        when_missing: Callable[[], None],
    ) -> None:
        self.consumer = Consumer(properties, logger=logger)
        self.topic = topic
        self.assigned: set[int] = set()
        # Rises whenever partitions go: what was taken before is then the next member's.
        self.generation = 0
        self.rebalances = 0
        self.fresh: set[int] = set()
        self.at_end: set[int] = set()
        self._before_revoke = before_revoke
        self._when_missing = when_missing
        self._is_paused = False
        self._stash: list[Message] = []
        self.consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def take(self, count: int, *, seconds: float) -> list[Message]:
        """Return messages: up to `count`, or what came within the time; those of a partition rise in offset.

        Raises:
            KafkaException: the consumer is broken for good; another one has to take its place.
        """
        self._resume()
        stash, self._stash = self._stash, []
        generation = self.generation
        messages = self.consumer.consume(max(count - len(stash), 1), timeout=seconds)
        taken = stash + messages if generation == self.generation else messages
        return self._sound(taken)

    def stay(self, seconds: float) -> None:
        """Stay a member while nothing is taken: partitions are paused, heartbeats and rebalances go on."""
        if not self._is_paused:
            self._is_paused = True
            self._pause()
        generation = self.generation
        message = self.consumer.poll(seconds)
        if generation != self.generation:
            self._stash = []
        if message is not None:
            # It was on its way when its partition was paused.
            self._stash.append(message)

    def lag(self) -> int:
        """Return how many messages of the held partitions wait, as far as this member has heard."""
        total = 0
        for position in self.consumer.position([TopicPartition(self.topic, number) for number in self.assigned]):
            _, high = self.consumer.get_watermark_offsets(position, cached=True)
            total += max(high - max(position.offset, 0), 0) if high > 0 else 0
        return total

    def leave(self) -> None:
        """Leave the group, within a few seconds whatever the broker does."""
        leaving = threading.Thread(target=self.consumer.close, name="leave", daemon=True)
        leaving.start()
        leaving.join(_LEAVING_SECONDS)
        if leaving.is_alive():
            logger.warning("the broker does not confirm that the group was left; the group waits for the session's end")

    def _sound(self, messages: list[Message]) -> list[Message]:
        """Return the messages without errors and repeats; handle the errors."""
        sound, last = [], dict.fromkeys(self.assigned, -1)
        for message in messages:
            error = message.error()
            if error is not None:
                self._handle(error, message)
                continue
            partition, offset = message.partition(), message.offset()
            self.at_end.discard(partition)
            # Around a rebalance the queue may hold what was taken before it.
            if offset > last.get(partition, offset):
                last[partition] = offset
                sound.append(message)
        return sound

    def _handle(self, error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self.at_end.add(message.partition())
        elif error.fatal():
            raise KafkaException(error)
        elif error.code() in _MISSING:
            self._when_missing()
        else:
            logger.error("consuming %s: %s", self.topic, error.str())

    def _pause(self) -> None:
        self.consumer.pause([TopicPartition(self.topic, number) for number in self.assigned])

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.consumer.resume([TopicPartition(self.topic, number) for number in self.assigned])

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        self.assigned = {partition.partition for partition in partitions}
        self.fresh = set(self.assigned)
        self.at_end.clear()
        self.rebalances += 1
        if self._is_paused:
            self._pause()
        logger.info("partitions of %s assigned: %s", self.topic, sorted(self.assigned))

    def _on_revoke(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._before_revoke()
        self._forget(consumer)
        logger.info("partitions of %s revoked", self.topic)

    def _on_lost(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._forget(consumer)
        logger.warning("partitions of %s lost: the group heard nothing of this member in time", self.topic)

    def _forget(self, consumer: Consumer) -> None:
        self.generation += 1
        self.assigned = set()
        self._stash = []
        consumer.unassign()
