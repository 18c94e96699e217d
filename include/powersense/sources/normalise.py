"""Wide records of any source → long measurement rows and quarantine. Pure; nothing disappears.

Every cell (record x metric) of the input ends in exactly one place: a measurement row, the quarantine (alone, or with
its whole record), a collapsed copy of an identical record, or, if absent and `drop_absent`, nowhere; `Counts` tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from powersense.contracts import LANDING_COLUMNS, QuarantineReason
from powersense.errors import MalformedResponseError
from powersense.sources import set_aside
from powersense.sources.cells import Cells, is_unmeasured, judge_values, read_cells
from powersense.sources.duplicates import resolve_duplicates
from powersense.sources.keys import Keys, resolve_keys
from powersense.sources.source import Source
from powersense.sources.values import Mask

# Between the portal's clock and ours.
FUTURE_TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Counts:
    """Where the input went, in records and in cells (record x metric)."""

    records: int
    cells: int
    cells_landed: int
    cells_absent: int
    cells_collapsed: int
    cells_quarantined: int


@dataclass(frozen=True)
class Normalised:
    """The outcome of one answer.

    Attributes:
        measurements: long rows, columns of contracts.LANDING_COLUMNS; `value` NaN where absent.
        quarantined: columns of set_aside.QUARANTINE_COLUMNS.
        counts: the balance.
        missing_metrics: expected metrics that the answer has no column for.
        unsound: metric, area, observed_at of the single values that were set aside.
    """

    measurements: pd.DataFrame
    quarantined: pd.DataFrame
    counts: Counts
    missing_metrics: tuple[str, ...]
    unsound: pd.DataFrame


def normalise(  # noqa: PLR0913 - keyword-only facts of one answer
    records: pd.DataFrame,
    source: Source,
    *,
    retrieved_at: datetime,
    run_id: str,
    origin: str | None = None,
    drop_absent: bool = False,
) -> Normalised:
    """Turn wide records into long measurement rows and quarantine rows.

    Args:
        records: one row for each published record, canonical column names, values as published.
        source: the declaration that names keys, zone, ranges and forecasts.
        retrieved_at: when upstream answered, UTC; later values that are no forecasts are set aside.
        run_id: the run that asks.
        origin: `source` of the rows; the dataset where None.
        drop_absent: leave absent values out. Only for a first load: later, an absent value may withdraw a stored one.

    Raises:
        MalformedResponseError: a key column is absent from all records: the upstream's schema changed.
    """
    origin = origin or source.dataset
    records = _with_key_columns(records, source, origin)
    keys = resolve_keys(records, source)
    cells = read_cells(records, source)
    keys, collapsed = _settle_duplicates(keys, cells)
    known_until = retrieved_at + FUTURE_TOLERANCE
    judge_values(cells, observed_at=keys.observed_at, known_until=known_until, source=source)
    usable = keys.is_placed & ~collapsed
    cells.problem[:, ~usable] = 0
    landed = usable & (cells.problem == 0)
    absent = landed & np.isnan(cells.values)
    if not drop_absent:
        # No measured value of the future is ever stored, so its absence withdraws nothing; a forecast may be withdrawn.
        absent &= is_unmeasured(cells, observed_at=keys.observed_at, known_until=known_until, source=source)
    stamps = {"publisher": source.publisher, "source": origin, "run_id": run_id}
    return Normalised(
        measurements=_long_rows(keys, cells, landed & ~absent, retrieved_at=retrieved_at, stamps=stamps),
        quarantined=_quarantined(records, keys, cells, source=source, origin=origin, run_id=run_id),
        counts=_count(keys, cells, landed=landed, absent=absent, collapsed=collapsed),
        missing_metrics=tuple(name for name in source.expected_metrics if len(records) and name not in cells.metrics),
        unsound=_unsound(keys, cells),
    )


def _quarantined(  # noqa: PLR0913 - keyword-only
    records: pd.DataFrame, keys: Keys, cells: Cells, *, source: Source, origin: str, run_id: str
) -> pd.DataFrame:
    """Return all that was set aside: whole records, single values, and columns that hold words."""
    parts = [
        set_aside.whole_records(records, keys, origin=origin, run_id=run_id),
        set_aside.single_values(records, keys, cells, source=source, origin=origin, run_id=run_id),
        set_aside.without_place(cells.words, reason=QuarantineReason.UNKNOWN_COLUMN, origin=origin, run_id=run_id),
    ]
    return pd.concat(parts, ignore_index=True)


def _with_key_columns(records: pd.DataFrame, source: Source, origin: str) -> pd.DataFrame:
    """Return records with a plain index and all key columns.

    Raises:
        MalformedResponseError: records lack a key column altogether.
    """
    missing = [name for name in source.key_fields if name not in records.columns]
    if missing and len(records):
        raise MalformedResponseError(
            f"{origin}: key column {missing} is absent; columns are {list(records.columns)}. "
            f"Correct source {source.id!r} in the catalogue, or wait for the publisher."
        )
    return records.reset_index(drop=True).reindex(columns=[*records.columns, *missing])


def _settle_duplicates(keys: Keys, cells: Cells) -> tuple[Keys, Mask]:
    """Keep one record for each key; return keys with the contradicting ones marked, and the collapsed ones."""
    placed = np.flatnonzero(keys.is_placed)
    frame = pd.DataFrame(
        {
            "observed_at": keys.observed_at.iloc[placed].to_numpy(),
            "area": keys.area[placed],
            "vintage": keys.vintage[placed],
        }
    )
    dropped, against = resolve_duplicates(
        frame, cells.values[:, placed], cells.has_problem[placed], keys.is_local_match[placed]
    )
    collapsed = np.zeros(len(keys.problem), dtype=bool)
    collapsed[placed] = dropped
    contradicting = np.zeros(len(keys.problem), dtype=bool)
    contradicting[placed] = against
    reason = np.where(keys.is_local_match, QuarantineReason.CONTRADICTING_DUPLICATE, QuarantineReason.GHOST_HOUR)
    problem = np.where(contradicting, reason, keys.problem)
    return replace(keys, problem=problem), collapsed


def _long_rows(
    keys: Keys, cells: Cells, landed: Mask, *, retrieved_at: datetime, stamps: dict[str, str]
) -> pd.DataFrame:
    """Return landed cells as rows, metric by metric; words are categorical, so that a year stays small."""
    metric, record = np.nonzero(landed)
    frame = pd.DataFrame(
        {
            "metric": pd.Categorical.from_codes(metric, categories=pd.Index(cells.metrics)),
            "area": keys.area[record],
            "observed_at": keys.observed_at.to_numpy(dtype="datetime64[s]")[record],
            "vintage": keys.vintage[record],
            "value": cells.values[metric, record],
        }
    )
    frame["observed_at"] = frame["observed_at"].dt.tz_localize("UTC")
    frame["retrieved_at"] = pd.Timestamp(retrieved_at).tz_convert("UTC").as_unit("ms")
    for name, word in stamps.items():
        frame[name] = pd.Categorical.from_codes(np.zeros(len(frame), dtype=np.int8), categories=pd.Index([word]))
    return frame[list(LANDING_COLUMNS)]


def _unsound(keys: Keys, cells: Cells) -> pd.DataFrame:
    """Return the keys of the single values that were set aside."""
    metric, record = np.nonzero(cells.problem)
    return pd.DataFrame(
        {
            "metric": [cells.metrics[row] for row in metric],
            "area": keys.area[record].astype(str),
            "observed_at": keys.observed_at.iloc[record].reset_index(drop=True),
        }
    )


def _count(keys: Keys, cells: Cells, *, landed: Mask, absent: Mask, collapsed: Mask) -> Counts:
    """Return the balance of one answer."""
    whole = int((~keys.is_placed).sum()) * len(cells.metrics)
    return Counts(
        records=len(keys.problem),
        cells=cells.values.size,
        cells_landed=int(landed.sum()) - int(absent.sum()),
        cells_absent=int(absent.sum()),
        cells_collapsed=int(collapsed.sum()) * len(cells.metrics),
        cells_quarantined=whole + int((cells.problem > 0).sum()),
    )
