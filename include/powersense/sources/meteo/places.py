"""Where a weather record belongs: its station and instant, or the reason why it has no place. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.meteo.source import MeteoSource
from powersense.sources.values import Mask, as_text, is_missing
from powersense.stations import by_omm, stations


@dataclass(frozen=True)
class Placed:
    """Station and instant of each record; aligned with the records.

    Attributes:
        station: Météo-France's id; absent where unknown.
        observed_at: UTC; NaT where unreadable.
        problem: a QuarantineReason, or "" where the record has its place.
    """

    station: pd.Series
    observed_at: pd.Series
    problem: np.ndarray


def place(records: pd.DataFrame, source: MeteoSource, *, known_until: datetime) -> Placed:
    """Resolve each record's station and instant; the first problem in the order instant, station, future counts."""
    number, instant = as_text(records[source.station_field]), as_text(records[source.instant_field])
    known = by_omm() if source.station_ids == "omm" else {station: station for station in stations()}
    station = number.map(known)
    observed = pd.to_datetime(instant, format=source.instant_format, errors="coerce", utc=True)
    observed = observed.astype("datetime64[s, UTC]")
    absent = is_missing(records[source.station_field]) | is_missing(records[source.instant_field])
    problem = np.select(
        [
            absent,
            observed.isna().to_numpy(),
            station.isna().to_numpy(),
            (observed > pd.Timestamp(known_until)).to_numpy(),
        ],
        [
            QuarantineReason.MISSING_KEY,
            QuarantineReason.BAD_INSTANT,
            QuarantineReason.UNKNOWN_STATION,
            QuarantineReason.FUTURE_VALUE,
        ],
        default="",
    )
    return Placed(station, observed, np.asarray(problem, dtype=object))


def is_wanted(records: pd.DataFrame, placed: Placed, source: MeteoSource, *, start: datetime, end: datetime) -> Mask:
    """Tell which records belong to the question: those of its range, and those that cannot be told apart from them."""
    in_range = ((placed.observed_at >= start) & (placed.observed_at < end)).to_numpy()
    adrift = np.isin(
        placed.problem, [QuarantineReason.MISSING_KEY, QuarantineReason.BAD_INSTANT, QuarantineReason.FUTURE_VALUE]
    )
    number = as_text(records[source.station_field]).fillna("")
    ignored = np.zeros(len(records), dtype=bool)
    for prefix in source.ignored_stations:
        ignored |= number.str.startswith(prefix).to_numpy(dtype=bool)
    return np.asarray((in_range | adrift) & ~ignored)
