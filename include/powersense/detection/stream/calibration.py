"""From a model's raw score to [0, 1]: how rare such a score is among held-out usual rows.

With p the share of held-out scores above a raw score, its rarity is r = -log10 p, in decades, and the calibrated score
is r / (r + 2): 0 for what is below all, 0.5 for one in a hundred, 0.6 for one in a thousand, 0.75 for one in a million.
So a score means the same for every model. Beyond the fifty highest (of few scores two percent, of many two per mille)
p follows a generalised Pareto tail, by its probability-weighted moments, so that scores beyond all held-out ones still
rank.

Source: J. R. M. Hosking, J. R. Wallis, "Parameter and Quantile Estimation for the Generalized Pareto Distribution",
Technometrics 29, 1987.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream.model_arrays import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAIL_SHARES = (0.002, 0.02)
LEAST_SCORES = 20
_KNOTS = 200
_USUALLY_IN_TAIL, _LEAST_IN_TAIL = 50, 10
_HALF = 2.0
_MOST_NATS = 1e12
# A tail with an end would give all scores beyond it the same value; one heavier than this has no variance.
_SHAPES = (0.0, 0.5)


def calibrated(rarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return decades of rarity, from 0 on, as a score in [0, 1).

    >>> calibrated(np.array([0.0, 2.0, 6.0])).tolist()
    [0.0, 0.5, 0.75]
    """
    return rarity / (rarity + _HALF)


def threshold_at(false_alarm_rate: float) -> float:
    """Return the calibrated score that a share `false_alarm_rate` of usual rows reaches.

    >>> threshold_at(0.01)
    0.5
    """
    return float(calibrated(np.array(-np.log10(false_alarm_rate))))


@dataclass(frozen=True)
class Calibration:
    """A rising curve through held-out scores, and its tail.

    Attributes:
        knots: raw scores, rising.
        rarities: decades at the knots, rising.
        tail: shape and scale of the generalised Pareto tail from the last knot on.
    """

    knots: NDArray[np.float64]
    rarities: NDArray[np.float64]
    tail: NDArray[np.float64]

    @classmethod
    def fit(cls, held_out: NDArray[np.float64]) -> Self:
        """Learn from raw scores (at least `LEAST_SCORES`) of rows that the scoring model was not fitted on."""
        ordered = np.sort(held_out)
        count = len(ordered)
        low, high = (round(share * count) for share in TAIL_SHARES)
        in_tail = min(max(min(max(low, _USUALLY_IN_TAIL), high), _LEAST_IN_TAIL), count // 2)
        start, share = ordered[count - in_tail - 1], in_tail / count
        # Knots stand closer towards the tail: evenly in decades.
        shares = np.unique(np.concatenate([np.geomspace(share, 1, _KNOTS // 2), np.linspace(share, 1, _KNOTS // 2)]))
        knots = np.quantile(ordered, 1 - shares[::-1])
        knots[-1] = start
        rarities = -np.log10(shares[::-1])
        # Of equal scores the rarest word counts for none: the curve passes through the commonest.
        keep = np.concatenate([[True], np.diff(knots) > 0])
        return cls(knots[keep], rarities[keep], _tail(ordered[count - in_tail :] - start))

    def rarity(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return decades, from 0 on; rises with `raw`."""
        inside = np.interp(raw, self.knots, self.rarities)
        shape, scale = self.tail
        with np.errstate(over="ignore"):
            beyond = np.clip((raw - self.knots[-1]) / scale, 0, _MOST_NATS)
        nats = np.log1p(shape * beyond) / shape if shape > 1e-6 else beyond
        return np.asarray(inside + nats / np.log(10))

    def __call__(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated scores."""
        return calibrated(self.rarity(raw))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the curve by name."""
        return {"knots": self.knots, "rarities": self.rarities, "tail": self.tail}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the calibration that `to_arrays` described.

        Raises:
            ModelFileError: an array is missing, or of another shape or kind.
        """
        names = ("knots", "rarities", "tail")
        return cls(**checked(arrays, dict.fromkeys(names, 1), dict.fromkeys(names, "f8")))


def _tail(excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shape and scale of a generalised Pareto distribution by its probability-weighted moments."""
    ordered = np.sort(excess)
    count = len(ordered)
    mean = float(ordered.mean())
    upper = float((ordered * (count - 1 - np.arange(count))).sum() / (count * max(count - 1, 1)))
    shape = 2 - mean / (mean - 2 * upper) if mean > 2 * upper else 0.0
    shape = float(np.clip(shape, *_SHAPES))
    return np.array([shape, max(mean * (1 - shape), 1e-12)])
