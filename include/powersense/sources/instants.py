"""When a record was observed: published times → UTC, with both daylight-saving days. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.source import Source
from powersense.sources.values import Mask, as_text, is_missing

_HAS_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"
_EARLIEST = pd.Timestamp("1990-01-01", tz="UTC")
_LATEST = pd.Timestamp("2100-01-01", tz="UTC")


@dataclass(frozen=True)
class Instants:
    """The instants of a frame's records, aligned with its rows.

    Attributes:
        observed_at: start of the step, UTC; NaT where a problem stands.
        problem: a QuarantineReason, or "" where there is none.
        is_local_match: the published wall-clock time is the instant's local time; True where none is published.
    """

    observed_at: pd.Series
    problem: np.ndarray
    is_local_match: Mask


def resolve_instants(records: pd.DataFrame, source: Source) -> Instants:
    """Return the UTC instant of each record.

    With an instant field, its offset decides; a record whose wall-clock time does not exist on that local day is
    spring's ghost hour. Without one, wall-clock times are localised: the ghost hour has no instant, and autumn's
    single 02:00-02:45 block is the second one (+01:00), as the portal stamps it.

    Args:
        records: canonical column names; the columns that `source` names for instants.
        source: the declaration.
    """
    return _from_offsets(records, source) if source.instant_field else _from_wall_clock(records, source)


def _from_offsets(records: pd.DataFrame, source: Source) -> Instants:
    column = records[str(source.instant_field)]
    missing = is_missing(column)
    observed = _parse_offsets(column)
    bad = ~missing & ~_is_storable(observed)
    problem = np.where(missing, QuarantineReason.MISSING_KEY, np.where(bad, QuarantineReason.BAD_INSTANT, ""))
    observed = observed.mask(problem != "")
    match = np.ones(len(records), dtype=bool)
    if source.local_time_field in records.columns:
        minutes = _minutes_of_day(records[str(source.local_time_field)])
        local = observed.dt.tz_convert(source.time_zone)
        published = (local.dt.hour * 60 + local.dt.minute).to_numpy(dtype=np.float64, na_value=np.nan)
        match = np.isnan(minutes) | np.isnan(published) | (minutes == published)
        problem = _mark_ghosts(records, source, problem, ~match)
    return Instants(observed.mask(problem != ""), problem, match)


def _mark_ghosts(records: pd.DataFrame, source: Source, problem: np.ndarray, suspect: Mask) -> np.ndarray:
    """Mark the suspects whose wall-clock time is skipped on their local date."""
    if not suspect.any() or source.local_date_field not in records.columns:
        return problem
    ghosts = np.zeros(len(records), dtype=bool)
    ghosts[suspect] = _from_wall_clock(records[suspect], source).problem == QuarantineReason.GHOST_HOUR
    return np.where(ghosts & (problem == ""), QuarantineReason.GHOST_HOUR, problem)


def _from_wall_clock(records: pd.DataFrame, source: Source) -> Instants:
    days = records[str(source.local_date_field)]
    times = records[str(source.local_time_field)]
    missing = is_missing(days) | is_missing(times)
    wall = _parse_days(days) + pd.to_timedelta(pd.Series(_minutes_of_day(times), index=records.index), unit="min")
    readable = wall.notna().to_numpy(dtype=bool)
    local = wall.dt.tz_localize(source.time_zone, ambiguous=np.zeros(len(wall), dtype=bool), nonexistent="NaT")
    observed = local.dt.tz_convert("UTC")
    problem = np.select(
        [missing, ~readable, readable & observed.isna().to_numpy(), ~_is_storable(observed)],
        [
            QuarantineReason.MISSING_KEY,
            QuarantineReason.BAD_INSTANT,
            QuarantineReason.GHOST_HOUR,
            QuarantineReason.BAD_INSTANT,
        ],
        default="",
    )
    return Instants(observed.mask(problem != ""), problem, np.ones(len(records), dtype=bool))


def _parse_offsets(column: pd.Series) -> pd.Series:
    """Parse ISO instants; text without an offset, and what is no text, gives NaT."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _in_utc_seconds(column.dt.tz_convert("UTC"))
    text = as_text(column)
    with_offset = text.str.contains(_HAS_OFFSET, regex=True).fillna(False)
    return _in_utc_seconds(pd.to_datetime(text.where(with_offset), utc=True, format="ISO8601", errors="coerce"))


def _in_utc_seconds(instants: pd.Series) -> pd.Series:
    seconds: pd.Series = instants.astype("datetime64[s, UTC]")
    return seconds


def _parse_days(column: pd.Series) -> pd.Series:
    """Parse local dates, ISO or French day-first, each distinct date once."""
    codes, distinct = pd.factorize(as_text(column))
    text = pd.Series(distinct, dtype="str")
    days = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    days = days.fillna(pd.to_datetime(text, format="%d/%m/%Y", errors="coerce"))
    nat_last = np.append(days.to_numpy(dtype="datetime64[s]"), np.datetime64("NaT", "s"))
    return pd.Series(nat_last[codes], index=column.index)


def _minutes_of_day(column: pd.Series) -> np.ndarray:
    """Return minutes since local midnight of HH:MM or HH:MM:SS texts; NaN where unreadable."""
    codes, distinct = pd.factorize(as_text(column))
    parts = pd.Series(distinct, dtype="str").str.extract(r"^([01]?\d|2[0-3]):([0-5]\d)(?::00)?$").astype("float64")
    minutes = parts[0].to_numpy() * 60 + parts[1].to_numpy()
    return np.asarray(np.append(minutes, np.nan)[codes], dtype=np.float64)


def _is_storable(observed: pd.Series) -> Mask:
    """Tell which instants exist and fit the warehouse's DateTime."""
    return observed.between(_EARLIEST, _LATEST, inclusive="left").to_numpy(dtype=bool)
