"""How results leave and offsets are committed: in one transaction, or results first and offsets after."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from powersense.streaming.outputs import Output

logger = logging.getLogger(__name__)

Guarantee = Literal["transactions", "at_least_once"]

# A hanging transaction, of a worker that was killed, hides later results from readers for so long.
TRANSACTION_MILLISECONDS = 15_000
_STEP_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 15.0


class LostPartitionsError(Exception):
    """The batch's partitions belong to another member by now: that one scores them, and this batch is dropped."""


@dataclass(frozen=True)
class Batch:
    """What is published together.

    Attributes:
        outputs: results and dead letters.
        source: topic that the inputs came from.
        offsets: by partition, the offset to go on from.
    """

    outputs: Sequence[Output]
    source: str
    offsets: Mapping[int, int]

    def positions(self) -> list[TopicPartition]:
        """Return the offsets to commit."""
        return [TopicPartition(self.source, partition, offset) for partition, offset in self.offsets.items()]


class Delivery(Protocol):
    """Publishes batches, for as long as it takes; calls `idle` while it waits, which raises to make it give up."""

    guarantee: Guarantee

    def publish(self, batch: Batch, *, idle: Callable[[], None]) -> None:
        """Give a batch to the broker.

        Raises:
            LostPartitionsError: it is another member's by now.
        """

    def finish(self, *, idle: Callable[[], None]) -> None:
        """Wait until all that was given is acknowledged and committed; raises as `publish`."""

    def forget(self) -> None:
        """Drop what is not acknowledged."""


class AtLeastOnce:
    """Results first, offsets once they are acknowledged; a crash in between repeats results under the same message-id.

    A batch is acknowledged while the next one is scored: `publish` first settles the one before.
    """

    guarantee: Guarantee = "at_least_once"

    def __init__(self, consumer: Consumer, properties: Mapping[str, Any]) -> None:
        self._consumer = consumer
        self._properties = {**properties, "on_delivery": self._delivered, "error_cb": _log_error}
        self._producer = Producer(self._properties, logger=logger)
        self._failure: KafkaError | None = None
        self._open: Batch | None = None

    def publish(self, batch: Batch, *, idle: Callable[[], None]) -> None:
        """Settle the batch before, then hand this one over; see `Delivery`."""
        self.finish(idle=idle)
        self._open = batch
        self._hand_over(batch, idle)

    def finish(self, *, idle: Callable[[], None]) -> None:
        """Wait for the acknowledgements, publish again what failed, and commit; see `Delivery`."""
        batch, tries = self._open, 0
        if batch is None:
            return
        while not self._is_acknowledged(idle):
            tries = _wait(tries, idle)
            self._hand_over(batch, idle)
        while not self._is_committed(batch):
            tries = _wait(tries, idle)
        self._open = None

    def forget(self) -> None:
        """Drop what is not acknowledged; some of it may be stored all the same."""
        self._producer.purge()
        self._producer.flush(_STEP_SECONDS)
        self._open = self._failure = None

    def _hand_over(self, batch: Batch, idle: Callable[[], None]) -> None:
        try:
            _produce(self._producer, batch, idle)
        except KafkaException as error:
            self._failure = error.args[0]

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        # With delivery.report.only.error it is called for failures alone.
        if error is not None:
            self._failure = error

    def _is_acknowledged(self, idle: Callable[[], None]) -> bool:
        while self._producer.flush(_STEP_SECONDS):
            idle()
        failure, self._failure = self._failure, None
        if failure is None:
            return True
        logger.error("results were not acknowledged, they are published again: %s", failure.str())
        # An idempotent producer that lost its place with the broker refuses everything from then on.
        self._producer = Producer(self._properties, logger=logger)
        return False

    def _is_committed(self, batch: Batch) -> bool:
        try:
            positions = self._consumer.commit(offsets=batch.positions(), asynchronous=False) or []
            failed = [position.error for position in positions if position.error is not None]
        except KafkaException as error:
            failed = [error.args[0]]
        if failed:
            _raise_if_lost(failed[0])
            logger.error("offsets were not committed, they are committed again: %s", failed[0].str())
        return not failed


class Transactions:
    """Results and offsets in one transaction: readers of committed messages see each result once.

    Args:
        transactional_id: one per process; a member that lost its partitions is fenced by the group's generation.
    """

    guarantee: Guarantee = "transactions"

    def __init__(self, consumer: Consumer, properties: Mapping[str, Any], *, transactional_id: str) -> None:
        self._consumer = consumer
        self._properties = {
            **properties,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_MILLISECONDS,
            "error_cb": _log_error,
        }
        self._producer: Producer | None = None

    def publish(self, batch: Batch, *, idle: Callable[[], None]) -> None:
        """Publish and commit a batch; see `Delivery`."""
        tries = 0
        while True:
            try:
                self._attempt(batch, idle)
            except KafkaException as error:
                self.forget()
                _raise_if_lost(error.args[0])
                logger.error("a transaction was aborted, its batch is published again: %s", error.args[0].str())
                tries = _wait(tries, idle)
            except BaseException:
                self.forget()
                raise
            else:
                return

    def finish(self, *, idle: Callable[[], None]) -> None:
        """Do nothing: what was published is committed."""

    def forget(self) -> None:
        """Abort what is open; a producer that cannot is given up, and the broker aborts by itself in time."""
        try:
            if self._producer is not None:
                self._producer.abort_transaction(_ANSWER_SECONDS)
        except KafkaException:
            self._producer = None

    def _attempt(self, batch: Batch, idle: Callable[[], None]) -> None:
        if self._producer is None:
            fresh = Producer(self._properties, logger=logger)
            fresh.init_transactions(_ANSWER_SECONDS)
            self._producer = fresh
        producer = self._producer
        producer.begin_transaction()
        _produce(producer, batch, idle)
        group = self._consumer.consumer_group_metadata()
        _repeated(lambda: producer.send_offsets_to_transaction(batch.positions(), group, _ANSWER_SECONDS), idle)
        _repeated(lambda: producer.commit_transaction(_ANSWER_SECONDS), idle)


def headers_of(output: Output, source: str) -> list[tuple[str, str]]:
    """Return the headers that name the input of an output; `message-id` is what repeats are told by."""
    partition, offset = str(output.partition), str(output.offset)
    return [
        ("message-id", f"{source}/{partition}/{offset}"),
        ("source-topic", source),
        ("source-partition", partition),
        ("source-offset", offset),
    ]


def _produce(producer: Producer, batch: Batch, idle: Callable[[], None]) -> None:
    source, produce = batch.source, producer.produce
    for output in batch.outputs:
        headers = headers_of(output, source)
        while True:
            try:
                produce(output.topic, output.value, output.key, headers=headers)
                break
            except BufferError:
                # Back-pressure: the broker is slower than we are.
                producer.poll(_STEP_SECONDS)
                idle()
    producer.poll(0)


def _wait(tries: int, idle: Callable[[], None]) -> int:
    """Wait before another try, each time twice as long; return the tries so far."""
    until = time.monotonic() + min(_STEP_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
    while time.monotonic() < until:
        idle()
        time.sleep(_STEP_SECONDS)
    return tries + 1


def _repeated(call: Callable[[], Any], idle: Callable[[], None]) -> None:
    """Repeat a call for as long as the library says that it can be repeated as it is."""
    while True:
        try:
            call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            idle()
        else:
            return


_LOST = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._NO_OFFSET,
}


def _raise_if_lost(error: KafkaError) -> None:
    if error.code() in _LOST:
        raise LostPartitionsError(error.str())


def _log_error(error: KafkaError) -> None:
    logger.warning("Kafka: %s", error.str())
