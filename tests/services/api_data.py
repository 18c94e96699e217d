"""A small warehouse of everything that the Data API reads, and a service over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import uvicorn

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.local.ports import free_port
from powersense.warehouse.client import connect
from tests.services.scoring_data import insert

DAY = datetime(2018, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
# What was published, and when it was revised.
PUBLISHED, REVISED = datetime(2018, 1, 11, tzinfo=UTC), datetime(2018, 2, 1, 8, 30, 0, 250_000, tzinfo=UTC)
AREAS = ["Bretagne", "France"]
QUARTERS = 96

# The marts as dbt makes them, without their history: a test compares their columns with dbt's.
MARTS = {
    "mart_daily_coverage": """
        metric LowCardinality(String), area LowCardinality(String), day Date, expected_slots UInt16,
        received_slots UInt16, coverage_ratio Float64, is_partial_day UInt8, last_observed_at Nullable(DateTime('UTC'))
    """,
    "mart_forecast_scorecard": """
        area LowCardinality(String), season String, day_lead UInt8, model LowCardinality(String), days UInt16,
        half_hours UInt64, mape Float64, rmse_mw Float64, bias_mw Float64, pinball_mw Float64, coverage_80 Float64,
        rte_mape Nullable(Float64), rte_rmse_mw Nullable(Float64)
    """,
}


@contextmanager
def served(keys: str) -> Iterator[str]:
    """The service on a real port; gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_service(keys), host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}{URL_PREFIX}"
    finally:
        server.should_exit = True
        thread.join(10)


def loads_of(area: str, *, base: float) -> pd.DataFrame:
    """Return a day of quarter-hours that rise by 1 MW."""
    instants = pd.date_range(DAY, periods=QUARTERS, freq="15min").as_unit("s")
    return pd.DataFrame({"area": area, "observed_at": instants, "value": base + pd.RangeIndex(QUARTERS)})


def fill(marts_database: str) -> None:
    """Fill every table: of each kind some rows for Bretagne and for France."""
    for number, area in enumerate(AREAS):
        day = loads_of(area, base=2_000.0 + 50_000 * number)
        insert(day, inserted_at=PUBLISHED)
        insert(day.head(4).assign(value=1.5), version=2, inserted_at=REVISED)
        insert(day.tail(2).assign(value=9.0), vintage="consolidated", inserted_at=REVISED)
        insert(day.head(1).assign(value=400.0), metric="taux_co2", inserted_at=PUBLISHED)
    with connect("writer") as client:
        for table, rows in _findings().items():
            client.insert_df(table, pd.DataFrame(rows))
        for table, rows in _weather().items():
            client.insert_df(table, pd.DataFrame(rows))


def build_marts(marts_database: str) -> None:
    """Make the marts that the API reads, with a few rows."""
    coverage = [
        {"metric": "consommation", "area": area, "day": (DAY + number * timedelta(days=1)).date(), "expected_slots": 96,
         "received_slots": 90, "coverage_ratio": 0.9375, "is_partial_day": 0, "last_observed_at": DAY}
        for area in AREAS for number in range(3)
    ]  # fmt: skip
    scorecard = [
        {"area": area, "season": season, "day_lead": 1, "model": "additive", "days": 80, "half_hours": 3840,
         "mape": 0.0126, "rmse_mw": 900.0, "bias_mw": 1.0, "pinball_mw": 200.0, "coverage_80": 0.8,
         "rte_mape": None, "rte_rmse_mw": None}
        for area in AREAS for season in ("summer", "winter")
    ]  # fmt: skip
    with connect("writer") as client:
        for (name, columns), rows in zip(MARTS.items(), (coverage, scorecard), strict=True):
            table = f"{marts_database}.{name}"
            client.command(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY area")
            client.insert_df(table, pd.DataFrame(rows))


def _findings() -> dict[str, list[dict[str, Any]]]:
    scores = [
        {"detector": detector, "metric": "consommation", "area": area, "observed_at": DAY + number * HOUR,
         "vintage": "realtime", "version": 1, "value": 1.5, "expected_mw": 2000.0, "scale_mw": 100.0, "z_score": -20.0,
         "lower_mw": 1700.0, "upper_mw": 2300.0, "threshold": 3.0, "min_deviation_mw": 100.0, "sample_size": 50,
         "day_type": "weekday", "bucket": number, "direction": "low" if number < 2 else "none",
         "is_anomaly": number < 2, "status": "scored", "run_id": "score"}
        for detector in ("robust", "forecast_day") for area in AREAS for number in range(3)
    ]  # fmt: skip
    episodes = [
        {"episode_id": f"e{number}", "detector": "robust", "metric": "consommation", "area": AREAS[number % 2],
         "started_at": DAY, "ended_at": DAY + (number + 1) * HOUR, "points": 4, "peak_at": DAY, "peak_z_score": -20.0,
         "peak_deviation_mw": -1998.5, "direction": "low", "severity": "critical",
         "explanation": "l'été \"noir\"\n17 MW", "state": state, "run_id": "score"}
        for number, state in enumerate(("open", "closed", "retracted"))
    ]  # fmt: skip
    forecasts = [
        {"area": area, "issued_at": DAY + issue * HOUR, "target_at": DAY + (issue + lead) * HOUR,
         "lead_minutes": 60 * lead, "model_id": "m1", "model": "additive", "q025_mw": 1.0, "q100_mw": 2.0,
         "q250_mw": 3.0, "q500_mw": 4.5, "q750_mw": 5.0, "q900_mw": 6.0, "q975_mw": 7.0, "vintage": "definitive",
         "fallback_level": 0, "fallback_reason": "", "load_age_minutes": 30, "weather_age_minutes": None,
         "run_id": "forecast", "inserted_at": DAY + issue * HOUR + timedelta(minutes=5)}
        for area in AREAS for issue in (0, 1) for lead in (1, 2, 3)
    ]  # fmt: skip
    alerts = [
        {"alert_id": f"a{number}", "fingerprint": f"f{number}", "rule": "load_stale", "severity": severity,
         "area": "Bretagne", "subject": "s", "message": "m", "runbook": "r", "state": state,
         "opened_at": DAY + number * HOUR, "last_seen_at": DAY + 5 * HOUR, "closed_at": closed, "occurrences": 2,
         "notified_at": None, "run_id": "check"}
        for number, (severity, state, closed) in enumerate(
            (("critical", "open", None), ("warning", "closed", DAY + 4 * HOUR), ("info", "open", None)))
    ]  # fmt: skip
    runs = [
        {"batch_id": f"b{number}", "run_id": "r", "dag_id": "ingest_load", "source": "national_realtime",
         "window_start": DAY, "window_end": DAY + HOUR, "state": "success" if number else "failed",
         "started_at": DAY + number * timedelta(microseconds=7), "finished_at": None, "seconds": 1.5,
         "records_seen": 96, "rows_seen": 96, "rows_new": 90, "rows_revised": 1, "rows_unchanged": 5,
         "rows_quarantined": 0, "newest_observed_at": None, "error": ""}
        for number in range(3)
    ]  # fmt: skip
    models = [
        {"model_id": f"m{number}", "area": area, "model": "additive", "trained_at": DAY, "data_until": DAY,
         "train_from": DAY, "vintage": "definitive", "features": ["hour"], "uses_weather": True, "metrics": "{}",
         "code_version": "v1", "seed": 1, "artefact_uri": "s3://secret", "artefact_sha256": "", "run_id": "train"}
        for area in AREAS for number in range(2)
    ]  # fmt: skip
    decisions = [
        {"area": "France", "decided_at": DAY, "action": "promote", "model_id": "m1", "previous_model_id": "",
         "reason": "", "champion_mape": None, "challenger_mape": None, "margin": None, "run_id": "train"}
    ]  # fmt: skip
    quarantine = [
        {"source": "regional", "reason": reason, "record_hash": f"h{number}", "area": "Bretagne", "observed_at": DAY,
         "detail": f"detail {number}", "record": "{}", "run_id": "r", "first_seen_at": DAY + number * HOUR,
         "last_seen_at": DAY + (number + 1) * HOUR}
        for number, reason in enumerate(("missing_area", "missing_area", "not_a_number"))
    ]  # fmt: skip
    return {
        "quarantine": quarantine,
        "scores": scores,
        "episodes": episodes,
        "forecasts": forecasts,
        "alerts": alerts,
        "ingestion_runs": runs,
        "models": models,
        "model_decisions": decisions,
    }


def _weather() -> dict[str, list[dict[str, Any]]]:
    stations = [
        {"station": "1", "omm": "", "name": "BREST", "department": "29", "area": "Bretagne", "latitude": 48.4,
         "longitude": -4.4, "altitude_m": 90}
    ]  # fmt: skip
    reports = [
        {"metric": "temperature_c", "station": "1", "observed_at": DAY + number * HOUR, "vintage": "realtime",
         "publisher": "meteo_france", "version": 1, "value": 10.0 + number, "source": "synop",
         "retrieved_at": PUBLISHED, "run_id": "w", "inserted_at": PUBLISHED}
        for number in range(4)
    ]  # fmt: skip
    return {
        "weather_stations": stations,
        "area_populations": [{"area": "Bretagne", "population": 3_400_000}],
        "weather_observations": reports,
    }
