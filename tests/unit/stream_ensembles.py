"""Small trained ensembles, shared by the tests of streaming detection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from powersense.detection.stream.ensemble import ALL, TrainedEnsemble
from powersense.detection.stream.interface import FeatureMessage

NAMES = ("load", "ramp", "hour")
SEED = 7


def usual_rows(count: int = 400, *, seed: int = 1) -> NDArray[np.float64]:
    """Return rows of a load with a daily wave: level, change, hour."""
    rng = np.random.default_rng(seed)
    hour = np.arange(count) % 24
    load = 100 + 20 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(0, 2, count)
    return np.column_stack([load, np.diff(load, prepend=load[0]), hour]).astype(np.float64)


@lru_cache
def ensemble(models: tuple[str, ...] = ALL, model_id: str = "small", names: Sequence[str] = NAMES) -> TrainedEnsemble:
    """Return an ensemble that was trained on 400 usual rows."""
    return TrainedEnsemble.train(usual_rows(), names, series=None, models=models, seed=SEED, model_id=model_id)


def messages(
    rows: Iterable[Sequence[float]], *, asset: str = "a", sensor: str = "s", names: Sequence[str] = NAMES
) -> list[FeatureMessage]:
    """Return rows as messages of one series."""
    at = datetime(2017, 1, 1, tzinfo=UTC)
    return [FeatureMessage(asset, sensor, dict(zip(names, map(float, row), strict=True)), at, {}) for row in rows]
