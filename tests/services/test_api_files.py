"""File ingestions through the API, on the real engine: declare, run, look, release, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.cursors import encode_cursor
from powersense.settings import get_settings
from powersense.warehouse.client import connect
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

READ, WRITE = "ps_test_read", "ps_test_write"
KEYS = ",".join(
    f"{scope.rstrip('e')}er:{scope}:{hashlib.sha256(key.encode()).hexdigest()}"
    for scope, key in (("read", READ), ("write", WRITE))
)
BASE = "/file-ingestions"
NAME = "meter_readings"
NOW = datetime.now(UTC).replace(microsecond=123_456)
INJECTION = "x' OR 1=1; DROP TABLE file_states --"


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    """Calls the service with a key that may write; what it refuses by itself needs no warehouse."""
    with TestClient(create_service(KEYS), base_url="http://alone") as client:
        client.headers["Authorization"] = f"Bearer {WRITE}"
        yield client


@pytest.fixture
def api(service, warehouse) -> Any:
    """The same, on a warehouse of the test's own."""
    return service


def url(*parts: str) -> str:
    """Return an address below `/file-ingestions`, its parts escaped."""
    return "/".join([URL_PREFIX + BASE, *(quote(part, safe="") for part in parts)])


def pages(api: Any, address: str, **parameters: Any) -> list[list[dict[str, Any]]]:
    """Return the pages of a listing, each reached by the cursor of the one before."""
    found, after = [], ""
    while after is not None:
        answer = api.get(address, params={**parameters, "after": after})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        after = answer.json()["next"]
        assert len(found) < 50
    return found


def test_an_ingestion_lives_from_declaration_to_deletion(api):
    created = api.post(url(), json=declaration())
    assert created.status_code == 201, created.text
    assert created.headers["location"] == f"file-ingestions/{NAME}"
    told = api.get(url(NAME)).json()
    assert told == created.json()
    assert (told["origin"], told["changed_by"], told["is_enabled"]) == ("api", "writer", True)
    assert told["declaration"]["csv"]["delimiter"] == ","
    assert datetime.fromisoformat(told["next_due_at"]).strftime("%H:%M") == "06:00"
    assert (told["last_run"], set(told["files"].values())) == (None, {0})

    changes = declaration(schedule="", description="tous les compteurs, même désactivés")
    del changes["name"]
    replaced = api.put(url(NAME), json=changes)
    assert replaced.status_code == 200, replaced.text
    assert (replaced.json()["description"], replaced.json()["next_due_at"]) == (changes["description"], None)

    assert api.delete(url(NAME)).status_code == 204
    gone = api.get(url(NAME))
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")
    assert NAME in gone.json()["detail"]


def test_local_files_and_sources_that_nobody_declared_are_refused(api):
    local = api.post(url(), json=declaration(uri="file:///etc/*.csv"))
    assert (local.status_code, "FILE_SOURCE_FOLDERS" in local.json()["detail"]) == (409, True)
    ledger = {"kind": "measurements", "source": "nobody"}
    unknown = api.post(url(), json=declaration(format="portal_csv", target=ledger))
    assert (unknown.status_code, "nobody" in unknown.json()["detail"]) == (422, True)
    assert api.get(url()).json()["items"] == []


def test_a_name_that_is_taken_or_declared_in_yaml_conflicts(api, tmp_path):
    from powersense.autoloader.declarations import sync_yaml

    declare()
    assert api.post(url(), json=declaration()).status_code == 409
    (tmp_path / "in_yaml.yaml").write_text(
        "uri: s3://bucket/*.csv\nformat: csv\nschema_policy: evolve\ntarget: {kind: table, table: in_yaml}\n"
    )
    with connect("writer") as client:
        sync_yaml(client, folder=tmp_path)
    assert api.get(url("in_yaml")).json()["origin"] == "yaml"
    answers = [api.put(url("in_yaml"), json=declaration("in_yaml")), api.delete(url("in_yaml"))]
    assert {answer.status_code for answer in answers} == {409}
    assert "in_yaml.yaml" in answers[0].json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"format": "xlsx"}, "format", "'csv'"),
        ({"schedule": "every day"}, "schedule", "cron"),
        ({"uri": "ftp://host/x"}, "uri", "s3"),
        ({"retries": 11}, "retries", "10"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"target": {"kind": "table", "table": "t; DROP"}}, "target.table", "match"),
        (
            {"target": {"kind": "table", "table": "t", "columns": [{"name": "a"}, {"name": "b", "type": "Tuple()"}]}},
            "target.columns[1].type",
            "Float64",
        ),
        ({"target": {"kind": "measurements"}}, "target.source", "missing"),
        ({"target": {"kind": "elsewhere"}}, "target", "elsewhere"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_the_remedy(service, changes, field, words):
    answer = service.post(url(), json=declaration(**changes))
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert field in [problem["field"] for problem in told["errors"]]
    assert words in str(told["errors"])


def test_a_body_that_is_no_declaration_is_refused(service):
    sent = [
        service.post(url(), content=b"{", headers={"Content-Type": "application/json"}),
        service.post(url(), json=["a", "list"]),
        service.put(url(NAME), json=declaration("another_name")),
        service.post(url(NAME, "runs"), json={"dry_run": "perhaps"}),
        service.post(url(NAME, "files", "release"), json={}),
    ]
    assert [answer.status_code for answer in sent] == [422] * 5
    foreign = service.post(url(NAME, "runs"), content=b"{}", headers={"Content-Type": "text/plain"})
    large = service.post(url(), json=declaration(description="x" * 1_100_000))
    assert (foreign.status_code, large.status_code) == (415, 413)


def test_a_key_to_read_looks_and_changes_nothing(api):
    declare()
    key = {"Authorization": f"Bearer {READ}"}
    assert api.get(url(NAME), headers=key).status_code == 200
    refused = [
        api.post(url(), json=declaration("other"), headers=key),
        api.put(url(NAME), json=declaration(), headers=key),
        api.delete(url(NAME), headers=key),
        api.post(url(NAME, "runs"), json={}, headers=key),
        api.post(url(NAME, "files", "release"), json={"path": "a"}, headers=key),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert [item["name"] for item in api.get(url()).json()["items"]] == [NAME]


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
    from powersense.warehouse.file_declarations import write_request

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


def test_the_newest_run_that_loads_stands_at_the_ingestion(api):
    add_busy_week()
    told = {item["name"]: item for item in api.get(url()).json()["items"]}
    assert list(told) == ["meter_readings", "rte_yearly", "weather_archive"]
    meters = told[NAME]
    assert (meters["last_run"]["run_id"], meters["last_run"]["state"]) == ("scheduled__1", "partial")
    assert meters["files"] == {"new": 1, "loading": 0, "loaded": 8, "failed": 1, "quarantined": 1, "skipped": 0}
    assert meters["rows"] == 8_000
    assert told["rte_yearly"]["next_due_at"] is None
    assert [item["name"] for page in pages(api, url(), limit=2) for item in page] == list(told)


def test_an_ingestion_is_overdue_when_no_file_came_for_its_deadline(api):
    declare(deadline_hours=2.0)
    told = [api.get(url(NAME)).json()["is_overdue"]]
    # It counts when a file came, whatever became of it.
    for age, state in (((2, 1), "loaded"), ((1, 59), "quarantined")):
        came = datetime.now(UTC) - timedelta(hours=age[0], minutes=age[1])
        add_file(NAME, f"{state}.csv", state=state, at=came)
        told.append(api.get(url(NAME)).json()["is_overdue"])
    assert told == [False, True, False]


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
