"""The load of areas as the stream's features; training reads them here, and so does what publishes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense.warehouse.reads import anomalous_half_hours, half_hourly_load

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

SENSOR = "load"
UNIT = "MW"
# The baseline of four weeks, and the week before its first day.
_HISTORY = timedelta(days=35)


@dataclass(frozen=True)
class AreaFeatures:
    """An area's features.

    Attributes:
        area: the perimeter.
        features: `load_features.FEATURE_NAMES` by half-hour (its start, UTC), without gaps; NaN where one cannot be
            told.
        load: on the same index: value (MW), vintage, versions; missing where no load is known.
    """

    area: str
    features: pd.DataFrame
    load: pd.DataFrame


def read_features(
    client: Client, areas: Sequence[str], *, start: datetime, end: datetime, is_for_training: bool = False
) -> Iterator[AreaFeatures]:
    """Yield the features of each area that has any load, over [start, end), from load of any vintage.

    Args:
        client: any role's client.
        areas: the perimeters.
        start: first half-hour, UTC.
        end: end of the range, exclusive, UTC, on a half-hour.
        is_for_training: leaves out what is not usual, loads that no load can be and those of standing anomalies, so
            that neither they nor what is compared with them is learnt.
    """
    from powersense.detection.stream.load_features import load_features
    from powersense.forecasting.inputs import half_hours, without_impossible

    since = start - _HISTORY
    known = half_hourly_load(client, areas=areas, start=since, end=end)
    anomalous = anomalous_half_hours(client, areas=areas, start=since, end=end) if is_for_training else {}
    grid = half_hours(since, end)
    for area, rows in known.groupby("area", sort=False):
        load = rows.set_index("half_hour")[["value", "vintage", "versions"]].reindex(grid)
        usual = load["value"].astype("float64")
        if is_for_training:
            usual = without_impossible(usual).mask(grid.isin(anomalous[str(area)]))
        features = load_features(usual)
        yield AreaFeatures(str(area), features.loc[features.index >= start], load.loc[load.index >= start])
