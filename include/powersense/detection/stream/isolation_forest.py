"""Isolation forest: a row that few random cuts set apart from the rest is unusual.

scikit-learn grows the trees; they are kept as arrays and walked by NumPy, all trees and rows at once, because
scikit-learn's own scoring starts a pool of threads for each call.

Source: F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream.model_arrays import checked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.tree import ExtraTreeRegressor

# Rows walked at once: their positions in all trees stay in the processor's cache.
_CHUNK_ROWS = 512
_LEAF = -2


@dataclass
class IsolationForest:
    """The forest; an instance of `interface.StreamModel`.

    Attributes:
        trees: how many.
        rows_per_tree: drawn for each tree.
    """

    trees: int = 100
    rows_per_tree: int = 256
    name: str = field(default="isolation_forest", init=False)
    window: int = field(default=1, init=False)

    def fit(self, rows: NDArray[np.float64], windows: NDArray[np.intp], *, seed: int) -> None:
        """Grow the trees; see `interface.StreamModel.fit`."""
        from sklearn.ensemble import IsolationForest as Grower

        usual = rows[windows[:, -1]].astype(np.float32)
        size = min(self.rows_per_tree, len(usual))
        forest = Grower(n_estimators=self.trees, max_samples=size, random_state=seed).fit(usual)
        self._set_trees([_flatten(tree) for tree in forest.estimators_], rows=size)

    def _set_trees(self, flat: list[dict[str, NDArray[Any]]], *, rows: int) -> None:
        starts = np.cumsum([0, *(len(tree["feature"]) for tree in flat[:-1])])
        joined = {name: np.concatenate([tree[name] for tree in flat]) for name in ("feature", "threshold", "depth")}
        left = np.concatenate([tree["left"] + start for tree, start in zip(flat, starts, strict=True)])
        levels = max(int(tree["levels"]) for tree in flat)
        self._arrays = {
            **joined,
            "left": left.astype(np.int32),
            "roots": starts.astype(np.int32),
            "levels": np.array(levels),
            "usual_depth": np.array(len(flat) * _usual_depth(np.array([rows]))[0]),
        }

    def raw_scores(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 2^(-depth / usual depth), the paper's score, of each window's last row."""
        rows = np.ascontiguousarray(windows[:, -1], dtype=np.float32)
        return np.concatenate(
            [np.empty(0), *(self._walk(rows[at : at + _CHUNK_ROWS]) for at in range(0, len(rows), _CHUNK_ROWS))]
        )

    def _walk(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        trees = self._arrays
        feature, threshold, left = trees["feature"], trees["threshold"], trees["left"]
        flat, base = rows.ravel(), (np.arange(len(rows), dtype=np.int32) * rows.shape[1])[:, None]
        node = np.broadcast_to(trees["roots"], (len(rows), len(trees["roots"])))
        for _ in range(int(trees["levels"])):
            # A leaf's left child is itself and its threshold is infinite: a row that has arrived stays.
            node = left.take(node) + (flat.take(base + feature.take(node)) > threshold.take(node))
        depth = trees["depth"].take(node).sum(axis=1, dtype=np.float64)
        return np.asarray(np.exp2(-depth / trees["usual_depth"]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the trees; see `interface.StreamModel.to_arrays`."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the forest; see `interface.StreamModel.from_arrays`."""
        model = cls()
        kinds = {"feature": "i4", "threshold": "f4", "depth": "f8", "left": "i4", "roots": "i4"}
        scalars = {"levels": "i8", "usual_depth": "f8"}
        model._arrays = checked(arrays, {**dict.fromkeys(kinds, 1), **dict.fromkeys(scalars, 0)}, kinds | scalars)
        return model


def _flatten(tree: ExtraTreeRegressor) -> dict[str, NDArray[Any]]:
    """Return a tree's nodes renumbered by level, so that a right child stands after its left one."""
    inner = tree.tree_
    left, right = inner.children_left, inner.children_right
    order, depth = [0], [0]
    first_child = []
    at = 0
    while at < len(order):
        node = order[at]
        if left[node] < 0:
            first_child.append(at)
        else:
            first_child.append(len(order))
            order += [left[node], right[node]]
            depth += [depth[at] + 1] * 2
        at += 1
    feature = inner.feature[order]
    is_leaf = feature == _LEAF
    return {
        "feature": np.where(is_leaf, 0, feature).astype(np.int32),
        "threshold": np.where(is_leaf, np.inf, inner.threshold[order]).astype(np.float32),
        "left": np.array(first_child),
        "depth": np.where(is_leaf, depth + _usual_depth(inner.n_node_samples[order]), 0.0),
        "levels": np.array(max(depth)),
    }


def _usual_depth(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean depth of an unsuccessful search in a random tree of `rows` rows; the paper's c(n)."""
    count = np.maximum(rows, 2).astype(np.float64)
    mean = 2 * (np.log(count - 1) + np.euler_gamma) - 2 * (count - 1) / count
    return np.asarray(np.where(rows > 2, mean, np.where(rows == 2, 1.0, 0.0)))
