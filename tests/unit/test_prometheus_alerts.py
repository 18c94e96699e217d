"""What Alertmanager sends becomes one message for people; what it never sends is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from powersense.api.app import create_app
from powersense.api.auth import key_access, new_key
from powersense.quality import notify
from powersense.settings import get_settings

# Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
KEYS = {scope: new_key(scope, scope) for scope in ("read", "write")}


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "PowerSenseDown", "severity": "critical"},
        "annotations": {"summary": "It is away", "description": "No figures", "runbook": "docs/observability.md#x"},
        "startsAt": "2026-11-22T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://p",
        "fingerprint": "f",
    } | changes


def notice(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "people", "alerts": list(alerts)} | changes


@pytest.fixture
def app() -> Iterator[TestClient]:
    yield TestClient(create_app(key_access([entry for _, entry in KEYS.values()])))
    get_settings.cache_clear()


def send(app: TestClient, body: Any, *, scope: str = "write") -> Any:
    return app.post("/prometheus-alerts", json=body, headers={"Authorization": f"Bearer {KEYS[scope][0]}"})


def test_a_notice_is_one_message_with_all_its_alerts(app: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    forged = alert(labels={"alertname": "Other"}, annotations={"summary": "line\nPowerSense closed: forged"})
    answer = send(app, notice(alert(), forged, truncatedAlerts=3))
    assert (answer.status_code, answer.json()) == (200, {"told": 1, "failed": 0})
    [said] = [record.getMessage() for record in caplog.records if record.name == notify.__name__]
    assert said == (
        "Prometheus firing [critical] PowerSenseDown (+4)\n"
        "[firing] PowerSenseDown\nIt is away\nNo figures\n"
        "Since 2026-11-22 10:00 UTC. Runbook: docs/observability.md#x\n\n"
        "[firing] Other\nline PowerSense closed: forged\nSince 2026-11-22 10:00 UTC."
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-22T11:30:00.123456789+01:00", "2026-11-22 10:30"),
        ("0001-01-01T00:00:00+14:00", "1-01-01 00:00"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31 23:59"),
    ],
)
def test_instants_of_any_zone_and_age_are_told_in_utc(
    app: TestClient, caplog: pytest.LogCaptureFixture, given: str, told: str
) -> None:
    assert send(app, notice(alert(startsAt=given))).status_code == 200
    assert f"{told} UTC." in caplog.text


def test_a_notice_that_no_target_takes_is_given_back_so_that_alertmanager_tries_again(
    app: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_NOTIFY_URLS", "json://127.0.0.1:9/nobody")
    get_settings.cache_clear()
    answer = send(app, notice(alert()))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        (notice(), "alerts"),
        (notice(*[alert()] * 51), "alerts"),
        (notice(alert(status="odd")), "alerts[0].status"),
        (notice(alert(labels="x")), "alerts[0].labels"),
        (notice(alert(startsAt="soon")), "alerts[0].startsAt"),
        (notice(alert(), truncatedAlerts=-1), "truncatedAlerts"),
    ],
)
def test_what_is_no_notice_is_refused_where_it_is_wrong(app: TestClient, body: Any, field: str) -> None:
    answer = send(app, body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_telling_people_wants_the_right_to_operate(app: TestClient) -> None:
    assert send(app, notice(alert()), scope="read").status_code == 403
    assert app.post("/prometheus-alerts", json=notice(alert())).status_code == 401
