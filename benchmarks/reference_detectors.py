"""Two detectors to measure against, behind the interface of the stream's models; calibrated as these are."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors


class PrincipalComponents:
    """Distance of a row to the plane of the principal components that hold nine tenths of the variance."""

    name = "pca (reference)"
    window = 1

    def fit(self, rows: Any, windows: Any, *, seed: int) -> None:
        """Learn the plane."""
        self._plane = PCA(0.9, random_state=seed).fit(rows[windows[:, -1]])

    def raw_scores(self, windows: Any) -> Any:
        """Return distances."""
        rows = windows[:, -1]
        return np.sqrt(((rows - self._plane.inverse_transform(self._plane.transform(rows))) ** 2).sum(axis=1))


class NearestRows:
    """Distance of a row to the fifth closest of all training rows."""

    name = "knn (reference)"
    window = 1

    def fit(self, rows: Any, windows: Any, *, seed: int) -> None:
        """Keep the rows."""
        self._near = NearestNeighbors(n_neighbors=5).fit(rows[windows[:, -1]])

    def raw_scores(self, windows: Any) -> Any:
        """Return distances."""
        return self._near.kneighbors(windows[:, -1])[0][:, -1]
