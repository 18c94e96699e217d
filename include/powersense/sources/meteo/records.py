"""Published weather records of any source → long rows and quarantine. Pure; what was asked for never disappears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason, Vintage
from powersense.errors import MalformedResponseError
from powersense.sources.duplicates import resolve_duplicates
from powersense.sources.meteo.places import Placed, is_wanted, place
from powersense.sources.meteo.set_aside import broken_lines, single_values, whole_records
from powersense.sources.meteo.source import MeteoSource, load_meteo_catalogue
from powersense.sources.meteo.values import MeteoValues, read_values
from powersense.sources.set_aside import QUARANTINE_COLUMNS
from powersense.sources.values import Mask

# Between upstream's clock and ours.
FUTURE_TOLERANCE = timedelta(minutes=2)
ROW_COLUMNS = (
    "metric",
    "station",
    "observed_at",
    "vintage",
    "publisher",
    "value",
    "source",
    "retrieved_at",
    "run_id",
)


@dataclass(frozen=True)
class Answer:
    """What one question to a weather source gave.

    Attributes:
        records: a row for each record, columns and values as published.
        retrieved_at: when the answer began, UTC.
        origin: file or dataset it came from; the `source` of its rows.
        broken_lines: lines with a wrong number of fields, and items that are no records, as published.
    """

    records: pd.DataFrame
    retrieved_at: datetime
    origin: str
    broken_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeatherRows:
    """The outcome of one answer.

    Attributes:
        observations: long rows, columns ROW_COLUMNS; `value` NaN where a station that measures a metric has none.
        quarantined: columns of set_aside.QUARANTINE_COLUMNS.
        records_seen: records of the range asked for, and what was set aside.
        unsound: metric, station, observed_at of the single values that were set aside.
    """

    observations: pd.DataFrame
    quarantined: pd.DataFrame
    records_seen: int
    unsound: pd.DataFrame


def normalise_weather(
    answer: Answer, source: MeteoSource, *, start: datetime, end: datetime, run_id: str
) -> WeatherRows:
    """Turn published records into observations of [start, end) and quarantine rows.

    Records of other times, and of overseas stations, were not asked for and are left out. A metric that a station has
    for no hour of the answer is not measured there; where it has some hours, the others are absent values.

    Args:
        answer: records as published; the source's columns, others are ignored.
        source: its declaration.
        start: first instant asked for, UTC.
        end: end of the range, exclusive, UTC.
        run_id: the run that asks.

    Raises:
        MalformedResponseError: a needed column is absent; names the file and the column.
    """
    catalogue = load_meteo_catalogue()
    records = _known_columns(answer, source)
    placed = place(records, source, known_until=answer.retrieved_at + FUTURE_TOLERANCE)
    wanted = is_wanted(records, placed, source, start=start, end=end)
    records = records[wanted].reset_index(drop=True)
    placed = Placed(
        placed.station[wanted].reset_index(drop=True),
        placed.observed_at[wanted].reset_index(drop=True),
        placed.problem[wanted],
    )
    values = read_values(records, source, catalogue)
    collapsed = _settle_duplicates(placed, values)
    usable = (placed.problem == "") & ~collapsed
    parts = [
        whole_records(records, placed, source, answer.origin, run_id),
        single_values(records, placed, values, source, catalogue, usable, answer.origin, run_id),
        broken_lines(answer.broken_lines, answer.origin, run_id),
    ]
    kept = [part for part in parts if len(part)]
    return WeatherRows(
        observations=_long_rows(placed, values, usable, answer, publisher=catalogue.publisher, run_id=run_id),
        quarantined=pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(QUARANTINE_COLUMNS)),
        records_seen=len(records) + len(answer.broken_lines),
        unsound=_unsound(placed, values, usable),
    )


def empty_rows() -> pd.DataFrame:
    """Return observations without a row, with the types of those with one."""
    instants = {"observed_at": "datetime64[s, UTC]", "retrieved_at": "datetime64[ms, UTC]", "value": "float64"}
    return pd.DataFrame({name: pd.Series([], dtype=instants.get(name, "str")) for name in ROW_COLUMNS})


def _known_columns(answer: Answer, source: MeteoSource) -> pd.DataFrame:
    """Return the records with the source's columns only.

    Raises:
        MalformedResponseError: see `normalise_weather`.
    """
    missing = [name for name in source.needed_columns if name not in answer.records.columns]
    if missing and len(answer.records):
        raise MalformedResponseError(
            f"{answer.origin}: column {missing} is absent; columns are {list(answer.records.columns)[:12]} …. "
            f"Correct source {source.id!r} in weather.yaml, or wait for the publisher."
        )
    known = [name for name in source.known_columns if name in answer.records.columns]
    return answer.records[known].reset_index(drop=True).reindex(columns=[*known, *missing])


def _settle_duplicates(placed: Placed, values: MeteoValues) -> Mask:
    """Mark contradicting records of one station and instant, in place; return the collapsed ones."""
    where = np.flatnonzero(placed.problem == "")
    keys = pd.DataFrame({"station": placed.station.iloc[where], "observed_at": placed.observed_at.iloc[where]})
    dropped, against = resolve_duplicates(
        keys.reset_index(drop=True),
        values.values[:, where],
        (values.problem[:, where] != "").any(axis=0),
        np.ones(len(where), dtype=bool),
    )
    collapsed = np.zeros(len(placed.problem), dtype=bool)
    collapsed[where] = dropped
    placed.problem[where[against]] = QuarantineReason.CONTRADICTING_DUPLICATE
    return collapsed


def _unsound(placed: Placed, values: MeteoValues, usable: Mask) -> pd.DataFrame:
    """Return the keys of the single values that were set aside."""
    metric, record = np.nonzero((values.problem != "") & usable[None, :])
    return pd.DataFrame(
        {
            "metric": [values.metrics[row] for row in metric],
            "station": placed.station.iloc[record].to_numpy(dtype=object),
            "observed_at": placed.observed_at.iloc[record].reset_index(drop=True),
        }
    )


def _long_rows(  # noqa: PLR0913 - keyword-only stamps
    placed: Placed, values: MeteoValues, usable: Mask, answer: Answer, *, publisher: str, run_id: str
) -> pd.DataFrame:
    """Return usable values as rows, metric by metric, without the series that a station does not measure.

    Words are categorical, so that a year stays small.
    """
    landed = usable[None, :] & (values.problem == "")
    for row in range(len(values.metrics)):
        measured = placed.station[landed[row] & ~np.isnan(values.values[row])].unique()
        landed[row] &= placed.station.isin(measured).to_numpy()
    metric, record = np.nonzero(landed)
    codes, known = pd.factorize(placed.station)
    stamps = {"publisher": publisher, "source": answer.origin, "run_id": run_id}
    once = np.zeros(len(record), dtype=np.int8)
    rows = {
        "metric": pd.Categorical.from_codes(metric, categories=pd.Index(values.metrics)),
        "station": pd.Categorical.from_codes(codes[record], categories=pd.Index(known)),
        "observed_at": placed.observed_at.iloc[record].reset_index(drop=True),
        "vintage": pd.Categorical(values.vintage[metric, record], categories=[vintage.value for vintage in Vintage]),
        "value": values.values[metric, record],
        "retrieved_at": pd.Timestamp(answer.retrieved_at).tz_convert("UTC").as_unit("ms"),
    }
    rows |= {name: pd.Categorical.from_codes(once, categories=pd.Index([word])) for name, word in stamps.items()}
    return pd.DataFrame(rows, columns=list(ROW_COLUMNS))
