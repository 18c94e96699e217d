"""Runs, files and attempts through the API, on the real engine: asked for, looked at in pages, released."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.api.data.cursors import encode_cursor
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.file_api import INJECTION, NAME, NOW, pages, serving, url, with_a_warehouse
from tests.services.file_loads_data import (
    HOSTILE,
    HOSTILE_ERROR,
    add_busy_week,
    add_candidate,
    add_file,
    add_load,
    add_run,
    declaration,
    declare,
)

service = pytest.fixture(scope="module")(serving)
api = pytest.fixture(with_a_warehouse)


def test_a_run_that_is_asked_for_waits_and_then_begins_under_its_id(api):
    declare()
    asked = api.post(url(NAME, "runs"), json={"dry_run": True})
    assert asked.status_code == 202, asked.text
    wanted = asked.json()
    assert (wanted["run_id"], wanted["is_dry_run"]) == (f"requested__{wanted['request_id']}", True)
    assert asked.headers["location"] == f"runs/{wanted['run_id']}"
    waiting = api.get(url(NAME, "runs", wanted["run_id"])).json()
    assert (waiting["state"], waiting["requested_by"], waiting["is_dry_run"]) == ("requested", "writer", True)
    assert [run["run_id"] for run in api.get(url(NAME, "runs")).json()["items"]] == [wanted["run_id"]]

    add_run(NAME, wanted["run_id"], at=NOW, is_dry_run=True)
    begun = api.get(url(NAME, "runs", wanted["run_id"])).json()
    assert (begun["state"], begun["requested_by"]) == ("success", "writer")
    (only,) = api.get(url(NAME, "runs")).json()["items"]
    assert only == begun


def test_what_is_not_enabled_or_not_there_is_not_run(api):
    declare(enabled=False)
    assert api.post(url(NAME, "runs"), json={}).status_code == 409
    assert api.post(url("nobody"), json={}).status_code == 405
    assert api.post(url("nobody", "runs"), json={}).status_code == 404
    for rest in (["runs"], ["runs", "r"], ["runs", "r", "planned"], ["files"], ["loads"]):
        assert api.get(url("nobody", *rest)).status_code == 404
    missing = api.get(url(NAME, "runs", "r"))
    assert (missing.status_code, "'r'" in missing.json()["detail"]) == (404, True)


def test_a_request_that_nobody_took_up_for_a_day_has_lapsed(api):
    from powersense.warehouse.files.declarations import write_request

    declare()
    with connect("writer") as client:
        write_request(
            client,
            request_id="old",
            ingestion=NAME,
            is_dry_run=False,
            requested_by="bob",
            at=datetime.now(UTC) - timedelta(hours=25),
        )
    assert api.get(url(NAME, "runs", "requested__old")).json()["state"] == "lapsed"


def test_runs_come_newest_first_in_pages_without_a_gap_or_a_repeat(api):
    declare()
    # Five of them begin in the same microsecond.
    expected = [f"run{number}" for number in range(12)]
    for number, run_id in enumerate(expected):
        add_run(NAME, run_id, at=NOW - timedelta(microseconds=max(0, number - 4)))
    expected[:5] = reversed(expected[:5])
    listed = pages(api, url(NAME, "runs"), limit=3)
    assert [len(page) for page in listed] == [3, 3, 3, 3]
    assert [run["run_id"] for page in listed for run in page] == expected


def test_files_are_found_by_state_and_text_in_pages(api):
    add_busy_week()
    files = url(NAME, "files")
    listed = [file["path"] for page in pages(api, files, limit=4) for file in page]
    assert listed == sorted(listed)
    assert len(listed) == 11
    (bad,) = api.get(files, params={"state": "quarantined"}).json()["items"]
    assert (bad["path"], bad["error"], bad["attempts"]) == (HOSTILE, HOSTILE_ERROR, 4)
    assert [file["path"] for file in api.get(files, params={"containing": "FÉVRIER"}).json()["items"]] == [HOSTILE]
    replaced = [file["path"] for file in api.get(files).json()["items"] if file["is_replaced"]]
    assert replaced == ["in/2024-02-09.csv.gz"]


def test_a_released_file_is_new_again_and_a_loaded_one_cannot_be_released(api):
    add_busy_week()
    release = url(NAME, "files", "release")
    assert api.post(release, json={"path": HOSTILE}).status_code == 204
    (file,) = api.get(url(NAME, "files"), params={"containing": "février"}).json()["items"]
    assert (file["state"], file["attempts"]) == ("new", 0)
    again = api.post(release, json={"path": HOSTILE})
    loaded = api.post(release, json={"path": "in/2024-02-01.csv.gz"})
    assert {again.status_code, loaded.status_code} == {409}
    assert api.post(release, json={"path": INJECTION}).status_code == 409


def test_attempts_are_found_by_run_file_and_outcome(api):
    declare()
    for number in range(7):
        add_load(NAME, f"{number}.csv", at=NOW - timedelta(seconds=number // 3), run_id="r1")
    add_load(NAME, HOSTILE, at=NOW, run_id="r2", outcome="quarantined", error=HOSTILE_ERROR, attempt=2)
    add_load(NAME, HOSTILE, at=NOW, run_id="r2", outcome="failed", attempt=1)
    loads = url(NAME, "loads")
    of_run = [load["path"] for page in pages(api, loads, run_id="r1", limit=2) for load in page]
    assert of_run == ["2.csv", "1.csv", "0.csv", "5.csv", "4.csv", "3.csv", "6.csv"]
    of_file = [load["attempt"] for page in pages(api, loads, path=HOSTILE, limit=1) for load in page]
    assert of_file == [2, 1]
    (bad,) = api.get(loads, params={"outcome": "quarantined"}).json()["items"]
    assert (bad["path"], bad["error"]) == (HOSTILE, HOSTILE_ERROR)


def test_a_dry_run_tells_what_it_would_load(api):
    declare()
    add_run(NAME, "dry", at=NOW, is_dry_run=True, comparison_id="c1")
    for path in ("b.csv", HOSTILE, "a.csv"):
        add_candidate(NAME, path, comparison_id="c1", reason="changed", at=NOW)
    add_candidate(NAME, "of an earlier comparison.csv", comparison_id="c0", at=NOW)
    listed = [file for page in pages(api, url(NAME, "runs", "dry", "planned"), limit=2) for file in page]
    assert [file["path"] for file in listed] == sorted(["a.csv", "b.csv", HOSTILE])
    assert {file["reason"] for file in listed} == {"changed"}


def test_statements_and_nonsense_in_any_parameter_do_nothing(api):
    declare()
    add_file(NAME, "a.csv", at=NOW)
    asked: list[tuple[list[str], dict[str, str], set[int]]] = [
        ([INJECTION], {}, {404}),
        ([NAME, "runs"], {"after": INJECTION}, {422}),
        ([NAME, "runs"], {"after": encode_cursor("9999-12-31T23:59:59+00:00", "")}, {422}),
        ([NAME, "runs", INJECTION], {}, {404}),
        ([NAME, "runs", INJECTION, "planned"], {}, {200}),
        ([NAME, "files"], {"containing": INJECTION}, {200}),
        ([NAME, "files"], {"state": INJECTION}, {422}),
        ([NAME, "files"], {"limit": "501"}, {422}),
        ([NAME, "files"], {"limit": "0"}, {422}),
        ([NAME, "loads"], {"path": INJECTION}, {200}),
        ([NAME, "loads"], {"run_id": "\x00\\'"}, {200}),
        ([NAME, "loads"], {"after": encode_cursor("yesterday", "", "1")}, {422}),
        ([NAME, "loads"], {"after": encode_cursor(NOW.isoformat(), "", "99999999")}, {422}),
    ]
    for parts, parameters, statuses in asked:
        answer = api.get(url(*parts), params=parameters)
        assert answer.status_code in statuses, (parts, parameters, answer.text)
        assert answer.json().get("items", []) == []
        assert "ClickHouse" not in answer.text
    assert [file["path"] for file in api.get(url(NAME, "files")).json()["items"]] == ["a.csv"]


def test_a_real_run_shows_as_it_went(api, tmp_path, monkeypatch):
    from powersense.autoloader.steps import run_once

    monkeypatch.setenv("FILE_SOURCE_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    (tmp_path / "good août.csv").write_text("meter_id,energy_kwh\na,1.5\nb,2\n")
    (tmp_path / "bad.csv").write_text("<html><body>404</body></html>\n")
    source = {"uri": f"file://{tmp_path}/*.csv", "connection": "", "schedule": ""}
    assert api.post(url(), json=declaration(**source)).status_code == 201
    run_once(NAME, run_id="dry", dry_run=True)
    planned = api.get(url(NAME, "runs", "dry", "planned")).json()["items"]
    assert [file["reason"] for file in planned] == ["new", "new"]
    run_once(NAME, run_id="first")
    run = api.get(url(NAME, "runs", "first")).json()
    assert (run["state"], run["files_loaded"], run["files_quarantined"], run["rows_loaded"]) == ("partial", 1, 1, 2)
    assert api.get(url(NAME)).json()["last_run"] == run
    (bad,) = api.get(url(NAME, "files"), params={"state": "quarantined"}).json()["items"]
    (load,) = api.get(url(NAME, "loads"), params={"path": bad["path"]}).json()["items"]
    assert (load["run_id"], load["outcome"], bad["path"].endswith("bad.csv")) == ("first", "quarantined", True)
    assert load["error"] == bad["error"] != ""
    assert api.post(url(NAME, "files", "release"), json={"path": bad["path"]}).status_code == 204
    run_once(NAME, run_id="second")
    again = api.get(url(NAME, "runs", "second")).json()
    assert (again["files_retried"], again["files_new"], again["files_quarantined"]) == (1, 0, 1)
