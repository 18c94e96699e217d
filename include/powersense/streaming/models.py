"""The models that serve: loaded in the background, swapped in whole between two batches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from powersense.errors import PowerSenseError
from powersense.settings import Settings
from powersense.streaming.scoring import Scorer

if TYPE_CHECKING:
    from powersense.warehouse.stream.models import StoredEnsemble

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 1.0
_POOLED = ""


class ModelSource(Protocol):
    """Where it is recorded which model serves."""

    def newest(self) -> Mapping[str, StoredEnsemble]:
        """Return the stored ensemble of each scope: "" is the pooled one, others are assets."""


class WarehouseModels:
    """The table `stream_models`."""

    def newest(self) -> Mapping[str, StoredEnsemble]:
        """Return the stored ensemble of each scope.

        Raises:
            WarehouseError: ClickHouse is away or refuses.
        """
        from powersense.warehouse.client import connect
        from powersense.warehouse.stream.models import newest

        with connect("reader") as client:
            return newest(client)


@dataclass(frozen=True)
class Serving:
    """What scores from now on.

    Attributes:
        scorer: makes the scorer of all scopes; called in the thread that scores, as the sequences are that thread's.
        stored: what it is made of, by scope.
    """

    scorer: Callable[[], Scorer]
    stored: Mapping[str, StoredEnsemble]

    @property
    def model_id(self) -> str:
        """The pooled ensemble's name, else the newest asset's."""
        pooled = self.stored.get(_POOLED)
        return (pooled or max(self.stored.values(), key=lambda each: each.trained_at)).model_id

    @property
    def trained_at(self) -> datetime:
        """When the newest of them was trained, UTC."""
        return max(each.trained_at for each in self.stored.values())


class ModelWatch:
    """Looks for newer models and loads them; `serving` is replaced in one step, never changed.

    Args:
        source: tells what serves.
        load: reads one ensemble.
        assemble: prepares the ensembles, by scope, and returns what makes their scorer.
        poll_seconds: between two looks.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        load: Callable[[StoredEnsemble], Any],
        assemble: Callable[[Mapping[str, Any]], Callable[[], Scorer]],
        poll_seconds: float,
    ) -> None:
        self._source = source
        self._load = load
        self._assemble = assemble
        self._poll_seconds = poll_seconds
        self._loaded: dict[str, tuple[StoredEnsemble, Any]] = {}
        self._bad: set[str] = set()
        self.serving: Serving | None = None

    def refresh(self) -> bool:
        """Look once; return whether something new serves.

        Raises:
            PowerSenseError: where the models are recorded cannot be asked.
        """
        newest = self._source.newest()
        loaded = {scope: pair for scope, pair in self._loaded.items() if scope in newest}
        for scope, stored in newest.items():
            known = loaded.get(scope)
            if known is not None and known[0].model_id == stored.model_id:
                continue
            try:
                loaded[scope] = (stored, self._load(stored))
            except (PowerSenseError, OSError, MemoryError) as error:
                # One that cannot be read does not take the others away, nor the one before it.
                if stored.model_id not in self._bad:
                    logger.error("model %s of scope %r cannot be loaded: %s", stored.model_id, scope, error)
                    self._bad.add(stored.model_id)
        if not loaded or loaded == self._loaded:
            return False
        scorer = self._assemble({scope: model for scope, (_, model) in loaded.items()})
        self._loaded = loaded
        self.serving = Serving(scorer, {scope: stored for scope, (stored, _) in loaded.items()})
        logger.info("model %s serves, %d scopes", self.serving.model_id, len(loaded))
        return True

    def run_until(self, stop: threading.Event) -> None:
        """Look again and again until told to stop; failures are logged and what serves goes on serving."""
        pause = min(_FIRST_PAUSE_SECONDS, self._poll_seconds)
        while not stop.is_set():
            try:
                self.refresh()
                # Who waits for the first model does not wait for the next look as well.
                pause = self._poll_seconds if self.serving else min(pause * 2, self._poll_seconds)
            except Exception as error:  # noqa: BLE001 - whatever is away, the worker goes on with what it has
                logger.warning("models cannot be looked up: %s", error)
                pause = min(pause * 2, self._poll_seconds)
            stop.wait(pause)


def warehouse_models(settings: Settings) -> ModelWatch:
    """Return the watch over the ensembles that the table `stream_models` names."""
    from powersense import model_store
    from powersense.detection.stream.ensemble import TrainedEnsemble
    from powersense.detection.stream.scorer import StreamScorer
    from powersense.detection.stream.sequences import SequenceState

    state = SequenceState(settings.stream_max_series)

    def load(stored: StoredEnsemble) -> TrainedEnsemble:
        files = model_store.load(stored.artefact_uri, sha256=stored.artefact_sha256, model_id=stored.model_id)
        return TrainedEnsemble.from_files(files)

    def assemble(ensembles: Mapping[str, TrainedEnsemble]) -> Callable[[], Scorer]:
        # What is compiled on first use is compiled here, while the model before goes on serving.
        StreamScorer(ensembles, SequenceState(1)).warm_up()
        return lambda: StreamScorer(ensembles, state)

    return ModelWatch(WarehouseModels(), load=load, assemble=assemble, poll_seconds=settings.stream_model_poll_seconds)
