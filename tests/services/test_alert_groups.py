"""Groups of alerts on the real engine: the incident of 30 September 2017 replayed, and what people do about groups."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from powersense.quality.alerts import apply_findings
from powersense.quality.check import check
from powersense.quality.events import raise_event
from powersense.quality.outbox import deliver
from powersense.quality.rules import Finding, Severity, failed_task
from powersense.score import score_interval
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.alert_people import KEYS, People, groups, run_check, service_for_people, stale, tell
from tests.services.scoring_data import insert, paris_day
from tests.services.test_incident_2017 import (
    FIRST_RUN,
    INCIDENT_DAY,
    NEVER_CONSOLIDATED,
    PUBLICATION_DELAY,
    SAMPLE,
    labels,
    loads_of,
    published_by_month,
)
from tests.services.webhook import Webhook, clear, listening, opened

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

webhook = pytest.fixture(listening)

# Apprise imports a module of the standard library that Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PAGE = "https://airflow.example.org/powersense/page/"
NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
# After a silence of a night the regions were published again from 8:30 on.
NEXT_NOON = datetime(2017, 10, 1, 12, tzinfo=UTC)
# A summer of history is enough to know a regional load by.
SUMMER = datetime(2017, 6, 1, tzinfo=UTC)
AREAS = ["Bretagne", "Normandie", "Occitanie"]


@pytest.fixture
def warehouse(module_warehouse: Warehouse) -> Warehouse:
    """The module's warehouse, without alerts."""
    clear()
    return module_warehouse


@pytest.fixture
def boss(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Somebody who is told of what nobody takes on."""
    with opened() as hook:
        monkeypatch.setenv("ALERT_ESCALATE_URLS", hook.url)
        monkeypatch.setenv("POWERSENSE_PUBLIC_URL", PAGE)
        get_settings.cache_clear()
        yield hook


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    """The API, alone."""
    with service_for_people() as client:
        yield client


@pytest.fixture
def people(warehouse: Warehouse, service: TestClient) -> People:
    return People(service)


@pytest.fixture(scope="module")
def incident(module_warehouse: Warehouse) -> None:
    """The loads around the incident as they were published, scored up to the first run that saw it."""
    for path in SAMPLE.glob("eCO2mix_RTE_*En-cours-*.xls.xz"):
        loads = loads_of(path.name, path.read_bytes())
        loads = loads[loads["observed_at"].between(SUMMER, NEXT_NOON, inclusive="left")]
        if "_En-cours-TR" in path.name:
            insert(loads, inserted_at=loads["observed_at"] + PUBLICATION_DELAY)
            continue
        for published_at, group in published_by_month(loads):
            insert(group, vintage="consolidated", inserted_at=published_at)
    day_start, _ = paris_day(INCIDENT_DAY)
    score_interval(day_start, FIRST_RUN, run_id="first run", as_of=FIRST_RUN)


def test_the_incident_is_one_group_told_once_escalated_taken_on_and_closed(
    incident: None, people: People, webhook: Webhook, boss: Webhook
) -> None:
    # Ten regions are labelled; of the two others that broke down nobody knows what was true.
    struck = sorted({*labels()["area"], *NEVER_CONSOLIDATED})
    assert len(struck) == 12
    check(FIRST_RUN, "first check")

    group = people.group(rules="load_anomaly")
    assert (group["state"], group["severity"], group["areas"], group["alerts"]) == ("open", "critical", struck, 12)
    (message,) = webhook.received
    assert f"Page: {PAGE}#/alerts/{group['group_id']}\nRunbook: docs/runbook.md#load_anomaly" in message["message"]
    assert [message["message"].count(f"Anomalous load in {area}, one of 12 areas at once") for area in struck] == [
        1
    ] * 12
    assert [entry["kind"] for entry in group["history"]] == ["opened"] * 12 + ["notified"]
    assert boss.received == []

    # Nobody takes it on: those who heard of it hear of it again, and others with them, once.
    assert tell(minutes=29)["notified"] == 0
    tell(minutes=31)
    tell(minutes=46)
    assert [title.split("]")[0] for title in webhook.titles[1:]] == ["PowerSense unacknowledged [critical"]
    assert [title.split("]")[0] for title in boss.titles] == ["PowerSense unacknowledged [critical"]
    assert "Nobody has acknowledged it." in boss.received[0]["message"]

    path = f"alert-groups/{group['group_id']}/acknowledgement"
    taken = people.ask("POST", path, by="bob", json={"comment": "RTE is asked"})
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "bob")
    check(FIRST_RUN + QUARTER, "second check")
    tell(minutes=300)
    assert len(boss.received) == 1

    # The next day it is over: the group closes with its last alert, and says who had it.
    score_interval(FIRST_RUN, NEXT_NOON, run_id="next noon", as_of=NEXT_NOON)
    check(NEXT_NOON, "last check")
    closed = people.group(rules="load_anomaly", states="closed")
    assert {member["state"] for member in closed["members"]} == {"closed"}
    assert "Acknowledged by bob" in boss.received[-1]["message"]
    assert boss.titles[-1].startswith("PowerSense closed [critical] Anomalous load in")
    kinds = [entry["kind"] for entry in closed["history"] if entry["who"] in {"", "bob"}]
    assert kinds == ["opened"] * 12 + ["closed"] * 12 + ["acknowledged"]
    people.ask("POST", path, by="bob", json={}, status=409)


def test_eight_checks_at_once_that_find_different_things_open_one_group(warehouse: Warehouse, webhook: Webhook) -> None:
    barrier = threading.Barrier(8)

    def one(number: int) -> None:
        barrier.wait()
        found = [stale(area) for area in AREAS[: number % 3 + 1]]
        with connect("writer") as client:
            # A rule that did not run to its end closes nothing.
            apply_findings(client, found, checked=(), now=NOON, run_id=f"run-{number}")
            deliver(client, settings=get_settings(), run_id=f"run-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    run_check(*map(stale, AREAS), at=NOON + QUARTER)

    assert groups() == [tuple(AREAS)]
    told = "\n".join(message["message"] for message in webhook.received)
    assert min(told.count(f"No recent load for {area}\n") for area in AREAS) == 1


def test_tasks_that_fail_at_once_in_processes_of_their_own_are_one_group(warehouse: Warehouse) -> None:
    barrier = threading.Barrier(4)

    def fail(number: int) -> None:
        finding = failed_task(dag_id="load_files", task_id=f"load[{number}]", dag_run_id="r", error="disk full")
        barrier.wait()
        raise_event(finding, now=datetime.now(UTC), run_id="r")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fail, range(4)))
    assert len(groups()) == 1
    assert len(groups()[0]) == 4


def test_what_opens_soon_after_joins_and_is_told_what_opens_later_is_another_group(
    warehouse: Warehouse, webhook: Webhook
) -> None:
    bretagne, normandie, occitanie = map(stale, AREAS)
    run_check(bretagne, at=NOON)
    run_check(bretagne, normandie, at=NOON + 60 * MINUTE)
    run_check(bretagne, normandie, occitanie, at=NOON + 121 * MINUTE)

    assert groups() == [("Bretagne", "Normandie"), ("Occitanie",)]
    assert webhook.titles == [
        "PowerSense opened [warning] No recent load for Bretagne",
        "PowerSense joined [warning] No recent load for Normandie",
        "PowerSense opened [warning] No recent load for Occitanie",
    ]
    # One of two recovers: nobody is told before the other does.
    run_check(normandie, occitanie, at=NOON + 130 * MINUTE)
    assert len(webhook.received) == 3
    run_check(occitanie, at=NOON + 140 * MINUTE)
    assert webhook.titles[3] == "PowerSense closed [warning] No recent load for Bretagne (+1)"


def test_an_acknowledgement_holds_for_its_severity_and_is_given_back(
    people: People, webhook: Webhook, boss: Webhook
) -> None:
    run_check(stale("Bretagne"), at=NOON)
    group = people.group()
    path = f"alert-groups/{group['group_id']}/acknowledgement"
    people.ask("POST", path, by="reader", json={}, status=403)
    people.ask("POST", path, by="bob", json={})
    assert people.ask("POST", path, by="bob", json={})["state"] == "acknowledged"
    people.ask("POST", f"alert-groups/{group['group_id']}/comments", by="eve", json={"comment": "☂"}, status=201)
    people.ask("POST", f"alert-groups/{group['group_id']}/comments", by="eve", json={"comment": "  "}, status=422)

    # It gets worse: open again, and told.
    run_check(stale("Bretagne", Severity.CRITICAL), at=NOON + QUARTER)
    worse = people.group(states="open", severities="critical")
    assert (worse["acknowledged_by"], worse["acknowledged_at"]) == (None, None)
    assert webhook.titles[-1] == "PowerSense escalated [critical] No recent load for Bretagne"

    # Taken on by another, given back: the time until others hear of it runs anew.
    assert people.ask("POST", path, by="eve", json={})["acknowledged_by"] == "eve"
    tell(minutes=31)
    assert people.ask("DELETE", path, by="eve")["state"] == "open"
    assert people.ask("DELETE", path, by="eve")["state"] == "open"
    tell(minutes=29)
    assert boss.received == []
    tell(minutes=31)
    assert len(boss.received) == 1
    acts = [(entry["kind"], entry["who"]) for entry in people.group()["history"] if entry["who"] in KEYS]
    assert acts == [("acknowledged", "bob"), ("comment", "eve"), ("acknowledged", "eve"), ("unacknowledged", "eve")]


def test_a_silence_hides_its_areas_and_what_is_still_open_at_its_end_is_told_then(
    people: People, webhook: Webhook
) -> None:
    until = (datetime.now(UTC) + 60 * MINUTE).isoformat()
    wish = {"rules": ["stale_data"], "areas": ["bretagne", "Normandie"], "ends_at": until, "reason": "works"}
    people.ask("POST", "silences", by="reader", json=wish, status=403)
    silence = people.ask("POST", "silences", by="bob", json=wish, status=201)
    assert (silence["areas"], silence["author"], silence["state"]) == (["Bretagne", "Normandie"], "bob", "active")

    run_check(stale("Bretagne"), stale("Normandie"), at=NOON)
    group = people.group()
    assert datetime.fromisoformat(group["silenced_until"]) == datetime.fromisoformat(until)
    assert ("silenced", "bob", "works") in [(e["kind"], e["who"], e["text"]) for e in group["history"]]
    assert webhook.received == []

    # Another area joins, which no silence covers: only that one is told.
    run_check(*map(stale, AREAS), at=NOON + QUARTER)
    assert people.group()["silenced_until"] is None
    assert webhook.titles == ["PowerSense opened [warning] No recent load for Occitanie"]
    assert "2 more below a silence" in webhook.received[0]["message"]

    tell(minutes=59)
    assert len(webhook.received) == 1
    tell(minutes=61)
    assert webhook.titles[1:] == ["PowerSense joined [warning] No recent load for Bretagne (+1)"]


def test_silences_are_listed_ended_and_checked(people: People, webhook: Webhook) -> None:
    now = datetime.now(UTC)

    def wish(**changes: Any) -> dict[str, Any]:
        return {"reason": "works", "ends_at": (now + 60 * MINUTE).isoformat()} | changes

    everything = people.ask("POST", "silences", by="bob", json=wish(), status=201)["silence_id"]
    later = {"starts_at": (now + 30 * MINUTE).isoformat()}
    coming = people.ask("POST", "silences", by="bob", json=wish(**later), status=201)["silence_id"]
    run_check(Finding("ingestion_errors", Severity.CRITICAL, "Ingestion fails", "HTTP 500", key="x"), at=NOON)
    assert webhook.received == []

    def listed(**asked: Any) -> list[str]:
        return [row["silence_id"] for row in people.ask("GET", "silences", params=asked)["items"]]

    assert (listed(states="active"), listed(states="upcoming"), listed()) == (
        [everything],
        [coming],
        [coming, everything],
    )
    first = people.ask("GET", "silences", params={"limit": 1})
    assert [row["silence_id"] for row in people.ask("GET", "silences", params={"after": first["next"]})["items"]] == [
        everything
    ]
    ended = [people.ask("DELETE", f"silences/{each}", by="eve") for each in (everything, coming)]
    assert {(row["state"], row["ended_by"]) for row in ended} == {("past", "eve")}
    assert people.ask("DELETE", f"silences/{coming}", by="bob") == ended[1]
    assert listed(states=["active", "upcoming"]) == []
    tell()
    assert webhook.titles == ["PowerSense opened [critical] Ingestion fails"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x"}, "ends_at"),
        ({"reason": "x", "ends_at": "2017-10-01T00:00:00Z"}, "ends_at"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00Z"}, "ends_at"),
        ({"reason": "x", "ends_at": "tomorrow"}, "ends_at"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00"}, "ends_at"),
        ({"reason": " ", "ends_at": "2099-10-01T00:00:00Z"}, "reason"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00Z", "rules": ["x'); DROP TABLE alerts; --"]}, "rules[0]"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00Z", "rules": "stale_data"}, "rules"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00Z", "areas": ["Bretagne", "Mordor"]}, "areas[1]"),
        ({"reason": "x", "ends_at": "2099-10-01T00:00:00Z", "colour": "red"}, "colour"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_by_name(people: People, body: dict[str, Any], field: str) -> None:
    refused = people.ask("POST", "silences", by="bob", json=body, status=422)
    assert [problem["field"] for problem in refused["errors"]][:1] == [field]
    assert people.ask("GET", "silences")["items"] == []


def test_what_is_not_there_is_not_found_and_filters_filter(people: People, webhook: Webhook) -> None:
    for method, path in [
        ("GET", "alert-groups/nothing"),
        ("POST", "alert-groups/nothing/acknowledgement"),
        ("DELETE", "alert-groups/nothing/acknowledgement"),
        ("POST", "alert-groups/' OR 1=1 --/comments"),
        ("DELETE", "silences/nothing"),
    ]:
        options = {"json": {"comment": "x"}} if method == "POST" else {}
        assert people.ask(method, path, by="bob", status=404, **options)["title"] == "Not Found"
    run_check(stale("Bretagne"), stale("Normandie", Severity.CRITICAL), at=NOON)
    run_check(stale("Occitanie"), at=NOON + 2 * QUARTER)
    run_check(stale("Occitanie"), stale("France"), at=NOON + 8 * QUARTER)

    def found(**asked: Any) -> list[str]:
        return [",".join(row["areas"]) for row in people.ask("GET", "alert-groups", params=asked)["items"]]

    assert found() == ["France", "Bretagne,Normandie,Occitanie"]
    assert found(areas="Grand Est") == found(severities="critical") == []
    assert found(areas="Normandie") == ["Bretagne,Normandie,Occitanie"]
    assert found(start="2017-09-30T13:00:00Z", end="2017-09-30T13:30:00Z") == ["Bretagne,Normandie,Occitanie"]
    assert found(rules="late_run") == found(states="closed") == []
    first = people.ask("GET", "alert-groups", params={"limit": 1})
    assert [row["areas"] for row in people.ask("GET", "alert-groups", params={"after": first["next"]})["items"]] == [
        AREAS
    ]
    assert json.loads(json.dumps(people.ask("GET", "rules")))[0]["runbook"] == "docs/runbook.md#stale_data"
