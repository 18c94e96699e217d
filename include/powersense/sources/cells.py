"""The values of wide records as one matrix, and what is wrong with single values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.source import Source
from powersense.sources.values import Floats, Mask, to_numbers

REASONS = ("", QuarantineReason.NOT_A_NUMBER, QuarantineReason.OUT_OF_RANGE, QuarantineReason.FUTURE_VALUE)
_NOT_A_NUMBER, _OUT_OF_RANGE, _FUTURE = 1, 2, 3


@dataclass(frozen=True)
class Cells:
    """Values of all metrics and records.

    Attributes:
        metrics: names, sorted; the rows of the matrices.
        values: shape (metrics, records), in the metric's unit; NaN where absent or no number.
        problem: same shape; position in REASONS, 0 where the value is sound.
        words: unknown columns that hold text only, as (name, an example).
    """

    metrics: tuple[str, ...]
    values: Floats
    problem: np.ndarray
    words: tuple[tuple[str, str], ...]

    @property
    def has_problem(self) -> Mask:
        """Records with at least one unsound value."""
        return np.asarray((self.problem > 0).any(axis=0))


def read_cells(records: pd.DataFrame, source: Source) -> Cells:
    """Read every column that is no key: declared metrics, and unknown columns as new metrics.

    An unknown column with text in all its entries is no metric; it is named in `words`.
    """
    columns = sorted(str(name) for name in records.columns if source.is_metric(str(name)))
    values = np.empty((len(columns), len(records)))
    problem = np.zeros(values.shape, dtype=np.int8)
    words: list[tuple[str, str]] = []
    is_metric = np.ones(len(columns), dtype=bool)
    for position, name in enumerate(columns):
        values[position], not_number = to_numbers(records[name])
        problem[position] = np.where(not_number, _NOT_A_NUMBER, 0)
        if not_number.any() and name not in source.expected_metrics and np.isnan(values[position]).all():
            is_metric[position] = False
            words.append((name, str(records[name][not_number].iloc[0])))
    if not is_metric.all():
        values, problem = values[is_metric], problem[is_metric]
    metrics = tuple(name for name, kept in zip(columns, is_metric, strict=True) if kept)
    return Cells(metrics, values, problem, tuple(words))


def judge_values(cells: Cells, *, observed_at: pd.Series, known_until: datetime, source: Source) -> None:
    """Mark, in place, values that are impossible, or of the future without being a forecast.

    Args:
        cells: the matrix; values already marked keep their reason.
        observed_at: instants of the records, UTC.
        known_until: no measured value can be later than this, UTC.
        source: ranges and forecast metrics.
    """
    for position, metric in enumerate(cells.metrics):
        values, problem = cells.values[position], cells.problem[position]
        low, high = source.valid_range(metric)
        with np.errstate(invalid="ignore"):
            problem[(problem == 0) & ((values < low) | (values > high))] = _OUT_OF_RANGE
    unmeasured = is_unmeasured(cells, observed_at=observed_at, known_until=known_until, source=source)
    cells.problem[(cells.problem == 0) & unmeasured & ~np.isnan(cells.values)] = _FUTURE


def is_unmeasured(
    cells: Cells, *, observed_at: pd.Series, known_until: datetime, source: Source
) -> npt.NDArray[np.bool_]:
    """Tell which cells lie in the future and are no forecasts; shape (metrics, records), arguments as judge_values."""
    is_future = (observed_at > pd.Timestamp(known_until)).to_numpy(dtype=bool)
    is_measured = np.array([not source.is_forecast(metric) for metric in cells.metrics], dtype=bool)
    return is_measured[:, None] & is_future[None, :]
