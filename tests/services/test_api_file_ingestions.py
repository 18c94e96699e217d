"""File ingestions through the API, on the real engine: declared, replaced, deleted, listed, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.warehouse.client import connect
from tests.services.file_api import NAME, READ, pages, serving, url, with_a_warehouse
from tests.services.file_loads_data import add_busy_week, add_file, declaration, declare

service = pytest.fixture(scope="module")(serving)
api = pytest.fixture(with_a_warehouse)


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
