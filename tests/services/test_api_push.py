"""`POST /measurements` on the real engine: versions, quarantine, one answer to one request, others' series."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.auth import new_key
from powersense.ingest import pushing
from powersense.settings import get_settings
from powersense.warehouse import pushes
from powersense.warehouse.client import connect
from tests.services.api_data import served
from tests.services.scoring_data import insert, loads

_MADE = {name: new_key(name, scope) for name, scope in (("alice", "write"), ("bob", "write"), ("eve", "read"))}
KEYS = {name: key for name, (key, _) in _MADE.items()}
CONFIGURED = ",".join(f"{entry.name}:{entry.scope}:{entry.sha256}" for _, entry in _MADE.values())
ROOT = Path(__file__).resolve().parents[2]
PATH = "measurements"
DAY = datetime(2018, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def api(module_warehouse) -> Iterator[TestClient]:
    with TestClient(create_service(CONFIGURED), base_url=f"http://alone{URL_PREFIX}/") as client:
        yield client


def record(metric: str, hour: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "area": "Bretagne",
        "metric": metric,
        "observed_at": f"2018-01-10T{hour:02}:00:00Z",
        "value": 100.0 + hour,
    } | changes


def send(api: TestClient, records: Any, *, key: str, who: str = "alice", **more: Any) -> Any:
    headers = {"X-API-Key": KEYS[who], "Idempotency-Key": key}
    return api.post(PATH, json={"measurements": records} | more, headers=headers)


def versions(metric: str) -> list[tuple[Any, ...]]:
    with connect("reader") as client:
        return [
            tuple(row)
            for row in client.query(
                "SELECT toHour(observed_at, 'UTC'), version, value, toString(vintage), publisher, source, run_id "
                "FROM measurements FINAL WHERE metric = {metric:String} ORDER BY observed_at, vintage, version",
                parameters={"metric": metric},
            ).result_rows
        ]


def test_what_is_pushed_is_read_as_versions_of_the_callers_own_publisher(api):
    first = send(api, [record("own", 0), record("own", 1), record("own", 2, value=None)], key="a1", source="site-7")
    assert (first.status_code, first.json()) == (
        201,
        {"batch_id": first.json()["batch_id"], "received": 3, "new_versions": 2, "unchanged": 1, "quarantined": 0,
         "problems": []},
    )  # fmt: skip
    second = send(api, [record("own", 0, value=7), record("own", 1)], key="a2", source="site-7").json()
    assert (second["new_versions"], second["unchanged"]) == (1, 1)
    taken_back = send(api, [record("own", 0, value=None)], key="a3", source="site-7").json()
    assert taken_back["new_versions"] == 1
    stamps = ("realtime", "push:site-7", "site-7", "api:alice")
    assert versions("own") == [
        (0, 1, 100.0, *stamps),
        (0, 2, 7.0, *stamps),
        (0, 3, None, *stamps),
        (1, 1, 101.0, *stamps),
    ]
    question = {"metrics": "own", "start": "2018-01-10T00:00:00Z", "end": "2018-01-11T00:00:00Z"}
    # An earlier version with a value counts where the newest has none, as in every read.
    read = api.get(PATH, params=question, headers={"X-API-Key": KEYS["eve"]}).json()["items"]
    assert [(row["value"], row["publisher"], row["run_id"]) for row in read] == [
        (7.0, "push:site-7", "api:alice"),
        (101.0, "push:site-7", "api:alice"),
    ]
    runs = api.get("runs", params={"sources": "push:site-7"}, headers={"X-API-Key": KEYS["eve"]}).json()["items"]
    assert {(run["state"], run["dag_id"], run["run_id"]) for run in runs} == {("success", "api", "api:alice")}
    assert [run["batch_id"] for run in runs if run["records_seen"] == 3] == [first.json()["batch_id"]]


def test_the_same_request_is_done_once_and_its_key_is_taken(api):
    records = [record("once", hour) for hour in range(3)] + [record("once", 3, value="x")]
    first = send(api, records, key="same")
    send(api, [record("once", 0, value=1.5)], key="later")
    again = send(api, records, key="same")
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert [row[:3] for row in versions("once")][:2] == [(0, 1, 100.0), (0, 2, 1.5)]
    other = send(api, records[:1], key="same")
    assert (other.status_code, "key of its own" in other.json()["detail"]) == (409, True)
    # Another caller's keys are other keys.
    assert send(api, [record("once_bob")], key="same", who="bob").status_code == 201


def test_at_the_same_time_too(api):
    records = [record("race", hour) for hour in range(20)]
    bodies = [records] * 4 + [records[:10]] * 4
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: send(api, body, key="race"), bodies))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 201, 409}
    assert statuses.count(409) == 4
    (told,) = {json.dumps(answer.json()) for answer in answers if answer.status_code != 409}
    assert json.loads(told)["new_versions"] in {10, 20}
    assert len(versions("race")) == json.loads(told)["new_versions"]


@pytest.mark.parametrize("step", ["quarantine", "land", "store", "answer"])
def test_one_that_was_cut_short_goes_on_where_it_is_sent_again(api, monkeypatch, step):
    from powersense.warehouse import landing, quarantine

    class _Killed(BaseException):
        """As a process ends: nothing of ours catches it."""

    def killed(*_: Any, **__: Any) -> None:
        raise _Killed

    metric = f"cut_{step}"
    records = [record(metric, 0), record(metric, 1, value="x")]
    place = {"quarantine": (quarantine, "quarantine"), "land": (landing, "land"), "store": (pushing, "store_all")}
    monkeypatch.setattr(*place.get(step, (pushes, "keep_answer")), killed)
    request = pushing.PushRequest("alice", metric, "alice", records, "0" * 64)
    with pytest.raises(_Killed), connect("writer") as client:
        pushing.push(client, request)
    monkeypatch.undo()
    with connect("writer") as client:
        # What came meanwhile is newer than what is tried again.
        newer = pushing.PushRequest("alice", f"{metric}-2", "alice", [record(metric, 0, value=7)], "1" * 64)
        pushing.push(client, newer)
        answer, was_answered = pushing.push(client, request)
        assert (answer.received, answer.quarantined, was_answered) == (2, 1, False)
        assert pushing.push(client, request) == (answer, True)
    assert versions(metric)[-1][2] == 7.0
    with connect("reader") as client:
        kept = client.query(
            "SELECT count() FROM quarantine FINAL WHERE record LIKE {like:String}", parameters={"like": f"%{metric}%"}
        ).first_row[0]
    assert kept == 1


def test_what_breaks_the_contract_is_set_aside_and_named_and_the_rest_is_stored(api):
    bad = [{"area": "Mars"}, {"observed_at": "2018-01-10T00:00:00"}, {"value": "x'); DROP TABLE measurements; --"}]
    records: list[Any] = [record("mixed", 5), *(record("mixed", 6) | changes for changes in bad), 17]
    answer = send(api, records, key="mixed", source="site-9").json()
    assert (answer["received"], answer["new_versions"], answer["quarantined"]) == (5, 1, 4)
    assert [(problem["field"], problem["reason"]) for problem in answer["problems"]] == [
        ("measurements[1].area", "unknown_area"),
        ("measurements[2].observed_at", "bad_instant"),
        ("measurements[3].value", "not_a_number"),
        ("measurements[4]", "malformed_record"),
    ]
    with connect("reader") as client:
        rows = client.query("SELECT record FROM quarantine FINAL WHERE source = 'push:site-9'").result_rows
    kept = [json.loads(text) for (text,) in rows]
    assert sorted(map(str, kept)) == sorted(map(str, records[1:]))


def test_a_long_list_of_faults_is_told_in_part_and_kept_whole(api):
    answer = send(api, [record("long", value=str(number)) for number in range(150)], key="long").json()
    assert (answer["quarantined"], len(answer["problems"]), answer["new_versions"]) == (150, 100, 0)
    with connect("reader") as client:
        kept = client.query("SELECT count() FROM quarantine FINAL WHERE record LIKE '%\"long\"%'").first_row[0]
    assert kept == 150


def test_nobody_pushes_into_the_series_of_others(api):
    insert(loads("2018-01-01", "2018-01-02"), metric="puits_de_rte", inserted_at=datetime(2018, 1, 3, tzinfo=UTC))
    tried = [record(metric, hour=3) for metric in ("consommation", "consommation_anomaly_zscore", "puits_de_rte")]
    answer = send(api, tried, key="foreign").json()
    assert (answer["new_versions"], {problem["reason"] for problem in answer["problems"]}) == (0, {"foreign_series"})
    assert "rte publishes" in answer["problems"][2]["remedy"]
    # RTE has it for Bretagne only.
    assert send(api, [record("puits_de_rte", area="Normandie")], key="elsewhere").json()["new_versions"] == 1
    assert send(api, [record("first_come")], key="first").json()["new_versions"] == 1
    refused = send(api, [record("first_come", value=1)], key="second", who="bob").json()
    assert (refused["quarantined"], "push:alice" in refused["problems"][0]["remedy"]) == (1, True)
    # Who answers for the series may change keys.
    carried_on = send(api, [record("first_come", value=1)], key="third", who="bob", source="alice").json()
    assert carried_on["new_versions"] == 1


def test_of_two_that_came_first_at_once_the_first_stays(api):
    names = ["metric", "area", "observed_at", "vintage", "publisher", "version", "value", "inserted_at"]
    rows = [
        ["both", "Bretagne", DAY, "realtime", publisher, 1, 5.0, DAY.replace(day=day)]
        for publisher, day in (("push:zoe", 11), ("push:alice", 12))
    ]
    series = {("both", "Bretagne")}
    with connect("writer") as client:
        client.insert("measurements", rows, column_names=names)
        assert pushes.owners_other_than(client, "push:alice", series) == {("both", "Bretagne"): "push:zoe"}
        assert pushes.owners_other_than(client, "push:zoe", series) == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "measurements"),
        ({"measurements": []}, "measurements"),
        ({"measurements": {"area": "France"}}, "measurements"),
        ({"measurements": [1], "source": "a b"}, "source"),
        ({"measurements": [1], "source": 5}, "source"),
        ({"measurements": [1], "colour": "red"}, "colour"),
        ([], "body"),
    ],
)
def test_a_body_that_is_no_request_is_refused_whole(api, body, field):
    answer = api.post(PATH, json=body, headers={"X-API-Key": KEYS["alice"], "Idempotency-Key": "k"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["field"] == field
    with connect("reader") as client:
        assert pushes.claimed(client, caller="alice", key="k") is None


def test_a_body_that_nests_too_deeply_or_is_no_json_is_refused(api):
    headers = {"X-API-Key": KEYS["alice"], "Idempotency-Key": "k", "Content-Type": "application/json"}
    for content in (
        '{"measurements": [' + "[" * 1000 + "]" * 1000 + "]}",
        '{"measurements": [NaN]}',
        '{"measurements"',
    ):
        assert api.post(PATH, content=content, headers=headers).status_code == 422


@pytest.mark.parametrize("key", [None, "", "with blank", "x" * 129, "é"])
def test_a_request_without_a_usable_key_is_refused(api, key):
    headers = [("X-API-Key", KEYS["alice"]), *([("Idempotency-Key", key.encode())] if key is not None else [])]
    answer = api.post(PATH, json={"measurements": [record("keyless")]}, headers=headers)
    assert (answer.status_code, "Idempotency-Key" in answer.json()["errors"][0]["field"]) == (422, True)
    assert versions("keyless") == []


def test_the_command_of_the_document_works_as_written(api, module_warehouse):
    text = (ROOT / "docs" / "api.md").read_text().split("\n## Pushing measurements\n")[1]
    command = text.split("```bash\n")[1].split("```")[0]
    with served(CONFIGURED) as address:
        written = command.replace("http://127.0.0.1:8090/powersense/api/v1", address)
        assert address in written
        names = f'KEY="X-API-Key: {KEYS["alice"]}"; JSON="Content-Type: application/json"; '
        told = subprocess.run(
            ["bash", "-euc", names + written], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    answer = json.loads(told)
    assert (answer["received"], answer["new_versions"], answer["problems"]) == (2, 1, [])
    assert [row[4] for row in versions("site_load")] == ["push:site-7"]


def test_who_may_only_read_pushes_nothing_and_limits_hold(api, monkeypatch):
    assert send(api, [record("forbidden")], key="eve", who="eve").status_code == 403
    plain = {"X-API-Key": KEYS["alice"], "Idempotency-Key": "t", "Content-Type": "text/plain"}
    assert api.post(PATH, content=b"{}", headers=plain).status_code == 415
    monkeypatch.setenv("API_PUSH_MAX_ROWS", "2")
    get_settings.cache_clear()
    many = send(api, [record("many", hour) for hour in range(3)], key="many")
    large = send(api, [record("many", area="m" * 2_000)], key="large")
    monkeypatch.undo()
    get_settings.cache_clear()
    assert (many.status_code, large.status_code) == (413, 413)
    assert "API_PUSH_MAX_ROWS" in many.json()["detail"]
    assert versions("many") == []
