"""The one way from messages to results: the worker, the micro-batch DAG and the benchmarks call `score_records`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from powersense.detection.stream.interface import FeatureMessage, ScoredBatch
from powersense.errors import ModelFileError
from powersense.settings import Settings
from powersense.streaming.messages import BadMessageError, Reason, parse
from powersense.streaming.outputs import OutputWriter, RawRecord, Scored

# With so many messages and not one scored, it is the model that is broken, not the messages.
SYSTEMIC_FAILURES = 8


class Scorer(Protocol):
    """What the stream needs of `detection.stream.scorer.StreamScorer`."""

    def has_model(self, asset_id: str) -> bool:
        """Tell whether some ensemble scores the asset."""

    def refusals(self, messages: Sequence[FeatureMessage]) -> Mapping[int, str]:
        """Return why messages cannot be scored, by position."""

    def score_batch(self, messages: Sequence[FeatureMessage]) -> ScoredBatch:
        """Score messages in order; a failure leaves the sequences as they were."""

    def observe(self, messages: Sequence[FeatureMessage]) -> None:
        """Feed the sequences only."""

    def forget(self, series: Iterable[tuple[str, str]]) -> None:
        """Drop the sequences of (asset, sensor)."""


class ScoringUnavailableError(Exception):
    """Nothing can be scored at present: the messages have to wait, they are not at fault."""


def score_records(
    records: Sequence[RawRecord],
    scorer: Scorer | None,
    *,
    settings: Settings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Scored:
    """Turn a batch of messages into the messages to publish: one output for each, in order.

    Args:
        records: of one topic; those of a partition in their order.
        scorer: None passes messages on without scores.
        settings: names of the topics and the longest message.
        now: clock of the dead letters.

    Raises:
        ScoringUnavailableError: the models fail, whatever the message; part of the batch may be in the sequences.
    """
    writer = OutputWriter(records, settings, now)
    rows: list[int] = []
    messages: list[FeatureMessage] = []
    largest = settings.stream_message_bytes
    for row, record in enumerate(records):
        try:
            messages.append(parse(record.value(), received_ms=record.timestamp()[1], largest_bytes=largest))
            rows.append(row)
        except BadMessageError as error:
            writer.bury(row, error)
    if scorer is None:
        for row, message in zip(rows, messages, strict=True):
            writer.pass_on(row, message)
    elif messages:
        rows, messages = _scorable(rows, messages, scorer, writer)
        _score(rows, messages, scorer, writer)
    return writer.done()


def _scorable(
    rows: list[int], messages: list[FeatureMessage], scorer: Scorer, writer: OutputWriter
) -> tuple[list[int], list[FeatureMessage]]:
    """Write what no model scores and what the models refuse; return the rest."""
    known = {asset: scorer.has_model(asset) for asset in {message.asset_id for message in messages}}
    refused = scorer.refusals(messages)
    if not refused and all(known.values()):
        return rows, messages
    rest: list[int] = []
    for position, (row, message) in enumerate(zip(rows, messages, strict=True)):
        if not known[message.asset_id]:
            writer.pass_on(row, message)
        elif position in refused:
            writer.bury(row, BadMessageError(Reason.TOO_FEW_FEATURES, refused[position]))
        else:
            rest.append(position)
    return [rows[position] for position in rest], [messages[position] for position in rest]


def _score(rows: list[int], messages: list[FeatureMessage], scorer: Scorer, writer: OutputWriter) -> None:
    """Score messages; one that the models cannot bear is buried alone."""
    failures: dict[int, Exception] = {}
    for first, batch in _scored_parts(messages, scorer, failures):
        part = slice(first, first + len(batch))
        writer.write(rows[part], messages[part], batch)
    for position, failure in failures.items():
        detail = f"{type(failure).__name__}: {failure}"
        writer.bury(rows[position], BadMessageError(Reason.SCORING_FAILED, detail))


def _scored_parts(
    messages: Sequence[FeatureMessage], scorer: Scorer, failures: dict[int, Exception]
) -> list[tuple[int, ScoredBatch]]:
    """Score messages, halving a batch that fails until the messages at fault stand alone.

    Returns:
        The scored parts by the position of their first message, in order.

    Raises:
        ScoringUnavailableError: memory or a model's file fails, or not one of several messages can be scored.
    """
    parts: list[tuple[int, ScoredBatch]] = []
    waiting = [(0, len(messages))] if messages else []
    while waiting:
        first, last = waiting.pop()
        try:
            parts.append((first, scorer.score_batch(messages[first:last])))
        except (MemoryError, ModelFileError) as error:
            raise ScoringUnavailableError(f"{type(error).__name__}: {error}") from error
        except Exception as error:  # noqa: BLE001 - whatever a model does with a message, the others are scored
            if last - first == 1:
                failures[first] = error
                continue
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
    if not parts and len(failures) >= SYSTEMIC_FAILURES:
        failure = failures[0]
        what = f"{type(failure).__name__}: {failure}"
        raise ScoringUnavailableError(f"not one of {len(failures)} messages: {what}") from failure
    return parts
