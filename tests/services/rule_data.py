"""Quarter-hourly loads of the last hours as stored, and what the rules find and which alerts stand after a check."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from powersense.contracts import AREAS, LOAD_METRIC
from powersense.quality.check import check
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Insertion is stamped by the server's clock, so the recent past of these tests is the real one.
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
QUARTER = timedelta(minutes=15)
REGIONS = [area.name for area in AREAS if area.name != "France"]


def load_of(area: str, instant: datetime) -> float:
    """Return a plausible load in MW that never repeats: France is the sum of its twelve equal regions."""
    regional_mw = 4000 + (instant.timestamp() / 900) % 97
    return regional_mw * (12 if area == "France" else 1)


def frame(*, hours: float = 30, until: datetime = NOW, areas: list[str] | None = None) -> pd.DataFrame:
    """Return quarter-hourly loads of `areas` (all by default) that end at `until`."""
    steps = int(hours * 4)
    rows = [
        (area, until - step * QUARTER, load_of(area, until - step * QUARTER))
        for area in (areas or [area.name for area in AREAS])
        for step in range(steps)
    ]
    table = pd.DataFrame(rows, columns=["area", "observed_at", "value"])
    return table.assign(
        metric=LOAD_METRIC,
        vintage="realtime",
        publisher="rte",
        source="test",
        retrieved_at=datetime.now(UTC),
        run_id="run",
    )


def store(table: pd.DataFrame, batch_id: str) -> None:
    with connect("writer") as client:
        land(client, table.assign(retrieved_at=datetime.now(UTC)), batch_id=batch_id)
        store_batch(client, batch_id)


def alerts(rule: str) -> list[tuple[str, str, str]]:
    """Return (area, severity, state) of a rule's alerts, oldest first."""
    with connect("reader") as client:
        query = "SELECT area, severity, state FROM alerts FINAL WHERE rule = {rule:String} ORDER BY opened_at, area"
        return [tuple(row) for row in client.query(query, parameters={"rule": rule}).result_rows]


def alert_rows(client: Client, rule: str) -> list[tuple[str, str, str, str]]:
    """Return (fingerprint, severity, state, message) of a rule's alerts, sorted."""
    query = "SELECT fingerprint, severity, state, message FROM alerts FINAL WHERE rule = {rule:String} ORDER BY ALL"
    return [tuple(row) for row in client.query(query, parameters={"rule": rule}).result_rows]


def findings(now: datetime, rule: str) -> int:
    return findings_of([rule], now).get(rule, 0)


def findings_of(rules: Iterable[str], now: datetime) -> dict[str, int]:
    """Check, and return how much those of `rules` find that find anything."""
    counts = check(now, "run")
    assert counts["skipped_rules"] == []
    return {rule: counts["by_rule"][rule] for rule in rules if counts["by_rule"][rule]}
