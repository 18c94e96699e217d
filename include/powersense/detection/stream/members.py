"""The models that an ensemble can be made of, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from powersense.detection.stream.interface import StreamModel
from powersense.detection.stream.isolation_forest import IsolationForest
from powersense.detection.stream.lstm_autoencoder import LstmAutoencoder
from powersense.detection.stream.nearest_windows import NearestWindows
from powersense.detection.stream.one_class_svm import OneClassSvm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAKERS: Mapping[str, Callable[[], StreamModel]] = {
    "isolation_forest": IsolationForest,
    "one_class_svm": OneClassSvm,
    "lstm_autoencoder": LstmAutoencoder,
    "nearest_windows": NearestWindows,
}
_READERS: Mapping[str, Callable[[Mapping[str, NDArray[Any]]], StreamModel]] = {
    "isolation_forest": IsolationForest.from_arrays,
    "one_class_svm": OneClassSvm.from_arrays,
    "lstm_autoencoder": LstmAutoencoder.from_arrays,
    "nearest_windows": NearestWindows.from_arrays,
}
ALL = tuple(_MAKERS)


def create(name: str) -> StreamModel:
    """Return an untrained model of a name in `ALL`."""
    return _MAKERS[name]()


def read(name: str, arrays: Mapping[str, NDArray[Any]]) -> StreamModel:
    """Return the trained model of a name in `ALL` from its arrays.

    Raises:
        ModelFileError: an array is missing, or of another shape or kind.
    """
    return _READERS[name](arrays)
