"""Published text and numbers → floats; what is no number is told apart from what is absent. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING_WORDS = frozenset({"", "-", "nd", "na", "n/a", "nan", "nat", "none", "null", "<na>"})
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def to_numbers(column: pd.Series) -> tuple[Floats, Mask]:
    """Convert one column of published values.

    Numbers, numeric strings and French decimal commas become floats; NaN, NA, NaT, ND, "-" and "" become NaN.
    Everything else (other text, booleans, lists, infinities) is no number.

    Args:
        column: any dtype, as parsed from JSON, CSV or an RTE file.

    Returns:
        float64 values (NaN where absent or no number), and the mask of what is no number.

    >>> to_numbers(pd.Series(["12,5", "ND", "x"]))[0].tolist()
    [12.5, nan, nan]
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        unbounded = np.isinf(values)
        return (np.where(unbounded, np.nan, values), unbounded) if unbounded.any() else (values, unbounded)
    if not len(column) or column.isna().all():
        return np.full(len(column), np.nan), np.zeros(len(column), dtype=bool)
    return _text_to_numbers(column)


def is_missing(column: pd.Series) -> Mask:
    """Tell which entries of a column are absent, in any of the spellings of absence."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return column.isna().to_numpy(dtype=bool)
    return _is_missing_text(as_text(column))


def as_text(column: pd.Series) -> pd.Series:
    """Return a column as stripped text, NA where absent; nested JSON becomes its Python text."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.str.strip()
    is_null = column.isna().to_numpy(dtype=bool)
    texts = [None if null else str(item).strip() for item, null in zip(column.tolist(), is_null, strict=True)]
    return pd.Series(texts, index=column.index, dtype="str")


def _is_missing_text(text: pd.Series) -> Mask:
    return (text.isna() | text.str.lower().isin(MISSING_WORDS)).to_numpy(dtype=bool)


def _text_to_numbers(column: pd.Series) -> tuple[Floats, Mask]:
    """Convert a column that holds text, or a mixture."""
    text = as_text(column)
    missing = _is_missing_text(text)
    has_comma = text.str.match(_DECIMAL_COMMA).fillna(False).to_numpy(dtype=bool)
    if has_comma.any():
        text = text.mask(has_comma, text.str.replace(",", ".", regex=False))
    looks_numeric = text.str.match(_NUMBER).fillna(False).to_numpy(dtype=bool)
    values = pd.to_numeric(text.where(looks_numeric), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    unbounded = np.isinf(values)
    values = np.where(unbounded, np.nan, values)
    return values, ~missing & (~looks_numeric | unbounded)
