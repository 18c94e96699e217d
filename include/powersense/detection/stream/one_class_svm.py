"""One-class SVM: a smooth border around the usual rows; what lies far outside of it is unusual.

scikit-learn finds the support vectors on a sample; the kernel's sum over them is a matrix product. Its negative
logarithm is the score: it orders rows as the decision function does, and goes on rising where that one is flat.

Source: B. Schölkopf et al., "Estimating the Support of a High-Dimensional Distribution", Neural Computation 13, 2001.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream.model_arrays import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = {"support": "f4", "log_weight": "f4", "gamma": "f8"}
_CHUNK_ROWS = 256


@dataclass
class OneClassSvm:
    """The machine; an instance of `interface.StreamModel`.

    Attributes:
        share_outside: of the training rows that may lie outside of the border; also the share kept as support vectors.
        most_rows: of the sample that it learns from: time grows with the square.
    """

    share_outside: float = 0.05
    most_rows: int = 5000
    name: str = field(default="one_class_svm", init=False)
    window: int = field(default=1, init=False)

    def fit(self, rows: NDArray[np.float64], windows: NDArray[np.intp], *, seed: int) -> None:
        """Find the support vectors; see `interface.StreamModel.fit`."""
        from sklearn.svm import OneClassSVM

        usual = rows[windows[:, -1]]
        if len(usual) > self.most_rows:
            usual = usual[np.sort(np.random.default_rng(seed).choice(len(usual), self.most_rows, replace=False))]
        self.__dict__.pop("_product", None)
        gamma = 1 / (usual.shape[1] * max(float(usual.var()), 1e-12))
        machine = OneClassSVM(kernel="rbf", gamma=gamma, nu=self.share_outside).fit(usual)
        self._arrays = {
            "support": machine.support_vectors_.astype(np.float32),
            "log_weight": np.log(machine.dual_coef_[0]).astype(np.float32),
            "gamma": np.array(gamma),
        }

    def raw_scores(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the logarithm of the kernel's sum at each window's last row."""
        rows = windows[:, -1].astype(np.float32)
        return np.concatenate(
            [np.empty(0), *(self._border(rows[at : at + _CHUNK_ROWS]) for at in range(0, len(rows), _CHUNK_ROWS))]
        )

    def _border(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        # log weight - gamma · |row - support|², as one matrix product.
        exponent = np.column_stack([rows, (rows**2).sum(axis=1), np.ones(len(rows), np.float32)]) @ self._product
        highest = exponent.max(axis=1)
        exponent -= highest[:, None]
        total = np.exp(exponent, out=exponent).sum(axis=1)
        return np.asarray(-(highest + np.log(total)), dtype=np.float64)

    @cached_property
    def _product(self) -> NDArray[np.float32]:
        support, gamma = self._arrays["support"].astype(np.float64), float(self._arrays["gamma"])
        constant = self._arrays["log_weight"] - gamma * (support**2).sum(axis=1)
        rows = [2 * gamma * support.T, np.full((1, len(support)), -gamma), constant[None]]
        return np.concatenate(rows).astype(np.float32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the support vectors; see `interface.StreamModel.to_arrays`."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the machine; see `interface.StreamModel.from_arrays`."""
        model = cls()
        model._arrays = checked(arrays, {"support": 2, "log_weight": 1, "gamma": 0}, _KINDS)
        return model
