"""What Prometheus reads: through the service, with a key, from stored rows."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta

from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.auth import new_key
from powersense.calendar import PARIS
from powersense.warehouse.client import connect
from tests.debian import program
from tests.services import observed_data
from tests.services.file_rows import declare, ran, seen

KEY, ENTRY = new_key("prometheus", "read")


def scraped() -> dict[str, float]:
    """Return the samples of one scrape, by name and labels."""
    with TestClient(create_service(f"{ENTRY.name}:{ENTRY.scope}:{ENTRY.sha256}")) as service:
        assert service.get(f"{URL_PREFIX}/metrics").status_code == 401
        answer = service.get(f"{URL_PREFIX}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lint = [program("promtool", package="prometheus"), "check", "metrics"]
    subprocess.run(lint, input=answer.text, text=True, check=True, capture_output=True, timeout=60)
    typed = re.findall(r"^# TYPE (\S+) gauge$", answer.text, flags=re.MULTILINE)
    assert len(typed) == len(set(typed))
    samples = re.findall(r"^powersense_(\S+?(?:\{.*\})?) (\S+)$", answer.text, flags=re.MULTILINE)
    assert {re.split(r"[{ ]", f"powersense_{name}")[0] for name, _ in samples} <= set(typed)
    return {name: float(value) for name, value in samples}


def of_files(samples: dict[str, float]) -> dict[str, float]:
    """Return the samples of the file autoloader."""
    return {name.removeprefix("files_"): value for name, value in samples.items() if name.startswith("files_")}


def test_each_ingestion_shows_its_files_its_rows_and_its_last_run(warehouse):
    assert of_files(scraped()) == {}
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    with connect("writer") as client:
        declare(client, "meters", at=now - 9 * hour)
        declare(client, "grid", at=now - 9 * hour, enabled=False)
        for path in ("1.csv", "2.csv"):
            seen(client, "meters", path, at=now - 2 * hour, loaded_version="v1")
        seen(client, "meters", "3.csv", at=now - hour, state="quarantined", error="no header")
        ran(client, "meters", "one", at=now - 3 * hour, seconds=7.5)
        ran(client, "meters", "two", at=now - hour, state="failed", error="away", seconds=1.25)
        ran(client, "meters", "dry", at=now, is_dry_run=True)
    found = of_files(scraped())
    ages = {
        name: found.pop(f'{name}{{ingestion="meters"}}') for name in ("newest_file_age_seconds", "last_run_age_seconds")
    }
    assert all(3600 <= age < 3700 for age in ages.values())
    assert found == {
        'ingestion_enabled{ingestion="grid"}': 0,
        'ingestion_enabled{ingestion="meters"}': 1,
        'files{ingestion="meters",state="loaded"}': 2,
        'files{ingestion="meters",state="quarantined"}': 1,
        'rows{ingestion="grid"}': 0,
        'rows{ingestion="meters"}': 20,
        'bytes{ingestion="grid"}': 0,
        'bytes{ingestion="meters"}': 300,
        'last_run_seconds{ingestion="meters"}': 1.25,
        'last_run_failed{ingestion="meters"}': 1,
    }


def test_the_main_job_shows_ages_rows_findings_forecasts_alerts_and_workers(warehouse):
    observed_data.fill(observed_data.now_utc())
    found = scraped()
    ages = {
        'newest_instant_age_seconds{area="Bretagne"}': 600,
        'newest_instant_age_seconds{area="France"}': 600,
        'newest_score_age_seconds{detector="baseline_zscore",area="France"}': 600,
        'weather_age_seconds{kind="observations"}': 7200,
        'ingestion_success_age_seconds{source="regional_realtime"}': 0,
        'forecast_age_seconds{area="France"}': 3600,
        'model_age_seconds{kind="forecast",scope="France"}': 86_400,
        'open_alert_age_seconds{rule="stale_data",severity="critical"}': 7200,
        'run_finished_age_seconds{dag_id="ingest_load"}': 0,
        'stream_worker_beat_age_seconds{worker="worker-1"}': 10,
    }
    assert {name: round((found[name] - age) / 120) for name, age in ages.items()} == dict.fromkeys(ages, 0)
    exact = {
        "warehouse_up": 1,
        # Of the newest instant the first version counts, not the revision that came later.
        'ingestion_lag_seconds{area="Bretagne"}': 300,
        'ingestion_runs_1d{source="regional_realtime",state="failed"}': 1,
        'ingested_rows_1d{source="regional_realtime",outcome="revised"}': 8,
        'quarantined_records_1d{source="regional_realtime",reason="odd \\"reason\\""}': 2,
        'table_rows{table="measurements"}': 97,
        'load_values_1d{vintage="realtime",kind="first"}': 96,
        'load_values_1d{vintage="realtime",kind="revision"}': 1,
        'anomalies_1d{detector="baseline_zscore",area="Bretagne"}': 1,
        'anomalies_1d{detector="baseline_zscore",area="France"}': 0,
        'open_episodes{detector="baseline_zscore",severity="critical"}': 1,
        'forecast_fallback_level{area="Bretagne"}': 3,
        'forecast_fallback_level{area="France"}': 0,
        'open_alerts{rule="stale_data",severity="warning"}': 1,
        'alert_groups{severity="critical",state="open"}': 1,
        'notices_1d{target="json-1",outcome="failed"}': 1,
        'stream_worker_lag_messages{worker="worker-1"}': 40,
        'stream_worker_running{worker="worker-1"}': 1,
    }
    assert {name: found.get(name) for name in exact} == exact


def test_an_empty_warehouse_has_figures_of_its_tables_and_no_ages(warehouse):
    found = scraped()
    assert found["warehouse_up"] == 1
    assert found['table_rows{table="measurements"}'] == 0
    assert [name for name in found if "age_seconds" in name] == []


def test_a_warehouse_that_is_away_is_a_figure_and_not_an_error(warehouse, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", "clickhouse://powersense_reader:x@127.0.0.1:9/powersense")
    found = scraped()
    assert found.pop("warehouse_up") == 0
    assert [name.split("{")[0] for name in found] == ["build_info"]


def test_forecast_errors_are_weighted_by_half_hours_and_rtes_stand_where_it_forecasts(warehouse):
    mart = f"{warehouse.marts_database}.mart_forecast_errors"
    yesterday = (datetime.now(UTC).astimezone(PARIS) - timedelta(days=1)).date()
    rows = [
        ["France", yesterday, 1, 48, 0.01, 0.02, 48],
        ["France", yesterday - timedelta(days=1), 1, 24, 0.04, None, 0],
        ["France", yesterday - timedelta(days=9), 1, 48, 0.9, 0.9, 48],
        ["France", yesterday, 2, 48, 0.9, 0.9, 48],
        ["Bretagne", yesterday, 1, 48, 0.05, None, 0],
    ]
    columns = ["area", "target_day", "day_lead", "half_hours", "mape", "rte_mape", "rte_half_hours"]
    with connect("writer") as client:
        client.command(
            f"CREATE TABLE {mart} (area LowCardinality(String), target_day Date, day_lead UInt8, half_hours UInt64, "
            "mape Float64, rte_mape Nullable(Float64), rte_half_hours UInt64) ENGINE = MergeTree ORDER BY area"
        )
        client.insert(mart, rows, column_names=columns)
    found = {name: round(value, 6) for name, value in scraped().items() if name.startswith("forecast_error")}
    assert found == {
        'forecast_error_ratio{area="France"}': 0.02,
        'forecast_error_ratio{area="Bretagne"}': 0.05,
        'forecast_error_rte_ratio{area="France"}': 0.02,
    }
