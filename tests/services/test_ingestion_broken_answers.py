"""Answers of the portal that are broken, late or refused: a named error on the run record, then recovery."""

from __future__ import annotations

import pytest

from powersense.errors import (
    MalformedResponseError,
    RateLimitedError,
    SourceRequestError,
    SourceUnavailableError,
    TruncatedExportError,
)
from powersense.ingest import fetch
from powersense.ingest.jobs import job
from powersense.settings import get_settings
from tests.services.replay_portal import serving
from tests.services.replayed_ingestion import (
    END,
    JOBS,
    START,
    connected,
    measurements,
    quarantined,
    run,
    stored_without_faults,
)
from tests.warehouses import query

running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(connected)
fault_free = pytest.fixture(stored_without_faults)


@pytest.fixture
def time_out(monkeypatch):
    """Set the time-out of one read, in seconds."""

    def change(seconds):
        monkeypatch.setenv("HTTP_TIMEOUT_SECONDS", str(seconds))
        get_settings.cache_clear()

    return change


def last_error():
    rows = query("SELECT error FROM ingestion_runs FINAL WHERE state = 'failed' ORDER BY started_at DESC LIMIT 1")
    return rows[0][0] if rows else ""


def test_a_run_without_faults_stores_all_areas_and_quarantines_nothing(warehouse, portal, fault_free):
    outcome = run()
    assert measurements() == fault_free
    assert len(query("SELECT DISTINCT area FROM measurements")) == 13
    assert outcome["rows_new"] == len(fault_free)
    assert outcome["rows_quarantined"] == 0
    assert quarantined() == {}
    assert query("SELECT DISTINCT state FROM ingestion_runs FINAL") == [("success",)]


def test_a_second_run_of_the_same_answer_changes_nothing(warehouse, portal, fault_free):
    run("first")
    again = run("second")
    assert (again["rows_new"], again["rows_revised"]) == (0, 0)
    assert measurements() == fault_free


ANSWER_FAULTS = [
    pytest.param("rate_limit", {"retry_after": 3600}, RateLimitedError, id="429 with an hour to wait"),
    pytest.param("rate_limit", {"retry_after": 0}, RateLimitedError, id="429 again and again"),
    pytest.param("server_error", {"status": 500}, SourceUnavailableError, id="500"),
    pytest.param("server_error", {"status": 503}, SourceUnavailableError, id="503"),
    pytest.param("timeout", {}, SourceUnavailableError, id="time-out"),
    pytest.param("slow_stream", {"chunk_bytes": 64, "delay": 0.2}, SourceUnavailableError, id="trickling answer"),
    pytest.param("truncated", {"mode": "cut"}, TruncatedExportError, id="connection cut"),
    pytest.param("truncated", {"mode": "interrupted"}, TruncatedExportError, id="streaming interrupted in a 200"),
    pytest.param("truncated", {"mode": "clean"}, TruncatedExportError, id="valid JSON with too few records"),
    pytest.param("malformed_json", {}, MalformedResponseError, id="malformed JSON"),
    pytest.param("html", {}, MalformedResponseError, id="HTML instead of JSON"),
]


@pytest.mark.parametrize(("kind", "options", "error"), ANSWER_FAULTS)
def test_a_broken_answer_is_a_named_error_on_the_run_record_and_heals(  # noqa: PLR0917
    warehouse, portal, fault_free, time_out, kind, options, error
):
    portal.inject(kind, endpoint="exports", **options)
    if kind in ("timeout", "slow_stream"):
        time_out(0.3)
    with pytest.raises(error) as raised:
        run()
    assert last_error().startswith(f"{type(raised.value).__name__}: ")
    assert measurements() == set()
    portal.clear()
    time_out(30)
    run()
    assert measurements() == fault_free
    assert quarantined() == {}
    states = query("SELECT DISTINCT state FROM ingestion_runs FINAL")
    assert states == [("success",)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rate_limit", {"retry_after": 1}),
        ("server_error", {}),
        ("timeout", {}),
        ("truncated", {"mode": "cut"}),
        ("truncated", {"mode": "clean"}),
        ("malformed_json", {}),
        ("html", {}),
    ],
    ids=str,
)
def test_one_broken_answer_is_retried_within_the_task(  # noqa: PLR0917
    warehouse, portal, fault_free, time_out, kind, options
):
    portal.inject(kind, endpoint="exports", times=1, **options)
    time_out(3)
    run()
    assert measurements() == fault_free


def test_a_used_up_quota_is_not_hammered(warehouse, portal):
    portal.inject("rate_limit", retry_after=3600)
    before = len(portal.requests)
    with pytest.raises(RateLimitedError, match="10005") as refused:
        fetch(JOBS[0], run_id="r", dag_id="ingest_load")
    assert len(portal.requests) - before == 1
    assert refused.value.retry_after_seconds == 3600


def test_a_refused_request_is_not_retried(warehouse, portal, tmp_path, monkeypatch):
    extra = tmp_path / "sources.yaml"
    extra.write_text(
        "sources: [{id: gone, dataset: no-such-dataset, role: live, publisher: rte, fixed_area: France, "
        "fixed_vintage: realtime}]"
    )
    monkeypatch.setenv("POWERSENSE_SOURCES_FILE", str(extra))
    get_settings.cache_clear()
    before = len(portal.requests)
    with pytest.raises(SourceRequestError, match=r"404.*no-such-dataset"):
        fetch(job("live", "gone", START, END), run_id="r", dag_id="ingest_load")
    assert len(portal.requests) - before <= 1
