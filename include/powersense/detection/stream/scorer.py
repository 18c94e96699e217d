"""Scoring a stream: batches of messages in, verdicts out, the sequences of each sensor kept in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

from powersense.detection.stream.feature_rows import FeatureRows, is_whole, notes_on, too_few
from powersense.detection.stream.held_out import LEVELS
from powersense.detection.stream.interface import ScoredBatch, Verdict
from powersense.detection.stream.lstm_autoencoder import BUCKETS
from powersense.errors import MessageNotScorableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.detection.stream.ensemble import TrainedEnsemble
    from powersense.detection.stream.interface import FeatureMessage
    from powersense.detection.stream.sequences import SequenceState

POOLED = ""
THRESHOLD = LEVELS[0]


@dataclass(frozen=True)
class _Served:
    """An ensemble as the scorer uses it: where its features and models stand among those of all ensembles."""

    ensemble: TrainedEnsemble
    names: frozenset[str]
    columns: NDArray[np.intp]
    models: NDArray[np.intp]
    whole: bool


class StreamScorer:
    """Scores messages by the ensemble of their asset, else by the pooled one.

    Not for use by several threads: it owns the state.

    Attributes:
        ensembles: by scope: an asset's id, or `POOLED` for all others.
        state: the sequences; what they hold of features that the ensembles know stays.
    """

    def __init__(self, ensembles: Mapping[str, TrainedEnsemble], state: SequenceState) -> None:
        self.ensembles = dict(ensembles)
        self.state = state
        features = list(dict.fromkeys(name for each in ensembles.values() for name in each.feature_names))
        self.model_names = tuple(dict.fromkeys(name for each in ensembles.values() for name in each.model_names))
        self._rows = FeatureRows(features)
        self._served = {scope: self._serve(each) for scope, each in ensembles.items()}
        state.prepare(window=max((each.window for each in ensembles.values()), default=1), feature_names=features)
        # Threads of a matrix library cost more than they give on products this small.
        self._threads = ThreadpoolController()

    def _serve(self, ensemble: TrainedEnsemble) -> _Served:
        columns = [self._rows.names.index(name) for name in ensemble.feature_names]
        models = [self.model_names.index(name) for name in ensemble.model_names]
        whole = columns == list(range(len(self._rows.names)))
        return _Served(ensemble, frozenset(ensemble.feature_names), np.array(columns), np.array(models), whole)

    def has_model(self, asset_id: str) -> bool:
        """Tell whether an ensemble scores this asset."""
        return POOLED in self._served or asset_id in self._served

    def refusals(self, messages: Sequence[FeatureMessage]) -> dict[int, str]:
        """Return why messages cannot be scored, by position: no model, or fewer than half of its features."""
        refused = {}
        for at, message in enumerate(messages):
            served = self._of(message)
            if served is None:
                refused[at] = f"asset_id {message.asset_id!r} has no model, and there is no pooled one; train one"
            elif not is_whole(message.features, served.names):
                reason = too_few(message.features, served.ensemble.feature_names)
                if reason:
                    refused[at] = reason
        return refused

    def _of(self, message: FeatureMessage) -> _Served | None:
        return self._served.get(message.asset_id) or self._served.get(POOLED)

    def score(self, messages: Sequence[FeatureMessage]) -> list[Verdict]:
        """Return each message's verdict, in order; see `score_batch`."""
        return list(self.score_batch(messages).verdicts())

    def score_batch(self, messages: Sequence[FeatureMessage]) -> ScoredBatch:
        """Score messages; several of one series are a sequence, in their order.

        However a stream is cut into batches, a message's scores are the same up to rounding (1e-4). If this raises,
        the sequences are as they were.

        Raises:
            MessageNotScorableError: `refusals` names one of the messages; its text is that of the first.
        """
        refused = self.refusals(messages)
        if refused:
            at, reason = next(iter(refused.items()))
            raise MessageNotScorableError(f"message {at}: {reason}")
        with self._threads.limit(limits=1, user_api="blas"):
            extension = self.state.extend(_series(messages), self._rows(messages))
            scored = self._judge(messages, extension.windows, extension.lengths)
            self.state.commit(extension)
        return scored

    def observe(self, messages: Sequence[FeatureMessage]) -> None:
        """Feed the sequences without scoring, to rebuild them after a restart; what cannot be scored is passed over."""
        refused = self.refusals(messages)
        usable = [message for at, message in enumerate(messages) if at not in refused]
        self.state.commit(self.state.extend(_series(usable), self._rows(usable)))

    def forget(self, series: Iterable[tuple[str, str]]) -> None:
        """Forget the sequences of (asset_id, sensor_id) pairs: their partition went to another worker."""
        self.state.forget(series)

    def warm_up(self) -> None:
        """Score made-up rows of each size that is compiled on its first use, so that no message waits for it."""
        for served in self._served.values():
            for size in BUCKETS:
                rows = np.zeros((size, self.state.window, len(served.columns)))
                served.ensemble.judge(rows, np.full(size, self.state.window))

    def _judge(
        self, messages: Sequence[FeatureMessage], windows: NDArray[np.float64], lengths: NDArray[np.intp]
    ) -> ScoredBatch:
        count = len(messages)
        scores = np.full((count, len(self.model_names)), np.nan)
        final, is_anomaly, criticality = np.zeros(count), np.zeros(count, bool), np.zeros(count, np.int8)
        ids = [""] * count
        notes: dict[int, tuple[str, ...]] = {}
        for served, rows in self._by_ensemble(messages):
            part = windows[rows] if len(rows) < count else windows
            judged = served.ensemble.judge(part if served.whole else part[:, :, served.columns], lengths[rows])
            scores[np.ix_(rows, served.models)] = judged.scores
            final[rows], is_anomaly[rows] = judged.final_scores, judged.is_anomaly
            criticality[rows] = judged.criticality
            self._note(notes, served, messages, rows, lengths)
            for row in rows.tolist():
                ids[row] = served.ensemble.model_id
        limits = np.broadcast_to(THRESHOLD, scores.shape)
        with np.errstate(invalid="ignore"):
            flags = scores >= THRESHOLD
        return ScoredBatch(self.model_names, scores, limits, flags, final, is_anomaly, criticality, ids, notes)

    def _by_ensemble(self, messages: Sequence[FeatureMessage]) -> list[tuple[_Served, NDArray[np.intp]]]:
        if set(self._served) == {POOLED}:
            return [(self._served[POOLED], np.arange(len(messages)))]
        rows: dict[str, list[int]] = {}
        for at, message in enumerate(messages):
            rows.setdefault(message.asset_id if message.asset_id in self._served else POOLED, []).append(at)
        return [(self._served[scope], np.array(each)) for scope, each in rows.items()]

    @staticmethod
    def _note(
        notes: dict[int, tuple[str, ...]],
        served: _Served,
        messages: Sequence[FeatureMessage],
        rows: NDArray[np.intp],
        lengths: NDArray[np.intp],
    ) -> None:
        ensemble = served.ensemble
        for row in rows.tolist():
            if not is_whole(messages[row].features, served.names):
                notes[row] = notes_on(messages[row].features, ensemble.feature_names)
        memories = tuple((model.name, model.window) for model in ensemble.models if model.window > 1)
        for row in rows[lengths[rows] < ensemble.window].tolist():
            notes[row] = notes.get(row, ()) + _silent(memories, int(lengths[row]))


@lru_cache(maxsize=1024)
def _silent(memories: tuple[tuple[str, int], ...], length: int) -> tuple[str, ...]:
    """Return the notes on models that cannot say yet."""
    return tuple(
        f"{name} cannot say yet: it needs {window} messages of a sensor and has {length}"
        for name, window in memories
        if length < window
    )


def _series(messages: Sequence[FeatureMessage]) -> list[tuple[str, str]]:
    return [(message.asset_id, message.sensor_id) for message in messages]
