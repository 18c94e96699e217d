"""Météo-France's observation API: corrections, retries, quotas, its key, and a server that is down."""

from __future__ import annotations

import pytest

from powersense.errors import RateLimitedError, SourceRequestError, SourceUnavailableError
from powersense.weather import fetch_observations, plan_observations
from tests.services.weather_server import API_KEY, API_PATH, HOUR, Reply, WeatherServer, observation
from tests.services.weather_steps import LAST_HOUR, LIVE, NANTES, observe, serving, versions
from tests.warehouses import query

upstream = pytest.fixture(serving)


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


def test_a_server_that_is_down_is_a_named_error_on_the_run_record(upstream):
    upstream.handlers[API_PATH] = lambda _: Reply(b"", 503)
    with pytest.raises(SourceUnavailableError, match="503"):
        observe("a")
    assert upstream.calls[API_PATH] == 2
    ((error,),) = query("SELECT error FROM ingestion_runs FINAL WHERE state = 'failed'")
    assert error.startswith("SourceUnavailableError: ")
