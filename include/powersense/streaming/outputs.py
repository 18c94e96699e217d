"""What leaves: results and dead letters, in the order of their inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson

from powersense.detection.stream.interface import CRITICALITIES, FeatureMessage, ScoredBatch
from powersense.settings import Settings
from powersense.streaming.messages import BadMessageError, Reason, dead_letter

# The last bits of a score depend on how a batch was cut; these digits hardly do.
_DECIMALS = 6
_UNSCORED_NOTE = "not scored: no trained model"


class RawRecord(Protocol):
    """A message as the broker gives it; confluent-kafka's own is one."""

    def topic(self) -> str: ...  # noqa: D102
    def partition(self) -> int: ...  # noqa: D102
    def offset(self) -> int: ...  # noqa: D102
    def key(self) -> bytes | None: ...  # noqa: D102
    def value(self) -> bytes | None: ...  # noqa: D102
    def timestamp(self) -> tuple[int, int]: ...  # noqa: D102


class Output(NamedTuple):
    """One message to publish, and where its input stands."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int
    offset: int


class Anomaly(NamedTuple):
    """What the log says of an anomaly."""

    asset_id: str
    sensor_id: str
    criticality: str
    final_score: float
    timestamp: datetime


class _Said(NamedTuple):
    scores: list[dict[str, Any]]
    final_score: float
    is_anomaly: bool
    criticality: str
    model_id: str
    notes: Sequence[str]


_UNSCORED = _Said([], 0.0, False, "low", "", (_UNSCORED_NOTE,))


@dataclass
class Scored:
    """What became of a batch.

    Attributes:
        outputs: results and dead letters, in the order of their inputs.
        anomalies: among the results.
        dead_letters: how many, by reason.
        final_scores: of the results that were scored.
        unscored: results that were passed on without scores.
    """

    outputs: list[Output] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    final_scores: list[float] = field(default_factory=list)
    unscored: int = 0


class OutputWriter:
    """Writes the outputs of a batch; rows are positions in the batch.

    Args:
        records: the batch.
        settings: names of the topics.
        now: clock of the dead letters.
    """

    def __init__(self, records: Sequence[RawRecord], settings: Settings, now: Callable[[], datetime]) -> None:
        self._records = records
        self._results = settings.kafka_topic_output_anomalies
        self._dead_letters = settings.kafka_topic_dead_letter
        self._now = now
        self._outputs: list[Output | None] = [None] * len(records)
        self._done = Scored()

    def done(self) -> Scored:
        """Return what was written."""
        self._done.outputs = [output for output in self._outputs if output is not None]
        return self._done

    def bury(self, row: int, error: BadMessageError) -> None:
        """Write a dead letter."""
        record = self._records[row]
        source = (record.topic(), record.partition(), record.offset())
        value = dead_letter(error, record.value(), source=source, failed_at=self._now())
        self._outputs[row] = Output(self._dead_letters, record.key(), value, source[1], source[2])
        self._done.dead_letters[error.reason.value] += 1

    def pass_on(self, row: int, message: FeatureMessage) -> None:
        """Write a result without scores."""
        self._write(row, message, _UNSCORED)
        self._done.unscored += 1

    def write(self, rows: Sequence[int], messages: Sequence[FeatureMessage], batch: ScoredBatch) -> None:
        """Write results; each argument has one entry for a message."""
        names, levels = batch.model_names, [level.value for level in CRITICALITIES]
        finals = batch.final_scores.round(_DECIMALS).tolist()
        numbers = (batch.scores.round(_DECIMALS), batch.thresholds.round(_DECIMALS), batch.flags, batch.is_anomaly)
        lists = (*(column.tolist() for column in (*numbers, batch.criticality)), finals, batch.model_ids)
        notes, anomalies = batch.notes, self._done.anomalies
        for at, (row, message, scores, limits, flags, is_anomaly, level, final, model_id) in enumerate(
            zip(rows, messages, *lists, strict=True)
        ):
            said = [
                {"score": score, "model_name": name, "threshold": limit, "is_anomaly": flag}
                for name, score, limit, flag in zip(names, scores, limits, flags, strict=True)
                # A score that is not equal to itself is NaN: that model cannot say.
                if score == score  # noqa: PLR0124
            ]
            criticality = levels[level]
            self._write(row, message, _Said(said, final, is_anomaly, criticality, model_id, notes.get(at, ())))
            if is_anomaly:
                anomalies.append(Anomaly(message.asset_id, message.sensor_id, criticality, final, message.timestamp))
        self._done.final_scores.extend(finals)

    def _write(self, row: int, message: FeatureMessage, said: _Said) -> None:
        value = _encode(message, said)
        if value is None:
            self.bury(row, BadMessageError(Reason.INVALID_METADATA, "metadata is nested too deep"))
        else:
            record = self._records[row]
            key = message.asset_id.encode()
            self._outputs[row] = Output(self._results, key, value, record.partition(), record.offset())


def _encode(message: FeatureMessage, said: _Said) -> bytes | None:
    """Return the JSON of a result; None where its metadata cannot be written again."""
    content = {
        "asset_id": message.asset_id,
        "sensor_id": message.sensor_id,
        "timestamp": message.timestamp,
        "scores": said.scores,
        "final_score": said.final_score,
        "is_anomaly": said.is_anomaly,
        "criticality": said.criticality,
        "features": message.features,
        "metadata": message.metadata,
        "model_id": said.model_id,
    }
    if said.notes:
        content["notes"] = list(said.notes)
    try:
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        return None
