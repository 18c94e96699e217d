"""The columns that a dataset is held in: numpy arrays, one per field, rows sorted by wall-clock time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FieldType: TypeAlias = Literal["text", "int", "double", "date", "datetime"]
Column: TypeAlias = "NDArray[np.float64] | NDArray[np.object_]"
Seconds: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = "NDArray[np.bool_] | NDArray[np.int64] | slice"


@dataclass(frozen=True)
class Field:
    """A field as the portal declares it.

    Attributes:
        name: technical name.
        label: French label, the header of an export with `use_labels=true`.
        type: portal type; numbers are float64 columns with NaN for null, all else object columns with None.
    """

    name: str
    label: str
    type: FieldType

    @property
    def is_number(self) -> bool:
        """True where the column is float64."""
        return self.type in ("int", "double")


@dataclass(frozen=True)
class Table:
    """The rows of one dataset.

    Attributes:
        fields: in the portal's order; `date`, `heure` and `date_heure` have no column, they follow from time.
        columns: one array per other field.
        wall_s: Paris wall-clock time of each row, seconds since 1970 as if the wall clock were UTC.
        instant_s: UTC instant of each row, epoch seconds.
        rank: fixed pseudo-random rank of each row, the order in which the portal returns unsorted rows.
    """

    fields: tuple[Field, ...]
    columns: Mapping[str, Column]
    wall_s: Seconds
    instant_s: Seconds
    rank: Seconds

    def __len__(self) -> int:
        return len(self.wall_s)

    def take(self, rows: Rows) -> Table:
        """Return the chosen rows: a mask, positions, or a slice (which copies nothing)."""
        return replace(
            self,
            columns={name: column[rows] for name, column in self.columns.items()},
            wall_s=self.wall_s[rows],
            instant_s=self.instant_s[rows],
            rank=self.rank[rows],
        )

    def field(self, name: str) -> Field | None:
        """Return the field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)


def empty_column(field: Field, length: int) -> Column:
    """Return a column of nulls.

    >>> empty_column(Field("gaz", "Gaz (MW)", "int"), 2)
    array([nan, nan])
    """
    return np.full(length, np.nan) if field.is_number else np.full(length, None, dtype=object)


def scattered(length: int) -> Seconds:
    """Return a fixed pseudo-random rank per position (Knuth's multiplicative hash)."""
    return np.asarray((np.arange(length, dtype=np.uint64) * 2654435761) % 2**32, dtype=np.int64)
