"""Météo-France's files beside its API: which are read when, what a gap or a missing key asks for, and vintages."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from powersense.errors import MissingCredentialError, SourceNotFoundError
from powersense.settings import get_settings
from powersense.weather import fetch_observations, plan_observations
from powersense.window import Window
from tests.services.weather_server import API_PATH, HOUR, hourly_file, observation, synop_file
from tests.services.weather_steps import (
    LAST_HOUR,
    LATEST,
    LIVE,
    NANTES,
    NOW,
    SYNOP,
    a_range,
    files,
    observe,
    read,
    serving,
    versions,
)
from tests.warehouses import query

upstream = pytest.fixture(serving)


@pytest.fixture
def keyless(upstream, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps({"conn_type": "http", "host": upstream.url}))
    return upstream


def test_vintages_rise_from_reports_to_validated_climatology(upstream):
    at = LAST_HOUR - 48 * HOUR
    upstream.file(SYNOP, synop_file([("07222", at, 10.0)]))
    upstream.file(LATEST, hourly_file([(NANTES, at, 10.1, "9")]))
    window = a_range(at - HOUR, at + 30 * HOUR)
    read(files(window), "a")
    upstream.file(LATEST, hourly_file([(NANTES, at, 10.2, "1")]))
    read(files(window), "b")
    assert [(vintage, value) for _, _, vintage, _, value in versions()] == [
        ("consolidated", 10.1),
        ("definitive", 10.2),
        ("realtime", 10.0),
    ]
    known = (
        "SELECT value FROM weather_as_known(as_of = now64(6), up_to_vintage = {limit:String}) "
        "WHERE metric = 'temperature_c'"
    )
    assert [query(known, limit=limit) for limit in ("realtime", "consolidated", "definitive")] == [
        [(10.0,)],
        [(10.1,)],
        [(10.2,)],
    ]


def test_a_missed_day_is_read_from_the_department_s_file_once_a_day(upstream):
    missed = [LAST_HOUR - number * HOUR for number in range(40, 64)]
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR - number * HOUR) for number in range(24)])
    upstream.file(LATEST, hourly_file([(NANTES, at, 5.0, "1") for at in missed]))
    observe("a")
    planned = [job for job in files() if job["source_id"] == "hourly"]
    assert [job["departments"] for job in planned] == [["44"]]
    read(planned)
    assert {at for _, at, vintage, _, _ in versions() if vintage == "definitive"} == set(missed)
    assert [job for job in files() if job["source_id"] == "hourly"] == [], "not again today"
    tomorrow = Window(LIVE.start + 24 * HOUR, LIVE.end + 24 * HOUR)
    assert [job for job in files(tomorrow) if job["source_id"] == "hourly"], "what is still missing is asked for again"


def test_nothing_is_read_again_where_nothing_is_missing(upstream):
    hours = [LAST_HOUR - number * HOUR for number in range(8 * 24)]
    upstream.observations(lambda _: [observation(NANTES, at) for at in hours])
    (job,) = plan_observations(LIVE, departments=["44"], run_type="scheduled")
    fetch_observations({**job, "start": hours[-1].isoformat()}, run_id="r", dag_id="d")
    over = ["weather:synop-202401", "weather:synop-202402"]
    assert [job["job_id"] for job in files()] == over, "months that no run has read"


def test_a_range_of_the_past_reads_the_files_that_cover_it_and_asks_no_api(upstream):
    at = datetime(2019, 12, 31, 23, tzinfo=UTC)
    upstream.file("/hourly/H_44_2010-2019.csv.gz", hourly_file([(NANTES, at, 1.0, "1"), (NANTES, at - HOUR, 0.0, "1")]))
    upstream.file("/hourly/H_44_previous-2020-2023.csv.gz", hourly_file([(NANTES, at + HOUR, 2.0, "1")]))
    upstream.file("/synop/synop.201912.csv.gz", synop_file([("07222", at, 1.0)]))
    upstream.file("/synop/synop.202001.csv.gz", synop_file([]))
    window = a_range(at, at + 48 * HOUR)
    assert plan_observations(window, departments=["44"], run_type="manual") == []
    read(files(window, run_type="manual"))
    assert [(at, value) for _, at, vintage, _, value in versions() if vintage == "definitive"] == [
        (at, 1.0),
        (at + HOUR, 2.0),
    ]
    assert upstream.calls[API_PATH] == 0


def test_a_backfill_of_a_month_without_a_file_fails_by_name(upstream):
    window = a_range(NOW - 72 * HOUR, NOW - 24 * HOUR)
    job = next(job for job in files(window, run_type="backfill") if job["source_id"] == "hourly")
    with pytest.raises(SourceNotFoundError, match=r"H_44_latest-2024-2025\.csv\.gz.*METEO_HOURLY_URL"):
        read([job])
    assert query("SELECT source, state FROM ingestion_runs FINAL") == [("meteo-france-hourly", "failed")]


def test_a_file_of_these_days_that_is_not_there_yet_is_passed_over(upstream):
    jobs = [job for job in files() if "202403" in job["job_id"]]
    assert {job["source_id"] for job in jobs} == {"hourly", "synop"}
    assert {outcome["rows_seen"] for outcome in read(jobs)} == {0}
    assert query("SELECT DISTINCT state, records_seen FROM ingestion_runs FINAL") == [("success", 0)]


def test_a_past_without_any_file_is_a_failure_and_is_asked_for_again(upstream, monkeypatch):
    monkeypatch.setenv("HISTORY_START_YEAR", "2023")
    get_settings.cache_clear()
    year = next(job for job in files() if job["job_id"] == "weather:synop-2023")
    with pytest.raises(SourceNotFoundError, match="SYNOP_URL"):
        read([year])
    assert year in files()
    upstream.file("/synop/synop.202305.csv.gz", synop_file([("07222", datetime(2023, 5, 1, tzinfo=UTC), 12.0)]))
    assert read([year])[0]["rows_new"] > 0, "a month that is missing in between does not cost the others"
    assert year not in files()


def test_without_a_key_the_plan_says_so_and_synop_stands_in(keyless):
    with pytest.raises(MissingCredentialError, match="meteo_france_default"):
        plan_observations(LIVE, departments=["44"], run_type="scheduled")
    keyless.file(SYNOP, synop_file([("07222", LAST_HOUR - HOUR, 7.0)]))
    jobs = [job for job in files() if job["job_id"].startswith("weather:synop-202403")]
    read(jobs)
    assert [(station, value) for station, _, _, _, value in versions()] == [(NANTES, 7.0)]
    later = Window(LIVE.start + HOUR, LIVE.end + HOUR)
    assert {job["job_id"] for job in files(later)} & {job["job_id"] for job in jobs} == set(), "again in the next hour"
