"""What is set aside of weather records, and why: the frame that goes to quarantine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from powersense.contracts import QuarantineReason
from powersense.sources.meteo.places import Placed
from powersense.sources.meteo.source import MeteoCatalogue, MeteoSource
from powersense.sources.meteo.values import MeteoValues
from powersense.sources.set_aside import as_json, quarantine_rows, without_place
from powersense.sources.values import Mask
from powersense.stations import stations


def whole_records(records: pd.DataFrame, placed: Placed, source: MeteoSource, origin: str, run_id: str) -> pd.DataFrame:
    """Return a quarantine row for each record without a place; of an unknown station, one for all its hours."""
    where = np.flatnonzero(placed.problem != "")
    some = records.iloc[where].astype(object)
    unknown = placed.problem[where] == QuarantineReason.UNKNOWN_STATION
    some.loc[unknown, [name for name in some.columns if name != source.station_field]] = None
    observed = placed.observed_at.iloc[where].reset_index(drop=True).mask(pd.Series(unknown))
    return quarantine_rows(
        area=_areas(placed.station.iloc[where]),
        observed_at=observed,
        reasons=placed.problem[where].tolist(),
        details=[f"{source.station_field} {number}" for number in some[source.station_field]],
        texts=as_json(some),
        origin=origin,
        run_id=run_id,
    )


def single_values(  # noqa: PLR0913, PLR0917 - one call site
    records: pd.DataFrame,
    placed: Placed,
    values: MeteoValues,
    source: MeteoSource,
    catalogue: MeteoCatalogue,
    usable: Mask,
    origin: str,
    run_id: str,
) -> pd.DataFrame:
    """Return a quarantine row for each unsound value of a placed record, with the record's keys and that value."""
    metric, record = np.nonzero((values.problem != "") & usable[None, :])
    keys = [source.station_field, source.instant_field]
    texts: list[str] = []
    details: list[str] = []
    for row, position in zip(metric, record, strict=True):
        name = values.metrics[row]
        low, high = catalogue.valid_ranges[name]
        details.append(f"{name}: range [{low:g}, {high:g}]")
        texts += as_json(records.iloc[[int(position)]][[*keys, values.columns[row]]])
    return quarantine_rows(
        area=_areas(placed.station.iloc[record]),
        observed_at=placed.observed_at.iloc[record].reset_index(drop=True),
        reasons=values.problem[metric, record].tolist(),
        details=details,
        texts=texts,
        origin=origin,
        run_id=run_id,
    )


def broken_lines(lines: Sequence[str], origin: str, run_id: str) -> pd.DataFrame:
    """Return a quarantine row for each line that is no record."""
    return without_place(
        ((line, "no record of this source") for line in lines),
        reason=QuarantineReason.MALFORMED_RECORD,
        origin=origin,
        run_id=run_id,
    )


def _areas(numbers: pd.Series) -> list[str]:
    known = stations()
    return [known[number].area if number in known else "" for number in numbers]
