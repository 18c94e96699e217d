"""Loads for the scoring tests: made so that the right answer is known, and the warehouse rows they become."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from powersense.warehouse.client import connect

COLUMNS = ["area", "observed_at", "value"]


def loads(first: str, last: str, *, area: str = "Bretagne", freq: str = "30min", scale: float = 1.0) -> pd.DataFrame:
    """Return loads of the Paris days `first` to `last`: a daily and a weekly shape, and a little noise."""
    start, end = pd.Timestamp(first, tz="Europe/Paris"), pd.Timestamp(last, tz="Europe/Paris") + pd.DateOffset(days=1)
    instants = pd.date_range(start.tz_convert("UTC"), end.tz_convert("UTC"), freq=freq, inclusive="left").as_unit("s")
    local = instants.tz_convert("Europe/Paris")
    hours = local.hour + local.minute / 60
    shape = 2000 + 400 * np.sin((hours - 9) * np.pi / 12) - 300 * (local.day_of_week >= 5)
    noise = np.random.default_rng(seed=20170930).normal(0, 20, len(instants))
    return pd.DataFrame({"area": area, "observed_at": instants, "value": (shape + noise).round(1) * scale})


def insert(
    frame: pd.DataFrame,
    *,
    metric: str = "consommation",
    vintage: str = "realtime",
    version: int = 1,
    inserted_at: datetime | pd.Series = datetime(2017, 1, 1, tzinfo=UTC),
) -> None:
    """Store values as versions of measurements, inserted at an instant of our choice, or at one a row."""
    if isinstance(inserted_at, datetime):
        inserted_at = pd.Series(pd.Timestamp(inserted_at), index=frame.index)
    stored = frame.assign(
        metric=metric,
        vintage=vintage,
        publisher="rte",
        version=version,
        source="test",
        retrieved_at=inserted_at,
        run_id="test",
        inserted_at=inserted_at,
    )
    with connect("writer") as client:
        client.insert_df("measurements", stored)


def with_values(frame: pd.DataFrame, *, between: tuple[datetime, datetime], factor: float) -> pd.DataFrame:
    """Return the frame's rows of a range, their values multiplied."""
    rows = frame[(frame["observed_at"] >= between[0]) & (frame["observed_at"] < between[1])]
    return rows.assign(value=rows["value"] * factor)


def paris_day(day: str, days: int = 1) -> tuple[datetime, datetime]:
    """Return the UTC instants at which a Paris day begins and the last of `days` days ends."""
    start = pd.Timestamp(day, tz="Europe/Paris")
    end = start + pd.DateOffset(days=days)
    return start.tz_convert("UTC").to_pydatetime(), end.tz_convert("UTC").to_pydatetime()


def table(query: str, **parameters: Any) -> pd.DataFrame:
    """Return a query's rows with instants in UTC."""
    with connect("reader") as client:
        frame = client.query_df(query, parameters=parameters)
    for name in frame.columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def scores(area: str = "Bretagne") -> pd.DataFrame:
    """Return an area's scores in order of time."""
    return table("SELECT * FROM scores FINAL WHERE area = {area:String} ORDER BY observed_at", area=area)
