"""Reads of `measurements` that several steps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from powersense.contracts import LOAD_METRIC, Vintage
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

# Later than any inserted_at: "as known now, whatever comes in meanwhile".
EVER = datetime(2200, 1, 1, tzinfo=UTC)


def is_empty(client: Client) -> bool:
    """Tell whether no measurement is stored at all."""
    return not client.query("SELECT 1 FROM measurements LIMIT 1").result_rows


def newest_observed_at(
    client: Client,
    *,
    metric: str,
    area: str | Sequence[str] | None = None,
    vintage: Vintage | str | None = None,
    publisher: str = "rte",
) -> datetime | None:
    """Return the newest instant with a value, UTC; None where there is none.

    Args:
        client: any role's client.
        metric: the series' metric.
        area: one area, several, or None for any.
        vintage: one vintage, or None for any.
        publisher: who published it.
    """
    parameters = {
        "metric": metric,
        "areas": [area] if isinstance(area, str) else list(area or []),
        "vintages": [str(vintage)] if vintage else [],
        "publisher": publisher,
    }
    (newest,) = client.query(statement("newest_observed_at"), parameters=parameters).first_row
    return newest if isinstance(newest, datetime) else None


def newest_by_series(
    client: Client, *, metrics: Sequence[str], since: datetime
) -> dict[tuple[str, str, str], datetime]:
    """Return the newest instant with a value by (metric, area, publisher), of series that have one after `since`.

    Args:
        client: any role's client.
        metrics: the metrics asked for.
        since: earliest instant that counts, UTC; keeps the read to the newest granules.
    """
    parameters = {"metrics": list(metrics), "since": since}
    rows = client.query(statement("newest_by_series"), parameters=parameters).result_rows
    return {(metric, area, publisher): newest for metric, area, publisher, newest in rows}


def as_known(  # noqa: PLR0913 - the bounds of one read
    client: Client,
    *,
    metric: str,
    areas: list[str],
    start: datetime,
    end: datetime,
    as_of: datetime = EVER,
    up_to_vintage: Vintage | str = Vintage.DEFINITIVE,
) -> pd.DataFrame:
    """Return the values of [start, end) as they were known at `as_of`.

    Args:
        client: any role's client.
        metric: one metric.
        areas: the areas wanted.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        as_of: only what had been inserted by then counts, UTC.
        up_to_vintage: the highest vintage that counts.

    Returns:
        One row per (area, observed_at), sorted, columns area, observed_at (UTC), value (the metric's unit), vintage,
        version.
    """
    bounds = {"areas": list(areas), "start": start, "end": end, "as_of": as_of, "up_to_vintage": str(up_to_vintage)}
    return read_frame(client, "as_known", {"metric": metric} | bounds, instants=("observed_at",))


def half_hourly_load(  # noqa: PLR0913 - the bounds of one read
    client: Client,
    *,
    areas: Sequence[str],
    start: datetime,
    end: datetime,
    as_of: datetime = EVER,
    up_to_vintage: Vintage | str = Vintage.DEFINITIVE,
) -> pd.DataFrame:
    """Return the mean load of each half-hour of [start, end), of the highest vintage that it has a value of.

    Args:
        client: any role's client.
        areas: the perimeters.
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        as_of: only what had been inserted by then counts, UTC.
        up_to_vintage: the highest vintage that counts.

    Returns:
        One row per (area, half_hour), sorted, columns area, half_hour (its start, UTC), vintage, value (MW), versions
        (sum over the values of the half-hour: it rises when one comes or is revised).
    """
    bounds = {"areas": list(areas), "start": start, "end": end, "as_of": as_of, "up_to_vintage": str(up_to_vintage)}
    return read_frame(client, "half_hourly_load", {"metric": LOAD_METRIC} | bounds, instants=("half_hour",))


def read_frame(client: Client, name: str, parameters: Mapping[str, Any], *, instants: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a statement, its columns `instants` in UTC."""
    # By Arrow: the driver's own frames lose their columns when no row is found. Arrow gets an instant as its seconds.
    frame: pd.DataFrame = client.query_arrow(statement(name), parameters=dict(parameters)).to_pandas()
    for column in instants:
        frame[column] = frame[column].astype("datetime64[s]").dt.tz_localize("UTC")
    return frame


def anomalous_half_hours(
    client: Client, *, areas: Sequence[str], start: datetime, end: datetime
) -> dict[str, list[datetime]]:
    """Return by area the half-hours of [start, end), by their start (UTC), that are not usual.

    In these any detector's anomaly stands that no label calls false, or an episode's label says that it was an error
    or a true event.
    """
    parameters = {"metric": LOAD_METRIC, "areas": list(areas), "start": start, "end": end, "as_of": EVER}
    found: dict[str, list[datetime]] = {area: [] for area in areas}
    for area, half_hour in client.query(statement("anomalous_half_hours"), parameters=parameters).result_rows:
        found[area].append(half_hour)
    return found
