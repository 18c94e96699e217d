"""Messages as rows of numbers, and what had to be done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.detection.stream.interface import FeatureMessage

_NAMED_AT_MOST = 5
_LONGEST_NAME = 64


class FeatureRows:
    """Reads the features that models know out of messages.

    Attributes:
        names: the columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._pick = itemgetter(*self.names) if len(self.names) > 1 else lambda features: (features[self.names[0]],)

    def __call__(self, messages: Sequence[FeatureMessage]) -> NDArray[np.float64]:
        """Return (messages, features); NaN where a message lacks a feature."""
        try:
            rows = np.array([self._pick(message.features) for message in messages], dtype=np.float64)
        except KeyError:
            nan = float("nan")
            rows = np.array(
                [[message.features.get(name, nan) for name in self.names] for message in messages], dtype=np.float64
            )
        return rows.reshape(len(messages), len(self.names))


def is_whole(features: Mapping[str, float], names: frozenset[str]) -> bool:
    """Tell whether these are exactly the features that a model knows."""
    return features.keys() == names


def too_few(features: Mapping[str, float], names: Sequence[str]) -> str:
    """Return why features are too few to be judged, empty where they are enough: at least half of the model's.

    >>> too_few({"a": 1.0}, ("a", "b", "c"))
    "features has 1 of the model's 3 features, it needs 2; missing: b, c"
    """
    missing = [name for name in names if name not in features]
    here, needed = len(names) - len(missing), (len(names) + 1) // 2
    if here >= needed:
        return ""
    return f"features has {here} of the model's {len(names)} features, it needs {needed}; missing: {_some(missing)}"


def notes_on(features: Mapping[str, float], names: Sequence[str]) -> tuple[str, ...]:
    """Return what is done about features that are missing or unknown, for people.

    >>> notes_on({"load": 1.0, "x": 2.0}, ("load", "ramp"))
    ('missing feature ramp: its median was used', 'unknown feature x: ignored')
    """
    known = frozenset(names)
    missing = [name for name in names if name not in features]
    unknown = [name for name in features if name not in known]
    notes = []
    if missing:
        notes.append(f"missing feature {_some(missing)}: its median was used")
    if unknown:
        notes.append(f"unknown feature {_some(unknown)}: ignored")
    return tuple(notes)


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are: a message may hold thousands."""
    said = ", ".join(
        name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…" for name in names[:_NAMED_AT_MOST]
    )
    return said if len(names) <= _NAMED_AT_MOST else f"{said} and {len(names) - _NAMED_AT_MOST} more"
