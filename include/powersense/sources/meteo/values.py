"""The values of weather records in our units, with their vintage and what is wrong with them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.meteo.source import MeteoCatalogue, MeteoSource
from powersense.sources.values import Floats, as_text, to_numbers


@dataclass(frozen=True)
class MeteoValues:
    """Values of all metrics and records.

    Attributes:
        metrics: names; the rows of the matrices.
        columns: the published column of each metric.
        values: shape (metrics, records), in the metric's unit; NaN where absent or unsound.
        vintage: same shape; a contracts.Vintage.
        problem: same shape; a QuarantineReason, or "".
    """

    metrics: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats
    vintage: np.ndarray
    problem: np.ndarray


def read_values(records: pd.DataFrame, source: MeteoSource, catalogue: MeteoCatalogue) -> MeteoValues:
    """Read the declared columns that the records have, convert them and judge them by their metric's range."""
    columns = tuple(name for name in source.columns if name in records.columns)
    shape = (len(columns), len(records))
    values = np.full(shape, np.nan)
    problem = np.full(shape, "", dtype=object)
    vintage = np.full(shape, source.vintage.value, dtype=object)
    for row, name in enumerate(columns):
        column = source.columns[name]
        published, no_number = to_numbers(_without_missing_words(records[name], source))
        converted = _replaced(published, column.read_as) * column.scale + column.offset
        values[row] = np.round(converted, catalogue.decimals)
        low, high = catalogue.valid_ranges[column.metric]
        with np.errstate(invalid="ignore"):
            outside = (values[row] < low) | (values[row] > high)
        problem[row, outside] = QuarantineReason.OUT_OF_RANGE
        problem[row, no_number] = QuarantineReason.NOT_A_NUMBER
        vintage[row] = _vintages(records, f"{source.quality_prefix}{name}", source)
    return MeteoValues(
        metrics=tuple(source.columns[name].metric for name in columns),
        columns=columns,
        values=np.where(problem == "", values, np.nan),
        vintage=vintage,
        problem=problem,
    )


def _without_missing_words(column: pd.Series, source: MeteoSource) -> pd.Series:
    return column.mask(as_text(column).isin(source.missing_words)) if source.missing_words else column


def _replaced(values: Floats, read_as: dict[float, float]) -> Floats:
    for code, meaning in read_as.items():
        values = np.where(values == code, meaning, values)
    return values


def _vintages(records: pd.DataFrame, quality_column: str, source: MeteoSource) -> np.ndarray:
    """Return each record's vintage by its quality code; the source's own where the code says nothing else."""
    if source.quality_prefix is None or quality_column not in records.columns:
        return np.full(len(records), source.vintage.value, dtype=object)
    by_code = {code: vintage.value for code, vintage in source.vintage_by_quality.items()}
    found = as_text(records[quality_column]).map(by_code).fillna(source.vintage.value)
    return np.asarray(found.to_numpy(dtype=object))
