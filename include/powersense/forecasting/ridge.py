"""Ridge regressions in closed form: small enough to be refitted every week for every half-hour of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLAT = 1e-9


@dataclass(frozen=True)
class Scale:
    """Centre and spread of columns; a flat column keeps the spread 1 and so has no weight after centring."""

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, columns: NDArray[np.float64], weights: NDArray[np.float64]) -> Scale:
        """Return the weighted centre and the spread of columns of shape (rows, names)."""
        spread = columns.std(axis=0)
        return cls(np.average(columns, axis=0, weights=weights), np.where(spread < _FLAT, 1.0, spread))

    def __call__(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Centre and scale columns."""
        return (columns - self.centre) / self.spread


def solve(gram: NDArray[np.float64], moment: NDArray[np.float64], *, penalty: float) -> NDArray[np.float64]:
    """Return the coefficients of a ridge whose first column, the intercept, is not shrunk.

    Args:
        gram: X'WX, shape (columns, columns).
        moment: X'Wy, shape (columns,).
        penalty: added to the diagonal of all but the intercept.
    """
    shrunk = gram.copy()
    others = np.arange(1, len(gram))
    shrunk[others, others] += penalty
    # A hair on the intercept too: it keeps the system solvable where a group has no rows.
    shrunk[0, 0] += _FLAT
    solved: NDArray[np.float64] = np.linalg.solve(shrunk, moment).astype(np.float64)
    return solved


def quasi_differenced(
    columns: NDArray[np.float64], values: NDArray[np.float64], days: NDArray[np.int64], *, persistence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Subtract from each day's row its share of the day before: errors that persist are no evidence twice.

    Generalised least squares under errors that persist from one day to the next. Source: Cochrane and Orcutt,
    "Application of Least Squares Regression to Relationships Containing Auto-Correlated Error Terms", JASA 1949.

    Args:
        columns: shape (rows, names), in order of time, one row per day, the intercept among them.
        values: shape (rows,).
        days: number of each row's day.
        persistence: share of an error that stands a day later, 0 to 1.

    Returns:
        Columns and values, differenced where the day before is there; and where that is.
    """
    follows = np.concatenate([[False], np.diff(days) == 1])
    here = np.flatnonzero(follows)
    columns_out, values_out = columns.copy(), values.copy()
    columns_out[here] -= persistence * columns[here - 1]
    values_out[here] -= persistence * values[here - 1]
    return columns_out, values_out, follows
