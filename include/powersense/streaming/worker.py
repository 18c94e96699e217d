"""The worker: takes batches, scores them, publishes the results, commits; for ever, or until the topic's end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Protocol

from confluent_kafka import KafkaException, Message

from powersense.settings import Settings, get_settings
from powersense.streaming.client import consumer_properties, ensure_topics, producer_properties
from powersense.streaming.delivery import AtLeastOnce, Batch, Delivery, LostPartitionsError, Transactions
from powersense.streaming.guarantee import chosen_guarantee
from powersense.streaming.logs import AnomalyLog
from powersense.streaming.membership import Membership
from powersense.streaming.metrics import Metrics
from powersense.streaming.models import ModelWatch, Serving, warehouse_models
from powersense.streaming.outputs import Scored
from powersense.streaming.rebuild import rebuild
from powersense.streaming.scoring import Scorer, ScoringUnavailableError, score_records

logger = logging.getLogger(__name__)

# Told to stop, a batch that the broker does not take is given up after so long: its offsets are not committed.
STOPPING_SECONDS = 4.0
_STEP_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 15.0
_LAG_SECONDS = 1.0


class Models(Protocol):
    """Where the worker finds what scores."""

    @property
    def serving(self) -> Serving | None:
        """What scores now; None while nothing is trained."""


class _GivenUpError(Exception):
    """The worker has to stop, and the broker does not take the batch."""


class Worker:
    """One member of the group.

    Args:
        settings: of the process.
        models: gives the scorer; asked between batches.
        stop: set from elsewhere to end the work.
        worker_id: name of this process among the workers.
    """

    def __init__(
        self, settings: Settings, models: Models, *, stop: threading.Event, worker_id: str | None = None
    ) -> None:
        self.worker_id = worker_id or f"{settings.kafka_consumer_group}-{token_hex(4)}"
        self.metrics = Metrics()
        self._settings = settings
        self._models = models
        self._stop = stop
        self._stopped_at: float | None = None
        self._is_delivering = False
        self._scored_until: dict[int, int] = {}
        self._serving: Serving | None = None
        self._scorer: Scorer | None = None
        self.acknowledged_at = 0.0
        self._anomalies = AnomalyLog()
        self._taken_at: float | None = None
        self._lag_at = 0.0

    def run(self, *, is_done: Callable[[Membership], bool] = lambda _: False) -> None:
        """Work until stopped or done; a broker that is away is waited for, a broken client is replaced."""
        tries = 0
        while not self._stop.is_set():
            try:
                if self._connected():
                    self._session(is_done)
                    return
            except KafkaException as error:
                logger.error("the connection is made anew: %s", error.args[0].str())
            pause = min(_STEP_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
            tries += 1
            self._stop.wait(pause)

    def _connected(self) -> bool:
        settings = self._settings
        try:
            if not ensure_topics(settings):
                logger.warning("topic %s does not exist yet", settings.kafka_topic_input_features)
                return False
        except KafkaException as error:
            servers = settings.kafka_bootstrap_servers
            logger.warning("the broker at %s does not answer: %s", servers, error.args[0].str())
            return False
        if not self.metrics.guarantee:
            self.metrics.guarantee = chosen_guarantee(settings, worker_id=self.worker_id)
        return True

    def _connect_again(self) -> None:
        self._connected()

    def _session(self, is_done: Callable[[Membership], bool]) -> None:
        """Join the group and work until stopped; leave it in any case."""
        settings = self._settings
        self._member = Membership(
            consumer_properties(settings) | {"enable.partition.eof": True},
            settings.kafka_topic_input_features,
            before_revoke=self._before_revoke,
            when_missing=self._connect_again,
        )
        self._delivery: Delivery
        if self.metrics.guarantee == "transactions":
            self._delivery = Transactions(
                self._member.consumer, producer_properties(settings), transactional_id=self.worker_id
            )
        else:
            self._delivery = AtLeastOnce(self._member.consumer, producer_properties(settings))
        logger.info("worker %s subscribed to %s", self.worker_id, settings.kafka_topic_input_features)
        try:
            while not self._stop.is_set() and not is_done(self._member):
                self._cycle()
            self._settle()
        except _GivenUpError:
            logger.warning("the broker did not take the last batch in time: its messages come again")
        finally:
            self.metrics.state = "stopping"
            self._anomalies.flush()
            self._delivery.forget()
            self._member.leave()

    def _cycle(self) -> None:
        """Take, score and publish one batch."""
        settings, member = self._settings, self._member
        self._swap_model()
        if self._serving is None and settings.stream_untrained == "hold":
            self.metrics.state = "waiting_for_model"
            member.stay(_STEP_SECONDS)
            return
        self.metrics.state = "running"
        taken = member.take(settings.stream_batch_messages, seconds=settings.stream_batch_milliseconds / 1000)
        started = time.monotonic()
        if taken:
            generation = member.generation
            scored = self._score(taken)
            if scored is not None and generation == member.generation:
                self._publish(taken, scored, started)
        # While there is more to take, a batch is acknowledged as the next one is scored.
        if len(taken) < settings.stream_batch_messages:
            self._settle()
        self._measure(started)

    def _swap_model(self) -> None:
        serving = self._models.serving
        if serving is not None and serving is not self._serving:
            if self._serving is None:
                # Nothing was fed to its sequences so far.
                self._scored_until.clear()
                self._member.fresh |= self._member.assigned
            self._scorer, self._serving = serving.scorer(), serving
            self.metrics.model_id, self.metrics.model_trained_at = serving.model_id, serving.trained_at

    def _score(self, taken: Sequence[Message]) -> Scored | None:
        """Return the batch's outputs; None where its partitions went, or the worker stops, before the models worked."""
        tries, generation = 0, self._member.generation
        while not self._stop.is_set() and generation == self._member.generation:
            try:
                if self._scorer is not None:
                    self._rebuild(taken, self._scorer)
                return score_records(taken, self._scorer, settings=self._settings)
            except ScoringUnavailableError as error:
                logger.error("nothing can be scored, messages wait: %s", error)
                self.metrics.state = "paused"
                # Part of the batch may be in the sequences by now.
                self._scored_until.clear()
                self._member.fresh |= self._member.assigned
                tries = self._pause(tries)
                self._swap_model()
        return None

    def _pause(self, tries: int) -> int:
        until = time.monotonic() + min(_STEP_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
        serving = self._models.serving
        while time.monotonic() < until and not self._stop.is_set() and self._models.serving is serving:
            self._member.stay(_STEP_SECONDS)
        return tries + 1

    def _rebuild(self, taken: Sequence[Message], scorer: Scorer) -> None:
        """Rebuild the sequences of partitions that came to this worker, or went back, since it scored them."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for message in taken:
            partition, offset = message.partition(), message.offset()
            first.setdefault(partition, offset)
            last[partition] = offset + 1
        known, fresh = self._scored_until, self._member.fresh
        stale = {
            partition: offset
            for partition, offset in first.items()
            if offset < known.get(partition, 0) or (partition in fresh and known.get(partition) != offset)
        }
        if stale:
            rebuild(scorer, stale, settings=self._settings, is_cancelled=self._stop.is_set)
        fresh.difference_update(first)
        known.update(last)

    def _publish(self, taken: Sequence[Message], scored: Scored, started: float) -> None:
        offsets: dict[int, int] = {message.partition(): message.offset() + 1 for message in taken}
        batch = Batch(scored.outputs, self._member.topic, offsets)
        if self._deliver(lambda: self._delivery.publish(batch, idle=self._idle)):
            self._acknowledged()
            self._taken_at = started
            self.metrics.count(scored, messages=len(taken))
            self._anomalies.write(scored.anomalies)
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("batch of %d messages: %d anomalies", len(taken), len(scored.anomalies))

    def _settle(self) -> None:
        """Wait until everything is acknowledged and committed."""
        if self._deliver(lambda: self._delivery.finish(idle=self._idle)):
            self._acknowledged()

    def _acknowledged(self) -> None:
        if self._taken_at is not None:
            self.acknowledged_at = time.perf_counter()
            self.metrics.batch_seconds.append(time.monotonic() - self._taken_at)
            self._taken_at = None

    def _deliver(self, call: Callable[[], None]) -> bool:
        """Call the delivery; return whether it went through, False where the partitions went meanwhile."""
        self._is_delivering = True
        try:
            call()
        except LostPartitionsError as error:
            logger.info("a batch is left to the member that has its partitions now: %s", error)
            self._delivery.forget()
            self._scored_until.clear()
            self._taken_at = None
            return False
        finally:
            self._is_delivering = False
        return True

    def _idle(self) -> None:
        """Stay a member while the broker makes us wait; raises where waiting has become pointless."""
        generation = self._member.generation
        if self._stop.is_set():
            self._stopped_at = self._stopped_at or time.monotonic()
            if time.monotonic() - self._stopped_at > STOPPING_SECONDS:
                raise _GivenUpError
        self.metrics.state = "paused"
        self._member.stay(0)
        if generation != self._member.generation:
            raise LostPartitionsError("the group took them while the broker was waited for")

    def _before_revoke(self) -> None:
        # Within a delivery the partitions go at once: waiting here would wait for itself.
        if not self._is_delivering:
            self._settle()

    def _measure(self, now: float) -> None:
        self._anomalies.write(())
        if now - self._lag_at > _LAG_SECONDS:
            self._lag_at = now
            member, metrics = self._member, self.metrics
            metrics.lag, metrics.partitions, metrics.rebalances = member.lag(), len(member.assigned), member.rebalances


def drain(
    timeout_seconds: float, *, settings: Settings | None = None, models: ModelWatch | None = None
) -> dict[str, int]:
    """Score what stands in the topic now, as a member of the workers' group, and return.

    Args:
        timeout_seconds: the work ends after so long in any case; what is left is the next run's.
        settings: the process's by default.
        models: the warehouse's by default; with none trained and `STREAM_UNTRAINED=hold` nothing is taken.

    Returns:
        `messages` taken, `results`, `anomalies` and `dead_letters` published, and `lag`: messages of the worker's
        partitions that wait.

    Raises:
        WarehouseError: where the models are recorded cannot be asked.
    """
    settings = settings or get_settings()
    models = models or warehouse_models(settings)
    models.refresh()
    stop = threading.Event()
    worker = Worker(settings, models, stop=stop)
    timer = threading.Timer(timeout_seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        if models.serving is not None or settings.stream_untrained == "pass":
            worker.run(is_done=lambda member: bool(member.assigned) and member.at_end >= member.assigned)
        else:
            logger.warning("no model is trained: messages are held")
    finally:
        timer.cancel()
    counted = worker.metrics
    return {
        "messages": counted.messages,
        "results": counted.results,
        "anomalies": counted.anomalies.total(),
        "dead_letters": counted.dead_letters.total(),
        "lag": counted.lag,
    }
