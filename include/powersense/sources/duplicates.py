"""Several records for one instant: identical ones collapse, contradicting ones leave one. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from powersense.sources.values import Floats, Mask


def resolve_duplicates(
    keys: pd.DataFrame, values: Floats, has_bad_value: Mask, is_local_match: Mask
) -> tuple[Mask, Mask]:
    """Choose one record for each key, whatever the order in which records came.

    The kept record is, in this order: one whose wall-clock time matches its instant, the one with most values, the one
    with the highest values. Another that says nothing different collapses into it; one that contradicts is set aside.

    Args:
        keys: key columns, a row for each record.
        values: shape (metrics, records), NaN where absent.
        has_bad_value: records with a value that is no number.
        is_local_match: from Instants.

    Returns:
        Masks (collapsed, contradicting) over records.
    """
    count = len(keys)
    collapsed, contradicting = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    repeated = np.flatnonzero(keys.duplicated(keep=False).to_numpy())
    if not len(repeated):
        return collapsed, contradicting
    group = keys.iloc[repeated].groupby(list(keys.columns), sort=False, observed=True).ngroup().to_numpy()
    some = values[:, repeated]
    sortable = np.where(np.isnan(some), -np.inf, some)
    order = np.lexsort(
        (*(-row for row in sortable[::-1]), np.isnan(some).sum(axis=0), ~is_local_match[repeated], group)
    )
    ordered_group = group[order]
    is_first = np.append(True, ordered_group[1:] != ordered_group[:-1])
    kept = order[is_first][np.cumsum(is_first) - 1]
    ours, theirs = some[:, order], some[:, kept]
    agrees = ((ours == theirs) | np.isnan(ours)).all(axis=0) & ~has_bad_value[repeated][order]
    collapsed[repeated[order]] = ~is_first & agrees
    contradicting[repeated[order]] = ~is_first & ~agrees
    return collapsed, contradicting
