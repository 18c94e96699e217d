"""Scoring: one interval, one year, ten years stored, and the pandas loop that the ClickHouse statement replaces.

The loads are real: the bundled consolidated and definitive files of 2017 (ten regions and France), moved back by whole
years of 364 days, so that weekdays stay; two regions without a 2017 file take another region's loads. The tiling runs
on the server.
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.bench_ingest import ROOT, _engine

ROUNDS = 5
AREAS = 13
YEAR_DAYS = 364
# Paris midnight of 1 December 2017, after the bundled files' last consolidated day.
NOW = datetime(2017, 11, 30, 23, tzinfo=UTC)
STAND_INS = {"Auvergne-Rhône-Alpes": "Occitanie", "Bourgogne-Franche-Comté": "Bretagne"}
PANDAS_SPAN = timedelta(days=2)

_TILE = """
INSERT INTO measurements (metric, area, observed_at, vintage, publisher, version, value, source, retrieved_at, run_id)
SELECT metric, area, observed_at - toIntervalDay({days:UInt32} * year), vintage, publisher, version, value, source,
    retrieved_at, run_id
FROM measurements CROSS JOIN (SELECT number AS year FROM numbers({first:UInt32}, {count:UInt32})) AS years
WHERE metric = 'consommation' AND observed_at >= {now:DateTime('UTC')} - toIntervalDay({days:UInt32})
"""
_FETCH = """
SELECT area, observed_at, value
FROM measurements_as_known(as_of = '2200-01-01 00:00:00', up_to_vintage = 'definitive')
WHERE metric = 'consommation' AND observed_at >= {since:DateTime('UTC')}
"""


def run() -> list[dict[str, Any]]:
    """Return the rows of all scoring benchmarks."""
    sys.path.insert(0, str(ROOT / "include"))
    for name in ("powersense", "airflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder, _engine(Path(folder)):
        _fill()
        _tile(first=1, count=2)
        small = _interval_seconds()
        year, points = _year_seconds()
        loop_rate = _loop_rate()
        _tile(first=3, count=8)
        large = _interval_seconds()
    growth, speedup = large / small, points / year / loop_rate
    return [
        _row("one interval of 13 areas", small, "s", goal="≤ 1 s", holds=small <= 1),
        _row(
            "one interval, ten years stored",
            large,
            "s",
            reference="three years stored",
            ratio=growth,
            goal="≤ 1.5×",
            holds=growth <= 1.5,
        ),
        _row(f"a year of 13 areas ({points:,} points)", year, "s", goal="≤ 10 s", holds=year <= 10),
        _row(
            "points a second over that year",
            points / year,
            "1/s",
            reference="pandas loop over fetched rows",
            ratio=speedup,
            goal="≥ 20×",
            holds=speedup >= 20,
        ),
    ]


def _row(
    name: str, value: float, unit: str, *, goal: str, holds: bool, reference: str = "–", ratio: float | None = None
) -> dict[str, Any]:
    return {
        "name": f"scoring: {name}",
        "value": value,
        "unit": unit,
        "reference": reference,
        "ratio": ratio,
        "goal": goal,
        "holds": bool(holds),
    }


def _fill() -> None:
    """Store the bundled half-hourly loads of 2017, and let two regions borrow another's."""
    import pandas as pd

    from powersense.warehouse.client import connect
    from tests.services.scoring_data import insert
    from tests.services.test_incident_2017 import SAMPLE, loads_of

    names = [path for path in SAMPLE.iterdir() if "Consolide" in path.name or "Definitif" in path.name]
    known = pd.concat([loads_of(path.name, path.read_bytes()) for path in names], ignore_index=True)
    borrowed = [known[known["area"] == lender].assign(area=area) for area, lender in STAND_INS.items()]
    loads = pd.concat([known, *borrowed], ignore_index=True)
    inside = (loads["observed_at"] < pd.Timestamp(NOW)) & (
        loads["observed_at"] >= pd.Timestamp(NOW) - pd.Timedelta(days=YEAR_DAYS)
    )
    insert(loads[inside], vintage="definitive")
    with connect("writer") as client:
        (areas,) = client.query("SELECT uniqExact(area) FROM measurements").first_row
    if areas != AREAS:
        raise RuntimeError(f"the benchmark needs {AREAS} areas and found {areas}")


def _tile(*, first: int, count: int) -> None:
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        client.command(_TILE, parameters={"days": YEAR_DAYS, "first": first, "count": count, "now": NOW})
        client.command("OPTIMIZE TABLE measurements FINAL")


def _interval_seconds() -> float:
    """Median time to score the newest half-hour of 13 areas, as a scheduled run does."""
    from powersense.score import score_due, score_interval

    _forget_all_scores()
    score_interval(NOW - timedelta(days=62), NOW, run_id="settle")
    seconds = []
    for number in range(ROUNDS):
        _forget_the_newest_score()
        started = time.perf_counter()
        counts = score_due(NOW, f"round {number}")
        seconds.append(time.perf_counter() - started)
        if counts["points_scored"] != AREAS:
            raise RuntimeError(f"an interval of {AREAS} areas gave {counts}")
    return statistics.median(seconds)


def _forget_all_scores() -> None:
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        for name in ("scores", "anomalies", "episodes"):
            client.command(f"TRUNCATE TABLE {name}")


def _forget_the_newest_score() -> None:
    from powersense.warehouse.client import connect

    with connect("writer", mutations_sync=1) as client:
        client.command(
            "DELETE FROM scores WHERE observed_at = {at:DateTime('UTC')}",
            parameters={"at": NOW - timedelta(minutes=30)},
        )


def _year_seconds() -> tuple[float, int]:
    """Time to score a whole year that was never scored, and its points."""
    from powersense.score import score_interval

    _forget_all_scores()
    started = time.perf_counter()
    counts = score_interval(NOW - timedelta(days=YEAR_DAYS), NOW, run_id="year")
    return time.perf_counter() - started, counts["points_scored"]


def _loop_rate() -> float:
    """Points a second of the pandas loop, without its fetch. Timed on two days: a year would take it hours."""
    import pandas as pd

    from benchmarks import pandas_scoring
    from powersense.detection.baseline_zscore import BaselineZScore
    from powersense.warehouse.client import connect

    rule = BaselineZScore()
    since = NOW - PANDAS_SPAN - timedelta(days=rule.history_days + 1)
    with connect("reader") as client:
        loads = client.query_df(_FETCH, parameters={"since": since})
    loads["observed_at"] = pd.to_datetime(loads["observed_at"], utc=True)
    started = time.perf_counter()
    scored = pandas_scoring.score(loads, start=pd.Timestamp(NOW - PANDAS_SPAN), end=pd.Timestamp(NOW), rule=rule)
    return len(scored) / (time.perf_counter() - started)
