"""Weather ingestion against a real HTTP server and the real engine: corrections, retries, gaps, quotas, bad input."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.errors import (
    MalformedResponseError,
    MissingCredentialError,
    RateLimitedError,
    SourceNotFoundError,
    SourceRequestError,
    SourceUnavailableError,
    TruncatedExportError,
)
from powersense.settings import get_settings
from powersense.weather import fetch_files, fetch_observations, plan_files, plan_observations, store_forecasts
from powersense.window import Window
from tests.services.weather_server import (
    API_KEY,
    API_PATH,
    HOUR,
    Reply,
    WeatherServer,
    forecast_answer,
    hourly_file,
    observation,
    synop_file,
)

NOW = datetime(2024, 3, 10, 10, 12, tzinfo=UTC)
LAST_HOUR = NOW.replace(minute=0)
LIVE = Window(NOW - HOUR, NOW)
NANTES, BLAIN = "44020001", "44015001"
LATEST = "/hourly/H_44_latest-2024-2025.csv.gz"
SYNOP = "/synop/synop.202403.csv.gz"


@pytest.fixture
def upstream(warehouse, monkeypatch):
    """The server; settings and the connection with its key lead to it."""
    with WeatherServer() as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_METEO_FRANCE_DEFAULT",
            json.dumps({"conn_type": "http", "host": server.url, "password": API_KEY}),
        )
        monkeypatch.setenv("METEO_HOURLY_URL", f"{server.url}/hourly")
        monkeypatch.setenv("SYNOP_URL", f"{server.url}/synop")
        monkeypatch.setenv("WEATHER_FORECAST_URL", f"{server.url}/forecast")
        monkeypatch.setenv("METEO_REQUESTS_PER_MINUTE", "0")
        monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "2")
        monkeypatch.setenv("HISTORY_START_YEAR", "2024")
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


@pytest.fixture
def keyless(upstream, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps({"conn_type": "http", "host": upstream.url}))
    return upstream


def query(sql, **parameters):
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        return client.query(sql, parameters=parameters).result_rows


def versions(metric="temperature_c"):
    return query(
        "SELECT station, observed_at, toString(vintage), version, value FROM weather_observations FINAL "
        "WHERE metric = {metric:String} ORDER BY ALL",
        metric=metric,
    )


def quarantined():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason ORDER BY reason"))


def observe(run_id, *, departments=("44",), window=LIVE):
    jobs = plan_observations(window, departments=departments, run_type="scheduled")
    return [fetch_observations(job, run_id=run_id, dag_id="ingest_weather") for job in jobs]


def files(window=LIVE, *, departments=("44",), run_type="scheduled"):
    return plan_files(window, departments=departments, run_type=run_type)


def read(jobs, run_id="r"):
    return [fetch_files(job, run_id=run_id, dag_id="ingest_weather") for job in jobs]


def a_range(start, end):
    return Window(start, end, is_explicit=True)


def test_a_late_correction_is_a_new_version_and_a_repetition_is_none(upstream):
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR, 10.0), observation(NANTES, LAST_HOUR - HOUR, 9.0)])
    (first,) = observe("a")
    (again,) = observe("b")
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR, 10.4), observation(NANTES, LAST_HOUR - HOUR, 9.0)])
    (corrected,) = observe("c")
    assert (first["rows_new"], again["rows_new"] + again["rows_revised"], corrected["rows_revised"]) == (8, 0, 1)
    assert [(version, value) for _, at, _, version, value in versions() if at == LAST_HOUR] == [(1, 10.0), (2, 10.4)]
    assert [value for _, at, _, _, value in versions() if at == LAST_HOUR - HOUR] == [9.0]


def test_a_value_that_is_taken_back_becomes_null(upstream):
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR, 10.0), observation(NANTES, LAST_HOUR - HOUR, 9.0)])
    observe("a")
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR, None), observation(NANTES, LAST_HOUR - HOUR, 9.0)])
    observe("b")
    assert [value for _, at, _, _, value in versions() if at == LAST_HOUR] == [10.0, None]


def test_a_task_tried_again_leaves_the_same_table_and_counts(upstream):
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR)])
    (job,) = plan_observations(LIVE, departments=["44"], run_type="scheduled")
    first = fetch_observations(job, run_id="r", dag_id="d")
    before = versions()
    assert fetch_observations(job, run_id="r", dag_id="d") == first
    assert versions() == before
    assert query("SELECT count(), uniqExact(batch_id) FROM ingestion_runs FINAL WHERE state = 'success'") == [(1, 1)]


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


def test_a_429_with_retry_after_is_waited_for(upstream):
    upstream.observations(lambda _: [observation(NANTES, LAST_HOUR)])
    upstream.queued[API_PATH] = [Reply(b'{"message": "quota"}', 429, {"Retry-After": "1"})]
    (outcome,) = observe("a")
    assert outcome["rows_new"] == 4
    assert upstream.calls[API_PATH] == 2


def test_a_quota_that_is_used_up_for_long_is_not_hammered(upstream):
    upstream.handlers[API_PATH] = lambda _: Reply(b"{}", 429, {"Retry-After": "3600"})
    with pytest.raises(RateLimitedError, match="meteo_france_default") as refused:
        observe("a")
    assert refused.value.retry_after_seconds == 3600
    assert upstream.calls[API_PATH] == 1


def test_the_key_goes_to_the_api_alone_and_nowhere_else(upstream, caplog):
    caplog.set_level("DEBUG")
    with WeatherServer() as elsewhere:
        elsewhere.observations(lambda _: [])
        there = f"http://localhost:{elsewhere.port}{API_PATH}?id-departement=44"
        upstream.queued[API_PATH] = [Reply(b"", 302, {"Location": there})]
        observe("a")
        assert elsewhere.keys == {None}
    assert upstream.keys == {API_KEY}
    upstream.queued[API_PATH] = [Reply(b'{"message": "Invalid Credentials"}', 401)]
    with pytest.raises(SourceRequestError, match="401") as refused:
        observe("b")
    recorded = query("SELECT toString(tuple(*)) FROM ingestion_runs FINAL")
    planned = plan_observations(LIVE, departments=["44"], run_type="scheduled")
    assert API_KEY not in f"{refused.value} {recorded} {caplog.text} {planned}"


def test_bad_records_are_set_aside_and_the_others_stored(upstream):
    upstream.observations(
        lambda _: [
            observation(NANTES, LAST_HOUR, 10.0),
            observation(NANTES, LAST_HOUR - HOUR, 99.0),
            observation("44999999", LAST_HOUR),
            observation("44999999", LAST_HOUR - HOUR),
            {**observation(NANTES, LAST_HOUR - 2 * HOUR), "validity_time": "yesterday"},
            observation(NANTES, datetime(2090, 1, 1, tzinfo=UTC)),
            {**observation(NANTES, LAST_HOUR - 3 * HOUR), "geo_id_insee": None},
            observation(NANTES, LAST_HOUR - 4 * HOUR, ff="strong"),
            observation(BLAIN, LAST_HOUR, 1.0),
            observation(BLAIN, LAST_HOUR, 1.0),
            observation(BLAIN, LAST_HOUR - HOUR, 1.0),
            observation(BLAIN, LAST_HOUR - HOUR, 2.0),
            ["no record"],  # type: ignore[list-item]
        ]
    )
    observe("a")
    assert quarantined() == {
        "bad_instant": 1,
        "contradicting_duplicate": 1,
        "future_value": 1,
        "malformed_record": 1,
        "missing_key": 1,
        "not_a_number": 1,
        "out_of_range": 1,
        "unknown_station": 1,
    }
    assert {(station, at) for station, at, *_ in versions()} == {
        (NANTES, LAST_HOUR),
        (NANTES, LAST_HOUR - 4 * HOUR),
        (BLAIN, LAST_HOUR),
        (BLAIN, LAST_HOUR - HOUR),
    }
    area = query("SELECT area, observed_at FROM quarantine FINAL WHERE reason = 'out_of_range'")
    assert area == [("Pays de la Loire", LAST_HOUR - HOUR)]
    observe("b")
    assert sum(quarantined().values()) == 8, "the same bad records are the same rows"


HOURLY_JOB = a_range(NOW - 72 * HOUR, NOW - 24 * HOUR)
GOOD_FILE = hourly_file([(NANTES, LAST_HOUR - 40 * HOUR, 5.0, "1"), (NANTES, LAST_HOUR - 41 * HOUR, 6.0, "1")])


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"<html><body>Maintenance</body></html>", MalformedResponseError, "H_44_latest.*<html>"),
        (gzip.compress(GOOD_FILE.encode())[:-20], TruncatedExportError, "H_44_latest.*cut or damaged"),
        (
            gzip.compress(GOOD_FILE.replace(";T;", ";TEMP;").encode()),
            MalformedResponseError,
            r"H_44_latest-2024-2025\.csv\.gz: column \['T'\] is absent",
        ),
        (
            gzip.compress(GOOD_FILE.replace("AAAAMMJJHH", "DATE").encode()),
            MalformedResponseError,
            r"column \['AAAAMMJJHH'\] is absent",
        ),
        (gzip.compress(b""), MalformedResponseError, "is absent from the header"),
    ],
    ids=["HTML instead of gzip", "truncated gzip", "no temperature column", "no instant column", "empty"],
)
def test_a_broken_file_is_a_named_error_and_heals(upstream, body, error, message):
    job = next(job for job in files(HOURLY_JOB) if job["source_id"] == "hourly")
    upstream.handlers[LATEST] = lambda _: Reply(body)
    with pytest.raises(error, match=message):
        read([job])
    assert versions() == []
    upstream.file(LATEST, GOOD_FILE)
    read([job])
    assert len(versions()) == 2
    assert query("SELECT DISTINCT state FROM ingestion_runs FINAL") == [("success",)]


def test_a_broken_line_of_a_file_is_set_aside(upstream):
    upstream.file(LATEST, GOOD_FILE + "44020001;NANTES;cut\n")
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "hourly"])
    assert len(versions()) == 2
    assert quarantined() == {"malformed_record": 1}


def test_synop_that_holds_an_instant_twice_keeps_it_once_and_a_contradiction_is_set_aside(upstream):
    at = LAST_HOUR - 40 * HOUR
    upstream.file(SYNOP, synop_file([("07222", at, 1.0)] * 2 + [("07240", at, 1.0), ("07240", at, 2.0)]))
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "synop"])
    assert len(versions()) == 2
    assert quarantined() == {"contradicting_duplicate": 1}


def test_synop_of_overseas_is_left_out_and_an_unknown_mainland_number_set_aside(upstream):
    at = LAST_HOUR - 40 * HOUR
    upstream.file(SYNOP, synop_file([("07222", at, 1.0), ("61980", at, 25.0), ("07999", at, 1.0)]))
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "synop"])
    assert [station for station, *_ in versions()] == [NANTES]
    assert query("SELECT reason, detail FROM quarantine FINAL") == [("unknown_station", "numer_sta 07999")]


def test_a_server_that_is_down_is_a_named_error_on_the_run_record(upstream):
    upstream.handlers[API_PATH] = lambda _: Reply(b"", 503)
    with pytest.raises(SourceUnavailableError, match="503"):
        observe("a")
    assert upstream.calls[API_PATH] == 2
    ((error,),) = query("SELECT error FROM ingestion_runs FINAL WHERE state = 'failed'")
    assert error.startswith("SourceUnavailableError: ")


def test_a_forecast_is_stored_as_issued_once(upstream):
    from powersense.warehouse.client import connect
    from powersense.warehouse.weather import latest_weather_forecast

    midnight = NOW.replace(hour=0, minute=0)
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight)
    counts = store_forecasts(LIVE, run_id="a")
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight, celsius=20.0)
    assert store_forecasts(LIVE, run_id="a")["rows_stored"] == 0, "an issued run is never replaced"
    assert counts["runs_stored"] == 1
    assert upstream.forecast_queries[0]["wind_speed_unit"] == ["ms"]
    with connect("reader") as client:
        start = LAST_HOUR + timedelta(minutes=30)
        found = latest_weather_forecast(
            client,
            areas=["France", "Bretagne"],
            as_of=datetime(2200, 1, 1, tzinfo=UTC),
            start=start,
            end=start + 168 * HOUR,
        )
    assert list(found.groupby("area").size()) == [168, 168]
    assert found["temperature_c"].round(9).eq(8.0).all()
    assert found["run_at"].eq(LAST_HOUR).all()
    assert found["target_at"].min() == LAST_HOUR + HOUR


def test_a_forecast_for_another_day_than_the_run_s_is_not_passed_off_as_its_own(upstream):
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=datetime(2024, 3, 20, tzinfo=UTC))
    counts = store_forecasts(LIVE, run_id="a")
    assert (counts["runs_out_of_date"], counts["rows_stored"]) == (1, 0)
    assert query("SELECT count() FROM weather_forecasts") == [(0,)]


def test_an_impossible_forecast_value_is_set_aside(upstream):
    midnight = NOW.replace(hour=0, minute=0)
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight, celsius=80.0)
    counts = store_forecasts(LIVE, run_id="a")
    assert counts["values_quarantined"] > 0
    assert quarantined().keys() == {"out_of_range"}
    assert query("SELECT DISTINCT metric FROM weather_forecasts ORDER BY metric") == [
        ("cloud_cover_pct",),
        ("wind_speed_ms",),
    ]
