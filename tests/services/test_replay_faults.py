"""The replay's faults over real HTTP, as portals have them, and the control room that sets them."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
import requests

from powersense.local.replay import ReplayServer
from tests.services.replay_portal import GOLDEN, NATIONAL, get, records, restored, serving

running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(restored)


def test_answers_carry_the_quota_and_the_log_remembers_requests(portal: ReplayServer) -> None:
    first = get(portal, f"{NATIONAL}/records", where="consommation is null", limit=1)
    second = get(portal, f"{NATIONAL}/records", limit=1)
    assert int(first.headers["X-RateLimit-Remaining"]) - int(second.headers["X-RateLimit-Remaining"]) == 1
    logged = portal.requests[0]
    assert (logged.dataset, logged.endpoint, logged.status, logged.faults) == (NATIONAL, "records", 200, ())
    assert logged.parameters == {"where": ["consommation is null"], "limit": ["1"]}


@pytest.mark.parametrize("errorcode", [10002, 10005])
def test_rate_limit_answers_429_with_body_headers_and_retry_after(portal: ReplayServer, errorcode: int) -> None:
    name = {10002: "quota_domain", 10005: "quota_anonymous"}[errorcode]
    expected = json.loads((GOLDEN / "ods_error_bodies.json").read_text())[name]["body"]
    limits = {"call_limit": expected["call_limit"], "reset_time": expected["reset_time"]}
    portal.inject("rate_limit", dataset="*-tr", times=2, retry_after=7, errorcode=errorcode, **limits)
    for _ in range(2):
        answer = get(portal, f"{NATIONAL}/records")
        assert answer.status_code == 429
        assert answer.json() == expected
        assert answer.headers["Retry-After"] == "7"
        assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert get(portal, f"{NATIONAL}/records").status_code == 200
    assert [request.faults for request in portal.requests] == [("rate_limit",), ("rate_limit",), ()]


def test_server_error_and_html_strike_only_their_endpoint(portal: ReplayServer) -> None:
    portal.inject("server_error", endpoint="exports", status=503)
    portal.inject("html", endpoint="records")
    assert get(portal, f"{NATIONAL}/exports/json").status_code == 503
    page = get(portal, f"{NATIONAL}/records")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<html>" in page.text
    portal.clear("html")
    assert len(records(portal)) == 10


def test_timeout_hangs_until_cleared(portal: ReplayServer) -> None:
    portal.inject("timeout", times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        get(portal, f"{NATIONAL}/records", timeout=0.3)
    assert get(portal, f"{NATIONAL}/records").status_code == 200
    portal.inject("timeout", seconds=0.1, times=1)
    assert get(portal, f"{NATIONAL}/records").status_code == 504


def test_slow_stream_arrives_whole_in_small_parts(portal: ReplayServer) -> None:
    portal.inject("slow_stream", chunk_bytes=2_000, delay=0.1)
    began = time.monotonic()
    with requests.get(f"{portal.api_url}/{NATIONAL}/records", timeout=5, stream=True) as answer:
        parts = list(answer.iter_content(chunk_size=None))
    assert len(parts) > 2
    assert time.monotonic() - began > 0.2
    assert len(json.loads(b"".join(parts))["results"]) == 10


def test_truncated_cuts_the_connection_or_only_the_body_or_appends_the_text(portal: ReplayServer) -> None:
    whole = get(portal, f"{NATIONAL}/exports/json").text
    portal.inject("truncated", times=1, mode="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(portal, f"{NATIONAL}/exports/json")
    portal.inject("truncated", times=1, mode="clean", at=0.25)
    shortened = get(portal, f"{NATIONAL}/exports/json")
    assert shortened.status_code == 200
    assert whole.startswith(shortened.content.decode(errors="ignore"))
    assert len(shortened.content) < len(whole.encode()) / 3
    portal.inject("truncated", times=1, mode="interrupted")
    interrupted = get(portal, f"{NATIONAL}/exports/csv")
    assert interrupted.status_code == 200
    assert "Streaming interrupted due to the following error: " in interrupted.text


def test_malformed_json_claims_to_be_json_and_is_not(portal: ReplayServer) -> None:
    portal.inject("malformed_json", times=1)
    answer = get(portal, f"{NATIONAL}/exports/json")
    assert answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_record_faults_strike_records_and_every_export(portal: ReplayServer) -> None:
    import pyarrow.parquet as pq

    parameters = {"where": "date = '2017-10-01'", "order_by": "date_heure", "limit": 96}
    before = records(portal, **parameters)
    portal.inject("revised", dataset=NATIONAL, add=1000)
    portal.inject("schema_drift", dataset=NATIONAL)
    after = records(portal, **parameters)
    assert [row["consommation"] for row in after] == [row["consommation"] + 1000 for row in before]
    assert get(portal, f"{NATIONAL}/exports/json", **parameters).json() == after
    text = get(portal, f"{NATIONAL}/exports/csv", **parameters).content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert [int(line["consommation"]) for line in lines] == [row["consommation"] for row in after]
    assert {line["nouvelle_filiere"] for line in lines} == {"42"}
    table = pq.read_table(io.BytesIO(get(portal, f"{NATIONAL}/exports/parquet", **parameters).content))
    assert table["consommation"].to_pylist() == [row["consommation"] for row in after]
    assert portal.requests[-1].faults == ("revised", "schema_drift")
    portal.clear()
    assert records(portal, **parameters) == before


def test_faults_are_listed_started_and_ended_over_http(portal: ReplayServer) -> None:
    control = f"{portal.base_url}/replay/faults"
    fault = {"fault": "rate_limit", "dataset": "*", "times": 2, "retry_after": 1}
    started = requests.post(control, json=fault, timeout=5)
    assert started.status_code == 201
    assert fault.items() <= started.json()[0].items()
    assert get(portal, f"{NATIONAL}/records").status_code == 429
    assert [(one["fault"], one["times"]) for one in requests.get(control, timeout=5).json()] == [("rate_limit", 1)]
    assert requests.delete(control, params={"fault": "html"}, timeout=5).json() == {"cleared": 0}
    assert requests.delete(control, timeout=5).json() == {"cleared": 1}
    refused = requests.post(control, json={"fault": "earthquake"}, timeout=5)
    assert refused.status_code == 400
    assert "expected one of" in refused.json()["error"]
    assert requests.post(control, data="{", timeout=5).status_code == 400


def test_the_clock_is_moved_over_http(portal: ReplayServer) -> None:
    later = {"clock": "2017-10-06T00:07:00+02:00"}
    status = requests.post(f"{portal.base_url}/replay/clock", json=later, timeout=5).json()
    assert status["recorded_wall_clock"] == "2017-10-06T00:07:00"
    assert status["is_frozen"]
    newest = records(portal, where="consommation is not null", order_by="date_heure desc", limit=1)[0]
    assert newest["date_heure"] == "2017-10-05T21:45:00+00:00"


def test_a_foreign_host_name_is_refused(portal: ReplayServer) -> None:
    answer = requests.get(f"{portal.base_url}/replay/status", headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 400
