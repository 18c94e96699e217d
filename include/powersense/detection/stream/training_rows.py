"""What an ensemble learns from: rows checked, cut into windows of one series and into blocks, held out in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from powersense.errors import TrainingDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS = 100
FOLDS = 3
# Each fold holds rows of all times of a series: this many blocks, dealt out in turn, but none shorter than the second.
_BLOCKS_PER_FOLD = 10
LEAST_BLOCK_ROWS = 48
# Beyond, rounding leaves nothing of a difference; no measurement is that large.
_LARGEST = 1e100


@dataclass(frozen=True)
class TrainingRows:
    """Rows in the order of their series, which stand one after another.

    Attributes:
        rows: (n, features); NaN is a missing feature.
        position: (n,) place of each row in its series, from 0.
        block: (n,) which of its series' successive blocks a row belongs to; block b is held out in fold b % FOLDS.
        series: how many.
    """

    rows: NDArray[np.float64]
    position: NDArray[np.intp]
    block: NDArray[np.intp]
    series: int

    @classmethod
    def of(cls, data: NDArray[np.float64], feature_names: Sequence[str], series: Sequence[str] | None) -> TrainingRows:
        """Check what was given and put each series' rows together, in the order in which they stand.

        Raises:
            TrainingDataError: it cannot be learnt from; names the field, the value and the remedy.
        """
        rows = np.asarray(data, dtype=np.float64)
        _check(rows, feature_names)
        if series is not None and len(series) != len(rows):
            raise TrainingDataError(f"series has {len(series)} entries for {len(rows)} rows of data; give one per row")
        names = (
            np.zeros(len(rows), np.intp) if series is None else np.unique(np.asarray(series), return_inverse=True)[1]
        )
        order = np.argsort(names, kind="stable")
        _, first, count = np.unique(names[order], return_index=True, return_counts=True)
        position = np.arange(len(rows)) - np.repeat(first, count)
        length = np.maximum(count // (FOLDS * _BLOCKS_PER_FOLD), LEAST_BLOCK_ROWS)
        # The first block of each series is another fold's, so that series of one block take turns.
        block = position // np.repeat(length, count) + np.repeat(np.arange(len(count)) % FOLDS, count)
        return cls(rows[order], position, block, len(count))

    def windows(self, length: int) -> NDArray[np.intp]:
        """Return (m, length) positions of the rows of each window, all of one series, the newest last."""
        last = np.flatnonzero(self.position >= length - 1)
        return last[:, None] + np.arange(1 - length, 1)

    def folds(self, windows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield, for each fold, windows that do not touch its blocks, to learn from, and those within one, held out.

        A window is no longer than a block, so its first and its last row tell which blocks it touches.
        """
        first, last = self.block[windows[:, 0]], self.block[windows[:, -1]]
        for fold in range(FOLDS):
            learnt = (first % FOLDS != fold) & (last % FOLDS != fold)
            yield windows[learnt], windows[(first == last) & (first % FOLDS == fold)]


def _check(rows: NDArray[np.float64], feature_names: Sequence[str]) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(feature_names) or not feature_names:
        raise TrainingDataError(
            f"data has the shape {rows.shape} for {len(feature_names)} feature_names; give rows of a number per feature"
        )
    if len(set(feature_names)) != len(feature_names):
        repeated = next(name for name in feature_names if list(feature_names).count(name) > 1)
        raise TrainingDataError(f"feature_names holds {repeated!r} twice; name each feature once")
    if len(rows) < LEAST_ROWS:
        raise TrainingDataError(f"data has {len(rows)} rows; give at least {LEAST_ROWS}")
    wrong = np.argwhere(np.isinf(rows) | (np.abs(rows) > _LARGEST))
    if len(wrong):
        row, column = wrong[0]
        raise TrainingDataError(
            f"data[{row}][{column}] ({feature_names[column]}) is {rows[row, column]}; give numbers up to {_LARGEST:g}"
        )
    missing = np.isnan(rows).mean(axis=0)
    if missing.max() > 0.5:
        column = int(missing.argmax())
        raise TrainingDataError(
            f"data lacks {feature_names[column]} in {missing[column]:.0%} of its rows; leave the feature out"
        )
