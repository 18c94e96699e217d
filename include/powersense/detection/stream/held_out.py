"""What models say of rows that they were not fitted on, and what is learnt from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from powersense.detection.stream import members
from powersense.detection.stream.calibration import LEAST_SCORES, Calibration, calibrated, threshold_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.detection.stream.interface import StreamModel
    from powersense.detection.stream.training_rows import TrainingRows

# One false alarm in 1000 usual messages: of 13 areas' half-hours, two in three days. Rarer ones cannot be told from the
# few thousand messages that some trainings have.
FALSE_ALARM_RATE = 1e-3
# Beside the threshold: scores that a tenth and a hundredth of its share of usual rows reach.
LEVELS = tuple(threshold_at(FALSE_ALARM_RATE / factor) for factor in (1, 10, 100))
# Beyond a millionth a tail is a guess: no model outvotes the others by one.
MOST_DECADES = 6.0
_HELD_OUT_AT_MOST = 300_000
_CHUNK_ROWS = 4096


def held_out_scores(
    name: str, training: TrainingRows, scaled: NDArray[np.float64], *, seed: int
) -> NDArray[np.float64]:
    """Return what models of a name say of rows that they were not fitted on; NaN where none can."""
    said = np.full(len(scaled), np.nan)
    windows = training.windows(members.create(name).window)
    stride = -(-len(scaled) // _HELD_OUT_AT_MOST)
    for learnt, held_out in training.folds(windows):
        if len(learnt) < LEAST_SCORES or not len(held_out):
            continue
        model = members.create(name)
        model.fit(scaled, learnt, seed=seed)
        # So many are enough for a tail; all would take minutes on millions of rows. The same rows for each model.
        chosen = held_out[held_out[:, -1] % stride == 0]
        for at in range(0, len(chosen), _CHUNK_ROWS):
            part = chosen[at : at + _CHUNK_ROWS]
            said[part[:, -1]] = model.raw_scores(scaled[part])
    return said


def pooled(rarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean decades of rarity of some models by row, each counted up to `MOST_DECADES`; NaN where one is.

    >>> pooled(np.array([[1.0, 9.0]])).tolist()
    [3.5]
    """
    return np.asarray(np.minimum(rarities, MOST_DECADES).mean(axis=1))


def final_calibrations(models: Sequence[StreamModel], rarities: NDArray[np.float64]) -> dict[int, Calibration]:
    """Return the calibration of the models' mean rarity, by the longest window among those that speak; rising.

    Args:
        models: trained.
        rarities: (rows, models) decades of held-out rows; NaN where a model has none.
    """
    curves = {}
    for level in sorted({model.window for model in models}):
        mean = pooled(rarities[:, [model.window <= level for model in models]])
        curves[level] = Calibration.fit(mean[np.isfinite(mean)])
    return curves


def summary(training: TrainingRows, names: Sequence[str], rarities: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a training came to: rows, series, held-out rows and how many of them are flagged, by model."""
    flagged = calibrated(rarities) >= LEVELS[0]
    return {
        "rows": len(training.rows),
        "series": training.series,
        "false_alarm_rate": FALSE_ALARM_RATE,
        "held_out_rows": {name: int(np.isfinite(rarities[:, at]).sum()) for at, name in enumerate(names)},
        "held_out_flagged": {name: int(flagged[:, at].sum()) for at, name in enumerate(names)},
    }
