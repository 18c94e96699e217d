"""A warehouse in the middle of an incident: three regions dark, alerts open, gaps, records set aside."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from powersense.contracts import AREAS
from powersense.quality.alerts import apply_findings
from powersense.quality.rules.finding import Finding, Severity
from powersense.warehouse.client import connect
from tests.services.api_data import MARTS
from tests.services.scoring_data import insert

DARK = ("Bretagne", "Normandie", "Occitanie")
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
STARTED = NOW - DAY
ENDED = STARTED + 6 * HOUR
HOSTILE = "<b>réseau</b> <img src=x onerror=alert(1)>"


def fill(marts_database: str) -> None:
    """Store it all."""
    tables = {
        "scores": [row for area in DARK for row in _scores(area)],
        "episodes": [_episode(area) for area in DARK] + [_false_one()],
        "ingestion_runs": [_run(number) for number in range(3)],
        "quarantine": [_record(number) for number in range(3)],
        "models": [_model()],
    }
    with connect("writer") as client:
        for table, rows in tables.items():
            client.insert_df(table, pd.DataFrame(rows))
        for table, rows in {"mart_daily_coverage": _coverage(), "mart_forecast_scorecard": _scorecard()}.items():
            name = f"{marts_database}.{table}"
            client.command(f"CREATE TABLE {name} ({MARTS[table]}) ENGINE = MergeTree ORDER BY area")
            client.insert_df(name, pd.DataFrame(rows))
        apply_findings(client, _findings(), checked=(), now=NOW - 2 * HOUR, run_id="check__1")
    fresh = pd.DataFrame({"area": "Bretagne", "observed_at": [NOW - QUARTER], "value": 2_000.0})
    insert(fresh.assign(observed_at=fresh["observed_at"].dt.as_unit("s")), inserted_at=NOW)


def _expected(at: datetime) -> float:
    return 2_500 + 400 * math.sin((at.hour + at.minute / 60 - 9) * math.pi / 12)


def _scores(area: str) -> list[dict[str, Any]]:
    rows = []
    for number in range(-24, 24):
        at = STARTED + number * QUARTER
        is_dark = number >= 0
        rows.append(
            {"detector": "baseline_zscore", "metric": "consommation", "area": area, "observed_at": at,
             "vintage": "realtime", "version": 1, "value": 200.0 if is_dark else _expected(at) + 20,
             "expected_mw": _expected(at), "scale_mw": 100.0, "z_score": -20.0 if is_dark else 0.2,
             "lower_mw": _expected(at) - 300, "upper_mw": _expected(at) + 300, "threshold": 3.0,
             "min_deviation_mw": 100.0, "sample_size": 50, "day_type": "weekday", "bucket": 0,
             "direction": "low" if is_dark else "none", "is_anomaly": is_dark, "status": "scored", "run_id": "score__1"}
        )  # fmt: skip
    return rows


def _episode(area: str) -> dict[str, Any]:
    explanation = f"Load in {area} was up to 92% below what is expected. {HOSTILE if area == 'Normandie' else ''}"
    return {
        "episode_id": f"dark-{area.lower()}", "detector": "baseline_zscore", "metric": "consommation", "area": area,
        "started_at": STARTED, "ended_at": ENDED, "points": 24, "peak_at": STARTED + HOUR, "peak_z_score": -20.4,
        "peak_deviation_mw": -2_300.0, "direction": "low", "severity": "critical", "explanation": explanation,
        "state": "closed", "run_id": "score__1",
    }  # fmt: skip


def _false_one() -> dict[str, Any]:
    return _episode("Bretagne") | {
        "episode_id": "mild", "area": "France", "started_at": STARTED - 10 * DAY, "ended_at": ENDED - 10 * DAY,
        "peak_deviation_mw": 1_200.0, "peak_z_score": 3.4, "direction": "high", "severity": "warning",
        "explanation": "Load in France was up to 8% above what is expected.",
    }  # fmt: skip


def _findings() -> list[Finding]:
    dark = [
        Finding("load_anomaly", Severity.CRITICAL, f"Anomalous load in {area}", f"Load in {area} fell by 92%.", area)
        for area in DARK
    ]
    gaps = Finding("low_coverage", Severity.WARNING, "Load of Grand Est has gaps", "54 of 96 values came.", "Grand Est")
    long_name = f"dbt test {'holds_mart_daily_coverage_' * 4}0_5 does not pass"
    return [*dark, gaps, Finding("failed_dbt_tests", Severity.WARNING, long_name, HOSTILE)]


def _run(number: int) -> dict[str, Any]:
    is_failed = number == 1
    return {
        "batch_id": f"b{number}", "run_id": f"scheduled__{number}", "dag_id": "ingest_load",
        "source": "eco2mix-national-tr", "window_start": NOW - DAY, "window_end": NOW,
        "state": "failed" if is_failed else "success", "started_at": NOW - number * HOUR,
        "finished_at": NOW - number * HOUR + QUARTER, "seconds": 1.5, "records_seen": 96, "rows_seen": 96,
        "rows_new": 0 if is_failed else 90, "rows_revised": 1, "rows_unchanged": 5, "rows_quarantined": number,
        "newest_observed_at": NOW - QUARTER, "error": "UpstreamError: the portal answers 503" if is_failed else "",
    }  # fmt: skip


def _record(number: int) -> dict[str, Any]:
    return {
        "source": "eco2mix-regional-tr", "reason": "not_a_number" if number else "unknown_area", "area": "Bretagne",
        "record_hash": f"h{number}", "observed_at": NOW, "detail": f"consommation is 'ND{number}'",
        "record": json.dumps({"perimetre": HOSTILE, "consommation": f"ND{number}"}), "run_id": "scheduled__2",
        "first_seen_at": NOW - number * HOUR, "last_seen_at": NOW - number * HOUR,
    }  # fmt: skip


def _model() -> dict[str, Any]:
    return {
        "model_id": "m1", "area": "France", "model": "gam", "trained_at": NOW, "data_until": NOW, "train_from": STARTED,
        "vintage": "definitive", "features": ["hour"], "uses_weather": True, "metrics": '{"mape": 0.0131}',
        "code_version": "v1", "seed": 1, "artefact_uri": "", "artefact_sha256": "", "run_id": "train__1",
    }  # fmt: skip


def _coverage() -> list[dict[str, Any]]:
    received = {"Bretagne": 0, "Normandie": 60, "Occitanie": 93}
    return [
        {"metric": "consommation", "area": area.name, "day": (NOW - number * DAY).date(), "expected_slots": 96,
         "received_slots": (came := received.get(area.name, 96) if number == 1 else 96), "coverage_ratio": came / 96,
         "is_partial_day": int(number == 0), "last_observed_at": NOW}
        for area in AREAS for number in range(40)
    ]  # fmt: skip


def _scorecard() -> list[dict[str, Any]]:
    """Winters have twice the half-hours of summers, so that a mean that forgets the weights is another number."""
    return [
        {"area": area.name, "season": season, "day_lead": lead, "model": "gam", "days": 30 * weight,
         "half_hours": 1_440 * weight, "mape": error * (1 + lead / 10), "rmse_mw": 900.0, "bias_mw": -12.0,
         "pinball_mw": 200.0, "coverage_80": 0.8, "rte_mape": 0.02 if area.name == "France" else None,
         "rte_rmse_mw": 800.0 if area.name == "France" else None}
        for area in AREAS for season, weight, error in (("winter", 2, 0.02), ("summer", 1, 0.01))
        for lead in range(1, 8)
    ]  # fmt: skip
