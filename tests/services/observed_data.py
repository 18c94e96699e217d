"""A warehouse as it stands a moment ago: what metrics and dashboards are made of, with ages that a test knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from powersense.warehouse.client import connect
from powersense.warehouse.finished_runs import record_finished_run

AREAS = ("Bretagne", "France")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DETECTOR = "baseline_zscore"


def fill(now: datetime) -> None:
    """Fill the tables so that the newest load is ten minutes old and came five minutes after its instant."""
    with connect("writer") as client:
        for table, rows in _tables(now.replace(microsecond=0)).items():
            client.insert_df(table, pd.DataFrame(rows))
        record_finished_run(client, dag_id="ingest_load", run_id="scheduled__1")


def _tables(now: datetime) -> dict[str, list[dict[str, Any]]]:
    newest = now - 10 * MINUTE
    return {
        "measurements": [_load(area, newest - n * 30 * MINUTE, now) for area in AREAS for n in range(48)]
        + [_load("Bretagne", newest, now) | {"version": 2, "value": 7.0, "inserted_at": now - MINUTE}],
        "scores": [_score(area, newest - n * 30 * MINUTE) for area in AREAS for n in range(4)],
        "anomalies": [_anomaly(newest, retracted_at=None), _anomaly(newest - HOUR, retracted_at=now)],
        "episodes": [_episode(newest, state) for state in ("open", "closed")],
        "forecasts": [_forecast(area, now - HOUR, lead) for area in AREAS for lead in (0, 30, 60)],
        "models": [_model(area, now - 24 * HOUR) for area in AREAS],
        "alerts": [_alert(now - 2 * HOUR, "critical"), _alert(now - HOUR, "warning")],
        "ingestion_runs": [_run(now - n * HOUR, "failed" if n == 1 else "success") for n in range(4)],
        "quarantine": [_quarantined(now, number) for number in range(3)],
        "stream_workers": [_beat(now - n * 10 * timedelta(seconds=1), lag=40 * n) for n in range(1, 4)],
        "alert_notices": [_notice(now, outcome) for outcome in ("claimed", "sent", "failed")],
        "weather_observations": [_weather(now - 2 * HOUR)],
        "model_decisions": [{"area": "France", "decided_at": now - HOUR, "action": "promote", "model_id": "m-France"}],
        "stream_models": [{"model_id": "s", "scope": "", "trained_at": now - HOUR, "source": "schedule"}],
        "stream_results": [
            {
                "topic": "t",
                "partition": 0,
                "offset": n,
                "asset_id": "Bretagne",
                "observed_at": now,
                "final_score": 0.9,
                "is_anomaly": n == 0,
                "criticality": "high",
                "scored_at": now - HOUR,
            }
            for n in range(3)
        ],
        "stream_dead_letters": [
            {"topic": "t", "partition": 0, "offset": 9, "reason": "not_json", "failed_at": now - HOUR}
        ],
    }


def _load(area: str, at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "metric": "consommation", "area": area, "observed_at": at, "vintage": "realtime", "publisher": "rte",
        "version": 1, "value": 2000.0 if area == "Bretagne" else 50_000.0, "source": "regional_realtime",
        "retrieved_at": at, "run_id": "r", "batch_id": "b", "inserted_at": min(at + 5 * MINUTE, now),
    }  # fmt: skip


def _score(area: str, at: datetime) -> dict[str, Any]:
    return {
        "detector": DETECTOR, "metric": "consommation", "area": area, "observed_at": at, "vintage": "realtime",
        "version": 1, "value": 2000.0, "expected_mw": 2100.0, "scale_mw": 100.0, "z_score": -1.0, "lower_mw": 1800.0,
        "upper_mw": 2400.0, "threshold": 3.0, "min_deviation_mw": 100.0, "sample_size": 50, "day_type": "weekday",
        "bucket": 1, "direction": "none", "is_anomaly": False, "status": "scored", "run_id": "s",
    }  # fmt: skip


def _anomaly(at: datetime, *, retracted_at: datetime | None) -> dict[str, Any]:
    return {
        "detector": DETECTOR, "metric": "consommation", "area": "Bretagne", "observed_at": at, "value": 1.5,
        "expected_mw": 2000.0, "z_score": -20.0, "deviation_mw": -1998.5, "direction": "low", "severity": "critical",
        "detected_at": at, "retracted_at": retracted_at, "run_id": "s",
    }  # fmt: skip


def _episode(at: datetime, state: str) -> dict[str, Any]:
    return {
        "episode_id": state, "detector": DETECTOR, "metric": "consommation", "area": "Bretagne",
        "started_at": at - HOUR, "ended_at": at, "points": 3, "peak_at": at, "peak_z_score": -20.0,
        "peak_deviation_mw": -1998.5, "direction": "low", "severity": "critical", "explanation": "e", "state": state,
        "run_id": "s",
    }  # fmt: skip


def _forecast(area: str, issued_at: datetime, lead: int) -> dict[str, Any]:
    return {
        "area": area, "issued_at": issued_at, "target_at": issued_at + lead * MINUTE, "lead_minutes": lead,
        "model_id": "m", "model": "additive", "q025_mw": 1.0, "q100_mw": 2.0, "q250_mw": 3.0, "q500_mw": 4.0,
        "q750_mw": 5.0, "q900_mw": 6.0, "q975_mw": 7.0, "vintage": "definitive",
        "fallback_level": 3 if area == "Bretagne" else 0, "fallback_reason": "", "load_age_minutes": 30,
        "weather_age_minutes": None, "run_id": "f", "inserted_at": issued_at,
    }  # fmt: skip


def _model(area: str, at: datetime) -> dict[str, Any]:
    return {
        "model_id": f"m-{area}", "area": area, "model": "additive", "trained_at": at, "data_until": at,
        "train_from": at, "vintage": "definitive", "features": ["hour"], "uses_weather": True, "metrics": "{}",
        "code_version": "v", "seed": 1, "artefact_uri": "u", "artefact_sha256": "", "run_id": "t",
    }  # fmt: skip


def _alert(at: datetime, severity: str) -> dict[str, Any]:
    return {
        "alert_id": f"a-{severity}", "fingerprint": f"f-{severity}", "rule": "stale_data", "severity": severity,
        "area": "Bretagne", "subject": "s", "message": "m", "runbook": "stale_data", "state": "open", "opened_at": at,
        "last_seen_at": at, "closed_at": None, "occurrences": 1, "notified_at": None, "run_id": "c",
    }  # fmt: skip


def _run(at: datetime, state: str) -> dict[str, Any]:
    return {
        "batch_id": f"b-{at:%H%M%S}", "run_id": "r", "dag_id": "ingest_load", "source": "regional_realtime",
        "window_start": at - HOUR, "window_end": at, "state": state, "started_at": at, "finished_at": at,
        "seconds": 1.5, "records_seen": 20, "rows_seen": 20, "rows_new": 10, "rows_revised": 2, "rows_unchanged": 8,
        "rows_quarantined": 1, "newest_observed_at": None, "error": "",
    }  # fmt: skip


def _quarantined(now: datetime, number: int) -> dict[str, Any]:
    return {
        "source": "regional_realtime", "reason": 'odd "reason"' if number else "not_a_number",
        "record_hash": f"h{number}", "area": "Bretagne", "observed_at": now, "detail": "d", "record": "{}",
        "run_id": "r", "first_seen_at": now - HOUR, "last_seen_at": now,
    }  # fmt: skip


def _beat(at: datetime, *, lag: int) -> dict[str, Any]:
    return {
        "worker_id": "worker-1", "beat_at": at, "state": "running", "model_id": "m", "messages": 10, "anomalies": 1,
        "dead_letters": 0, "batch_p50_ms": 10.0, "batch_p99_ms": 50.0, "lag": lag, "partitions": 6, "version": "v",
    }  # fmt: skip


def _notice(now: datetime, outcome: str) -> dict[str, Any]:
    return {
        "alert_id": "a-critical", "event": "opened", "severity": "critical", "target": "json-1", "attempt": 1,
        "outcome": outcome, "claimant": "", "detail": "", "run_id": "c", "recorded_at": now - HOUR,
    }  # fmt: skip


def _weather(at: datetime) -> dict[str, Any]:
    return {
        "metric": "temperature_c", "station": "1", "observed_at": at, "vintage": "realtime",
        "publisher": "meteo_france", "version": 1, "value": 10.0, "source": "synop", "retrieved_at": at, "run_id": "w",
        "inserted_at": at,
    }  # fmt: skip


def now_utc() -> datetime:
    """Return the wall clock, which the metrics' ages count from."""
    return datetime.now(UTC)
