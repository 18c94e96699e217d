"""The quarantine frame: what was set aside, why, and the record as it was published. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.cells import REASONS, Cells
from powersense.sources.keys import Keys
from powersense.sources.source import Source

QUARANTINE_COLUMNS = ("source", "area", "observed_at", "reason", "detail", "record", "record_hash", "run_id")


def whole_records(records: pd.DataFrame, keys: Keys, *, origin: str, run_id: str) -> pd.DataFrame:
    """Return a quarantine row for each record without a place."""
    where = np.flatnonzero(~keys.is_placed)
    return _frame(
        keys,
        where,
        reasons=keys.problem[where].tolist(),
        details=[""] * len(where),
        texts=as_json(records.iloc[where]) if len(where) else [],
        origin=origin,
        run_id=run_id,
    )


def single_values(  # noqa: PLR0913 - keyword-only
    records: pd.DataFrame, keys: Keys, cells: Cells, *, source: Source, origin: str, run_id: str
) -> pd.DataFrame:
    """Return a quarantine row for each unsound value of a placed record, with the record's keys and that value."""
    found = [np.flatnonzero((cells.problem[row] > 0) & keys.is_placed) for row in range(len(cells.metrics))]
    where = np.concatenate(found) if found else np.zeros(0, dtype=np.intp)
    key_columns = [name for name in records.columns if not source.is_metric(str(name))]
    reasons: list[str] = []
    details: list[str] = []
    texts: list[str] = []
    for row, (metric, positions) in enumerate(zip(cells.metrics, found, strict=True)):
        if not len(positions):
            continue
        low, high = source.valid_range(metric)
        for code in cells.problem[row][positions]:
            reasons.append(REASONS[code])
            details.append(f"{metric}: range [{low:g}, {high:g}]" if REASONS[code] == "out_of_range" else metric)
        texts += as_json(records.iloc[positions][[*key_columns, metric]])
    return _frame(keys, where, reasons=reasons, details=details, texts=texts, origin=origin, run_id=run_id)


def without_place(
    items: Iterable[tuple[str, str]], *, reason: QuarantineReason, origin: str, run_id: str
) -> pd.DataFrame:
    """Return quarantine rows for what has no keys at all, from (text as published, detail) pairs."""
    pairs = list(items)
    texts = [text for text, _ in pairs]
    return quarantine_rows(
        area=[""] * len(pairs),
        observed_at=pd.Series([pd.NaT] * len(pairs), dtype="datetime64[s, UTC]"),
        reasons=[reason] * len(pairs),
        details=[detail for _, detail in pairs],
        texts=texts,
        origin=origin,
        run_id=run_id,
    )


def _frame(  # noqa: PLR0913 - one argument a column
    keys: Keys,
    where: np.ndarray,
    *,
    reasons: Sequence[str],
    details: Sequence[str],
    texts: Sequence[str],
    origin: str,
    run_id: str,
) -> pd.DataFrame:
    areas = ["" if pd.isna(area) else str(area) for area in keys.area[where]]
    observed_at = keys.observed_at.iloc[where].reset_index(drop=True)
    return quarantine_rows(
        area=areas,
        observed_at=observed_at,
        reasons=reasons,
        details=details,
        texts=texts,
        origin=origin,
        run_id=run_id,
    )


def quarantine_rows(  # noqa: PLR0913 - one argument a column
    *,
    area: Sequence[str],
    observed_at: pd.Series,
    reasons: Sequence[str],
    details: Sequence[str],
    texts: Sequence[str],
    origin: str,
    run_id: str,
) -> pd.DataFrame:
    """Return quarantine rows from their columns.

    The hash covers the content only, so that the same bad record met again is the same row.
    """
    hashes = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
    return pd.DataFrame(
        {
            "source": [origin] * len(texts),
            "area": list(area),
            "observed_at": observed_at,
            "reason": [str(reason) for reason in reasons],
            "detail": list(details),
            "record": list(texts),
            "record_hash": hashes,
            "run_id": [run_id] * len(texts),
        },
        columns=list(QUARANTINE_COLUMNS),
    )


def as_json(records: pd.DataFrame) -> list[str]:
    """Return each record as JSON text with sorted keys; absent values are null, instants ISO text."""
    if records.empty:
        return []
    plain = records.astype(object).where(records.notna(), None)
    return [
        json.dumps(record, sort_keys=True, ensure_ascii=False, default=str)
        for record in plain.to_dict(orient="records")
    ]
