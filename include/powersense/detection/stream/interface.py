"""What the stream's models are given, and what they owe in return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FeatureMessage:
    """One measurement of one sensor, as features.

    Attributes:
        asset_id: what is watched.
        sensor_id: which of its sensors; empty where the message names none.
        features: finite numbers by name.
        timestamp: instant that the features describe, UTC; the broker's where the message has none.
        metadata: whatever else came, passed through.
    """

    asset_id: str
    sensor_id: str
    features: Mapping[str, float]
    timestamp: datetime
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model's word on one message.

    Attributes:
        model_name: isolation_forest, one_class_svm, lstm_autoencoder, …
        score: calibrated, in [0, 1]; see `calibration`.
        threshold: score from which the model calls an anomaly.
        is_anomaly: whether it does.
    """

    model_name: str
    score: float
    threshold: float
    is_anomaly: bool


class Criticality(StrEnum):
    """How rare a message is; rising."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ensemble's word on one message.

    Attributes:
        scores: one per model that can say; one that cannot is left out, with a note.
        final_score: in [0, 1].
        is_anomaly: whether the final score reaches the ensemble's threshold.
        criticality: by the final score.
        model_id: of the ensemble.
        notes: what was done to the message, for people.
    """

    scores: tuple[ModelScore, ...]
    final_score: float
    is_anomaly: bool
    criticality: Criticality
    model_id: str
    notes: tuple[str, ...]


CRITICALITIES = tuple(Criticality)


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The verdicts of a batch in columns; row i is message i.

    Attributes:
        model_names: the columns of `scores`.
        scores: (messages, models) in [0, 1]; NaN where a model cannot say.
        thresholds: per row, for each model.
        flags: where a score reaches its threshold.
        final_scores: (messages,) in [0, 1].
        is_anomaly: (messages,) bool.
        criticality: (messages,) positions in `CRITICALITIES`.
        model_ids: of the ensemble that scored each message.
        notes: by row, only where there are any.
    """

    model_names: tuple[str, ...]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    flags: NDArray[np.bool_]
    final_scores: NDArray[np.float64]
    is_anomaly: NDArray[np.bool_]
    criticality: NDArray[np.int8]
    model_ids: Sequence[str]
    notes: Mapping[int, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.model_ids)

    def verdicts(self) -> Iterator[Verdict]:
        """Yield each message's verdict, in order."""
        names = self.model_names
        columns = (self.scores, self.thresholds, self.flags, self.final_scores, self.is_anomaly, self.criticality)
        rows = zip(*(column.tolist() for column in columns), self.model_ids, strict=True)
        for row, (scores, thresholds, flags, final, is_anomaly, criticality, model_id) in enumerate(rows):
            said = tuple(
                # A score that is not equal to itself is NaN: that model cannot say.
                ModelScore(*each)
                for each in zip(names, scores, thresholds, flags, strict=True)
                if each[1] == each[1]
            )
            notes = self.notes.get(row, ())
            yield Verdict(said, final, is_anomaly, CRITICALITIES[criticality], model_id, notes)


class StreamModel(Protocol):
    """One detector: what it learns is the usual, and a raw score says how far from it a row is."""

    name: str
    window: int
    """Rows of one series that it looks at, the newest last; 1: only at the row itself."""

    def fit(self, rows: NDArray[np.float64], windows: NDArray[np.intp], *, seed: int) -> None:
        """Learn what is usual.

        Args:
            rows: (n, features), scaled; see `scaling`.
            windows: (m, window) positions in `rows`: rows of one series in their order; the last one is judged.
            seed: of everything random.
        """
        ...

    def raw_scores(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how unusual the last row of each window is: any scale, higher is stranger, finite.

        Args:
            windows: (m, window, features), scaled; a result does not depend on the other windows in the call.
        """
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learnt, as arrays that `np.savez` writes without pickle."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that `to_arrays` described.

        Raises:
            ModelFileError: an array is missing, or of another shape or kind.
        """
        ...
