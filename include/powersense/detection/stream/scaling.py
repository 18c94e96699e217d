"""Features on one scale: centred on the training's median, in robust deviations, far values drawn in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream.model_arrays import checked
from powersense.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Quartiles of a normal distribution lie 1.349 standard deviations apart.
QUARTILES_TO_DEVIATION = 1.349
# Up to here a deviation is taken as it is; from here on by its logarithm, so that 1e308 stays a number that models can
# square and that still stands beyond 1e300.
LINEAR_UP_TO = 10.0
_LARGEST = 1e300


@dataclass(frozen=True)
class RobustScaling:
    """How raw features become scaled ones.

    Attributes:
        median: (features,) of the training rows.
        deviation: (features,) above 0.
    """

    median: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: NDArray[np.float64]) -> Self:
        """Learn from rows (n, features); NaN is skipped, each column has a finite value.

        A column whose middle half is one value, a count of rare things say, is measured by how far the others usually
        lie from it: by its standard deviation the first of them would outweigh any fault. A constant one is measured by
        its size.
        """
        low, median, high = np.nanquantile(rows, (0.25, 0.5, 0.75), axis=0)
        deviation = (high - low) / QUARTILES_TO_DEVIATION
        size = np.where(median == 0, 1.0, np.abs(median))
        # Rounding gives a constant column a spread of its last digits.
        for column in np.flatnonzero(deviation <= 1e-9 * size):
            apart = np.abs(rows[:, column] - median[column])
            others = apart[apart > 1e-9 * size[column]]
            deviation[column] = np.median(others) if len(others) else size[column]
        return cls(median, deviation)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scaled rows; NaN, a missing feature, becomes 0, the median."""
        with np.errstate(over="ignore"):
            scaled = np.clip((rows - self.median) / self.deviation, -_LARGEST, _LARGEST)
        size = np.abs(scaled)
        far = size > LINEAR_UP_TO
        if far.any():
            scaled[far] = np.sign(scaled[far]) * (LINEAR_UP_TO + np.log1p(size[far] - LINEAR_UP_TO))
        return np.nan_to_num(scaled, copy=False, nan=0.0)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return both columns by name."""
        return {"median": self.median, "deviation": self.deviation}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the scaling that `to_arrays` described.

        Raises:
            ModelFileError: an array is missing, or of another shape or kind, or no scale.
        """
        found = checked(arrays, {"median": 1, "deviation": 1}, {"median": "f8", "deviation": "f8"})
        if len(found["median"]) != len(found["deviation"]) or not (found["deviation"] > 0).all():
            raise ModelFileError("array 'deviation' is no scale of each feature; train again")
        return cls(**found)
