"""The versioning rule in plain Python, and frames to feed both it and the real writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

START = datetime(2017, 9, 30, tzinfo=UTC)
STEP = timedelta(minutes=30)
RETRIEVED = datetime(2017, 10, 1, tzinfo=UTC)

Value = float | None
Key = tuple[str, str, datetime, str, str]


@dataclass(frozen=True)
class Row:
    """One landed value; `slot` counts half-hours from START, `retrieval` seconds from RETRIEVED."""

    slot: int
    value: Value
    metric: str = "consommation"
    area: str = "France"
    vintage: str = "realtime"
    publisher: str = "rte"

    @property
    def key(self) -> Key:
        return (self.metric, self.area, START + self.slot * STEP, self.vintage, self.publisher)


def frame(rows: Sequence[Row], *, retrieval: int, run_id: str = "run") -> pd.DataFrame:
    """Return a landing frame."""
    observed_at = pd.to_datetime([row.key[2] for row in rows], utc=True)
    return pd.DataFrame(
        {
            "metric": [row.metric for row in rows],
            "area": [row.area for row in rows],
            "observed_at": pd.Series(observed_at, dtype="datetime64[s, UTC]"),
            "vintage": [row.vintage for row in rows],
            "publisher": [row.publisher for row in rows],
            "value": pd.Series([row.value for row in rows], dtype="float64"),
            "source": "test",
            "retrieved_at": pd.Timestamp(RETRIEVED + timedelta(seconds=retrieval)),
            "run_id": run_id,
        }
    )


@dataclass
class Model:
    """What `measurements` must hold, given landings in their agreed order."""

    versions: dict[Key, list[Value]] = field(default_factory=dict)
    latest_retrieval: dict[Key, tuple[int, str]] = field(default_factory=dict)

    def apply(self, rows: Iterable[Row], *, retrieval: int, batch_id: str) -> None:
        for row in rows:
            key, came = row.key, (retrieval, batch_id)
            if key in self.latest_retrieval and came <= self.latest_retrieval[key]:
                continue
            self.latest_retrieval[key] = came
            known = self.versions.get(key, [])
            if row.value != (known[-1] if known else None):
                self.versions[key] = [*known, row.value]


def stored_versions(client: Client) -> dict[Key, list[Value]]:
    """Return the values of every series key in version order, after checking that versions are 1 … n."""
    rows = client.query(
        "SELECT metric, area, observed_at, vintage, publisher, version, value FROM measurements FINAL "
        "ORDER BY metric, area, observed_at, vintage, publisher, version"
    ).result_rows
    found: dict[Key, list[Value]] = {}
    for *key, version, value in rows:
        values = found.setdefault(tuple(key), [])
        values.append(value)
        assert version == len(values), f"{key} has version {version} at place {len(values)}"
    return found


def contradictions(client: Client) -> int:
    """Count (ukey, version) pairs that hold more than one value, merged or not: nothing may depend on merges."""
    query = (
        "SELECT count() FROM (SELECT ukey, version FROM measurements GROUP BY ukey, version "
        "HAVING uniqExact(tuple(value)) > 1)"
    )
    return int(client.query(query).first_row[0])
