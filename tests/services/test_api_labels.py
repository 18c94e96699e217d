"""Labels of episodes through the API, on the real engine: saying, listing, taking back, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.warehouse.client import connect
from tests.services.api_data import DAY, HOUR, fill
from tests.services.scoring_data import table

READ, WRITE = "ps_label_read", "ps_label_write"
KEYS = ",".join(
    f"{name}:{scope}:{hashlib.sha256(key.encode()).hexdigest()}"
    for name, scope, key in (("onlooker", "read", READ), ("operator", "write", WRITE))
)
NOTHING = {"label": None, "comment": None, "author": None, "labelled_at": None}
INJECTION = "e0' OR 1=1; DROP TABLE episode_labels --"


@pytest.fixture(scope="module")
def filled(module_warehouse) -> None:
    fill(module_warehouse.marts_database)


@pytest.fixture
def api(filled) -> Iterator[TestClient]:
    """The service on a warehouse in which nobody has said anything yet."""
    with TestClient(create_service(KEYS), base_url=f"http://alone{URL_PREFIX}/") as client:
        client.headers["Authorization"] = f"Bearer {WRITE}"
        yield client
    with connect("writer") as client:
        client.command("TRUNCATE TABLE episode_labels")


def ok(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def put(api: TestClient, episode_id: str, label: str, comment: str = "") -> dict[str, Any]:
    return ok(api.put(f"episodes/{quote(episode_id, safe='')}/label", json={"label": label, "comment": comment}))


def test_a_label_is_shown_wherever_its_episode_is_and_taken_back_by_a_later_word(api):
    before = datetime.now(UTC) - timedelta(seconds=1)
    said = put(api, "e0", "false_alarm", 'l\'été "noir" ✓\n')
    assert (said["label"], said["comment"], said["author"]) == ("false_alarm", 'l\'été "noir" ✓\n', "operator")
    assert before < datetime.fromisoformat(said["labelled_at"]) < datetime.now(UTC) + timedelta(seconds=1)
    rows = {row["episode_id"]: row for row in ok(api.get("episodes"))["items"]}
    shown = {"label": "false_alarm", "label_comment": said["comment"], "labelled_by": "operator"}
    assert rows["e0"].items() >= (shown | {"labelled_at": said["labelled_at"]}).items()
    assert [rows["e1"][name] for name in (*shown, "labelled_at")] == [None] * 4

    put(api, "e0", "true_event")
    taken = ok(api.delete("episodes/e0/label"))
    assert (taken["label"], taken["author"]) == (None, "operator")
    detail = ok(api.get("episodes/e0"))
    assert [word["label"] for word in detail["labels"]] == [None, "true_event", "false_alarm"]
    assert detail["labels"][0]["labelled_at"] == taken["labelled_at"] > said["labelled_at"]
    assert detail["label"] is None
    # Taking back again, or what was never said, adds no word.
    assert ok(api.delete("episodes/e0/label")) == taken
    assert ok(api.delete("episodes/e1/label")) == {"episode_id": "e1"} | NOTHING
    assert len(ok(api.get("episodes/e0"))["labels"]) == 3


def test_one_episode_comes_with_its_detectors_scores_and_in_whatever_state(api):
    detail = ok(api.get("episodes/e1"))
    assert (detail["area"], detail["points"], detail["state"]) == ("France", 4, "closed")
    instants = [row["observed_at"] for row in detail["scores"]]
    assert instants == ["2018-01-10T00:00:00Z", "2018-01-10T01:00:00Z"]
    assert detail["scores"][0] == {
        "observed_at": instants[0], "value_mw": 1.5, "expected_mw": 2000.0, "lower_mw": 1700.0, "upper_mw": 2300.0,
        "z_score": -20.0, "is_anomaly": True,
    }  # fmt: skip
    assert ok(api.get("episodes/e2"))["state"] == "retracted"
    put(api, "e2", "data_error")
    assert ok(api.get("episodes/e2"))["label"] == "data_error"


def test_episodes_are_found_by_label_and_by_detector(api):
    put(api, "e0", "false_alarm")

    def found(**question: Any) -> list[str]:
        return sorted(row["episode_id"] for row in ok(api.get("episodes", params=question))["items"])

    assert found(labels="false_alarm") == ["e0"]
    assert found(labels="none") == ["e1"]
    assert found(labels=["false_alarm", "none"]) == found() == ["e0", "e1"]
    assert found(labels="true_event") == found(detectors="another") == []
    assert found(detectors=["robust", "another"]) == ["e0", "e1"]
    csv = api.get("episodes", params={"labels": "false_alarm"}, headers={"Accept": "text/csv"}).text
    assert csv.count("false_alarm") == 1


def put_alarm(number: int, *, label: str = "false_alarm", **changed: Any) -> None:
    """Store a label of an episode that another installation's rule once found."""
    start = DAY - number * timedelta(days=1)
    row = {
        "episode_id": f"old{number}", "label": label, "comment": "", "author": "test", "detector": "robust",
        "metric": "consommation", "area": "Bretagne", "direction": "low", "started_at": start,
        "ended_at": start + HOUR, "peak_z_score": -9.0, "labelled_at": DAY + number * HOUR,
    } | changed  # fmt: skip
    with connect("writer") as client:
        client.insert("episode_labels", [list(row.values())], column_names=list(row))


def test_widened_bands_are_listed_by_kind_with_the_alarms_that_count_at_the_newest_score(api):
    assert ok(api.get("thresholds")) == []
    for number in (1, 2, 3):
        put_alarm(number)
    put_alarm(4, started_at=DAY - timedelta(days=365, hours=-3))
    # More than a year before the newest score at 02:00; another label; taken back since.
    put_alarm(5, started_at=DAY - timedelta(days=365, hours=-2))
    put_alarm(6, label="data_error")
    put_alarm(7)
    put_alarm(7, label="none", labelled_at=DAY + 8 * HOUR)
    for number in range(10, 17):
        put_alarm(number, area="France", direction="high", detector="forecast_day")
    low, high = sorted(ok(api.get("thresholds")), key=lambda row: row["area"])
    assert low == {
        "detector": "robust", "area": "Bretagne", "direction": "low", "factor": pytest.approx(1.8), "false_alarms": 4,
        "since": "2018-01-10T01:00:00Z", "episodes": ["old1", "old2", "old3", "old4"],
    }  # fmt: skip
    assert (high["area"], high["direction"], high["factor"], high["false_alarms"]) == ("France", "high", 2.0, 7)
    put(api, "e0", "false_alarm")
    assert ok(api.get("thresholds"))[-1]["episodes"][0] == "e0"
    ok(api.delete("episodes/e0/label"))
    assert ok(api.get("thresholds"))[-1] == low


def test_of_many_words_at_once_each_is_kept_and_the_last_one_counts(api):
    words = ["true_event", "data_error", "false_alarm"] * 4
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda word: put(api, "e0", word), words))
    detail = ok(api.get("episodes/e0"))
    assert sorted(word["label"] for word in detail["labels"]) == sorted(words)
    last = max(said, key=lambda word: word["labelled_at"])
    assert (detail["label"], detail["labelled_at"]) == (last["label"], last["labelled_at"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"label": "none"}, "label"),
        ({"label": None}, "label"),
        ({"comment": "x"}, "label"),
        ({"label": "data_error", "comment": 3}, "comment"),
        ({"label": "data_error", "comment": "x" * 2_001}, "comment"),
        ({"label": "data_error", "author": "someone else"}, "author"),
        ([], "body"),
    ],
)
def test_what_is_no_label_is_refused_by_field(api, body, field):
    answer = api.put("episodes/e0/label", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert ok(api.get("episodes/e0"))["labels"] == []


def test_other_bodies_unknown_episodes_and_readers_are_refused(api):
    url, label = "episodes/e0/label", {"label": "data_error"}
    assert api.put(url, content=b"label=data_error").status_code == 415
    assert api.put(url, content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    assert api.put(url, json=label | {"comment": "x" * 70_000}).status_code == 413
    for unknown in ("nowhere", INJECTION, "e0\x00\t", "é" * 3_000):
        at = f"episodes/{quote(unknown, safe='')}"
        for answer in (api.get(at), api.put(f"{at}/label", json=label), api.delete(f"{at}/label")):
            assert answer.status_code == 404
            assert "GET /episodes" in answer.json()["detail"]
    for name, value in (("labels", INJECTION), ("detectors", INJECTION)):
        assert api.get("episodes", params={name: value}).status_code == (422 if name == "labels" else 200)
    reader = {"Authorization": f"Bearer {READ}"}
    for answer in (api.put(url, json=label, headers=reader), api.delete(url, headers=reader)):
        assert answer.status_code == 403
    assert ok(api.get("episodes/e0", headers=reader))["labels"] == []
    assert ok(api.get("thresholds", headers=reader)) == []
    assert int(table("SELECT count() AS rows FROM episode_labels")["rows"].iloc[0]) == 0
