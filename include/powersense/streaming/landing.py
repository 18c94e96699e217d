"""The stream's results and dead letters reach ClickHouse, each once, whatever is restarted meanwhile.

Offsets are committed after the insert, and a row's key is the position of its input: what lands again after a crash
replaces itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from powersense.errors import ConfigurationError, PowerSenseError, WarehouseError
from powersense.settings import Settings
from powersense.streaming.client import client_properties
from powersense.streaming.landing_records import Rejected, read_dead_letter, read_result
from powersense.warehouse.client import connect
from powersense.warehouse.quarantine import COLUMNS as QUARANTINE_COLUMNS
from powersense.warehouse.quarantine import quarantine
from powersense.warehouse.stream.rows import DeadLetter, StreamResult, insert_dead_letters, insert_results

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

# Large blocks suit ClickHouse, a second is soon enough for people; the bytes bound the memory of a flood.
BATCH_MESSAGES = 5_000
BATCH_SECONDS = 1.0
BATCH_BYTES = 32 * 1024 * 1024
_CHUNK_MESSAGES = 200
_DRAIN_SECONDS = 0.2
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 15.0
# A detail is for people; the record itself stands beside it.
_MAX_DETAIL = 500


@dataclass(slots=True)
class LandingCounts:
    """Messages landed, by what they were; the batches that held them; and inserts that ClickHouse did not take."""

    results: int = 0
    dead_letters: int = 0
    quarantined: int = 0
    batches: int = 0
    failures: int = 0


class Landing:
    """Consumes both output topics with the group `<KAFKA_CONSUMER_GROUP>-landing`; one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing connects yet.

        Raises:
            ConfigurationError: no broker is named.
        """
        self.counts = LandingCounts()
        self._topics = {
            settings.kafka_topic_output_anomalies: read_result,
            settings.kafka_topic_dead_letter: read_dead_letter,
        }
        self._properties = {
            **client_properties(settings),
            "group.id": f"{settings.kafka_consumer_group}-landing",
            "session.timeout.ms": settings.kafka_session_timeout_ms,
            "heartbeat.interval.ms": max(settings.kafka_session_timeout_ms // 10, 100),
            # The sink wants all there is, wherever the worker began.
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            # A topic that is made later is found by then.
            "topic.metadata.refresh.interval.ms": 10_000,
            "queued.max.messages.kbytes": BATCH_BYTES // 1024,
        }
        self._pending: list[Message] = []
        self._ended: set[tuple[str, int]] = set()
        self._wait_seconds = 0.0
        self._failure: PowerSenseError | None = None

    def run_until(self, stop: threading.Event) -> dict[str, int]:
        """Land batches until `stop` is set, through any outage of the broker or of ClickHouse; return the counts."""
        while not stop.is_set():
            try:
                with self._subscribed() as consumer:
                    while not stop.is_set():
                        self._step(consumer, stop, seconds=BATCH_SECONDS)
            except KafkaException as error:
                logger.error("Landing of the stream begins anew: %s", error)
                stop.wait(_LONGEST_WAIT_SECONDS)
        return asdict(self.counts)

    def drain(self, timeout_seconds: float) -> dict[str, int]:
        """Land what there is, up to the end of every partition or the time-out; return the counts.

        Raises:
            WarehouseError: at the time-out ClickHouse still did not take a batch; the next call takes it up again.
            KafkaException: the broker refuses the group for good.
        """
        until = time.monotonic() + timeout_seconds
        self._ended.clear()
        with self._subscribed() as consumer:
            while time.monotonic() < until and not self._is_drained(consumer):
                self._step(consumer, threading.Event(), seconds=_DRAIN_SECONDS)
        if self._failure is not None:
            raise self._failure
        return asdict(self.counts)

    @contextmanager
    def _subscribed(self) -> Iterator[Consumer]:
        consumer = Consumer(self._properties, logger=logger)
        logger.info("Landing of %s as %s", ", ".join(self._topics), self._properties["group.id"])
        try:
            consumer.subscribe(list(self._topics), on_revoke=self._forget, on_lost=self._forget)
            yield consumer
        finally:
            # What was not inserted is not committed either: the next one takes it.
            self._pending.clear()
            self._wait_seconds = 0.0
            consumer.close()
            logger.info("Landing of the stream ended: %s", asdict(self.counts))

    def _step(self, consumer: Consumer, stop: threading.Event, *, seconds: float) -> None:
        """Take a batch and store it; with one that ClickHouse did not take, wait and try that again."""
        if self._wait_seconds:
            stop.wait(self._wait_seconds)
            # Keeps the membership of the group alive; a message that it brings waits with the others.
            self._accept(consumer.consume(1, 0))
        else:
            self._take(consumer, seconds=seconds)
        if not self._pending:
            self._wait_seconds = 0.0
            return
        try:
            with connect("writer") as client:
                self._store(client)
        except (WarehouseError, ConfigurationError) as error:
            self.counts.failures += 1
            self._wait_seconds = min(max(2 * self._wait_seconds, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
            waiting = len(self._pending)
            logger.error("%d messages of the stream wait %.1f s to land: %s", waiting, self._wait_seconds, error)
            self._failure = error
            return
        self._wait_seconds, self._failure = 0.0, None
        self._commit(consumer)

    def _take(self, consumer: Consumer, *, seconds: float) -> None:
        until, taken = time.monotonic() + seconds, 0
        while len(self._pending) < BATCH_MESSAGES and taken < BATCH_BYTES and (left := until - time.monotonic()) > 0:
            messages = consumer.consume(_CHUNK_MESSAGES, left)
            taken += sum(len(message) for message in messages)
            self._accept(messages)

    def _accept(self, messages: Sequence[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is None:
                self._pending.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add((message.topic(), message.partition()))
            elif error.fatal():
                raise KafkaException(error)
            else:
                logger.warning("Landing of the stream: %s", error)

    def _store(self, client: Client) -> None:
        results: list[StreamResult] = []
        letters: list[DeadLetter] = []
        rejected: list[dict[str, Any]] = []
        for message in self._pending:
            row = _read(message, self._topics[message.topic()])
            if isinstance(row, StreamResult):
                results.append(row)
            elif isinstance(row, DeadLetter):
                letters.append(row)
            else:
                rejected.append(_set_aside(message, row, group=self._properties["group.id"]))
        insert_results(client, results)
        insert_dead_letters(client, letters)
        if rejected:
            import pandas as pd

            logger.warning("%d foreign messages are set aside: %s", len(rejected), rejected[0]["detail"])
            quarantine(client, pd.DataFrame(rejected, columns=list(QUARANTINE_COLUMNS)))
        self.counts.results += len(results)
        self.counts.dead_letters += len(letters)
        self.counts.quarantined += len(rejected)
        self.counts.batches += 1

    def _commit(self, consumer: Consumer) -> None:
        ends: dict[tuple[str, int], int] = {}
        for message in self._pending:
            ends[message.topic(), message.partition()] = message.offset() + 1
        self._pending.clear()
        try:
            consumer.commit(offsets=[TopicPartition(*place, end) for place, end in ends.items()], asynchronous=False)
        except KafkaException as error:
            # The rows are stored; those that come again replace themselves.
            logger.warning("The landed batch is not committed: %s", error)

    def _forget(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        gone = {(partition.topic, partition.partition) for partition in partitions}
        self._pending = [one for one in self._pending if (one.topic(), one.partition()) not in gone]
        self._ended -= gone

    def _is_drained(self, consumer: Consumer) -> bool:
        assigned = {(one.topic, one.partition) for one in consumer.assignment()}
        return bool(assigned) and not self._pending and assigned <= self._ended


def _read(message: Message, read: Callable[..., StreamResult | DeadLetter | Rejected]) -> Any:
    _, milliseconds = message.timestamp()
    published_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return read(message.value(), message.headers() or (), published_at=published_at)


def _set_aside(message: Message, rejected: Rejected, *, group: str) -> dict[str, Any]:
    """Return a quarantine row; the same bytes again are the same record."""
    value = message.value() or b""
    place = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return {
        "source": f"kafka:{message.topic()}",
        "area": "",
        "observed_at": None,
        "reason": str(rejected.reason),
        "detail": f"{place}: {rejected.detail}"[:_MAX_DETAIL],
        "record": value.decode("utf-8", errors="backslashreplace"),
        "record_hash": hashlib.sha256(value).hexdigest(),
        "run_id": group,
    }
