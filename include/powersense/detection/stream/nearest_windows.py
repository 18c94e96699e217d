"""Nearest windows: the last rows of a series beside those of the training; what resembles none of them is unusual.

The distance to the closest of a sample of training windows, by matrix products.

Source: S. Ramaswamy, R. Rastogi, K. Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream.model_arrays import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_ROWS = 256


@dataclass
class NearestWindows:
    """The sample; an instance of `interface.StreamModel`.

    Attributes:
        window: rows of one series that are compared.
        most_windows: of the sample.
    """

    window: int = 12
    most_windows: int = 2000
    name: str = field(default="nearest_windows", init=False)

    def fit(self, rows: NDArray[np.float64], windows: NDArray[np.intp], *, seed: int) -> None:
        """Draw the sample; see `interface.StreamModel.fit`."""
        count = min(self.most_windows, len(windows))
        drawn = np.sort(np.random.default_rng(seed).choice(len(windows), count, replace=False))
        self._sample = rows[windows[drawn]].reshape(count, -1).astype(np.float32)

    def raw_scores(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each window's distance to the closest one of the sample."""
        flat = windows.reshape(len(windows), self._sample.shape[1]).astype(np.float32)
        # |a - b|² = |a|² - 2ab + |b|², the last two by one product.
        product = np.concatenate([-2 * self._sample.T, (self._sample**2).sum(axis=1)[None]])
        squares = [np.empty(0, np.float32)]
        for at in range(0, len(flat), _CHUNK_ROWS):
            part = flat[at : at + _CHUNK_ROWS]
            apart = np.column_stack([part, np.ones(len(part), np.float32)]) @ product
            squares.append(apart.min(axis=1) + (part**2).sum(axis=1))
        return np.sqrt(np.maximum(np.concatenate(squares), 0)).astype(np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the sample; see `interface.StreamModel.to_arrays`."""
        return {"sample": self._sample, "window": np.array(self.window)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model; see `interface.StreamModel.from_arrays`."""
        found = checked(arrays, {"sample": 2, "window": 0}, {"sample": "f4", "window": "i8"})
        model = cls(window=int(found["window"]), most_windows=len(found["sample"]))
        model._sample = found["sample"]
        return model
