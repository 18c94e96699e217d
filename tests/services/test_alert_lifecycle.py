"""Alerts on the real engine: opened, repeated, closed and reopened once, whoever and however many check."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from powersense.quality.alerts import apply_findings, latest_alerts
from powersense.quality.events import close_events, raise_event
from powersense.quality.outbox import deliver
from powersense.quality.rules import Finding, Severity, late_run
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.webhook import Webhook, clear, listening

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

webhook = pytest.fixture(listening)

# Apprise imports a module of the standard library that Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
STALE = Finding("stale_data", Severity.WARNING, "No recent load for Bretagne", "125 min old", area="Bretagne")
QUARTER = timedelta(minutes=15)


@pytest.fixture
def warehouse(module_warehouse: Warehouse) -> Warehouse:
    """The module's warehouse, without alerts."""
    clear()
    return module_warehouse


def run_check(*findings: Finding, at: datetime, run_id: str = "run") -> dict[str, int]:
    """Do what the check does after its rules have run."""
    with connect("writer") as client:
        counts = apply_findings(client, findings, checked=["stale_data"], now=at, run_id=run_id)
        return counts | deliver(client, settings=get_settings(), run_id=run_id)


def stored() -> list[dict[str, Any]]:
    with connect("reader") as client:
        result = client.query(
            "SELECT * FROM alerts FINAL ORDER BY opened_at, fingerprint", query_tz="UTC", tz_mode="aware"
        )
        return list(result.named_results())


def test_open_repeat_close_and_reopen_make_two_alerts_and_three_notices(warehouse: Warehouse, webhook: Webhook) -> None:
    run_check(STALE, at=NOON)
    run_check(STALE, at=NOON + QUARTER)
    run_check(at=NOON + 2 * QUARTER)
    run_check(at=NOON + 3 * QUARTER)
    run_check(STALE, at=NOON + 4 * QUARTER)

    first, second = stored()
    assert (first["state"], first["occurrences"], first["severity"]) == ("closed", 2, "warning")
    assert (first["opened_at"], first["last_seen_at"], first["closed_at"]) == (NOON, NOON + QUARTER, NOON + 2 * QUARTER)
    assert (second["state"], second["occurrences"], second["opened_at"]) == ("open", 1, NOON + 4 * QUARTER)
    assert first["alert_id"] != second["alert_id"]
    assert first["notified_at"] is not None
    assert webhook.titles == [
        "PowerSense opened [warning] No recent load for Bretagne",
        "PowerSense closed [warning] No recent load for Bretagne",
        "PowerSense opened [warning] No recent load for Bretagne",
    ]


def test_the_same_check_again_changes_nothing(warehouse: Warehouse, webhook: Webhook) -> None:
    run_check(STALE, at=NOON)
    before = stored()

    counts = run_check(STALE, at=NOON, run_id="retry")

    assert stored() == before
    assert (counts["opened"], counts["repeated"], counts["closed"], counts["notified"]) == (0, 0, 0, 0)
    assert len(webhook.received) == 1


def test_a_check_of_the_past_neither_closes_nor_reopens(warehouse: Warehouse, webhook: Webhook) -> None:
    run_check(STALE, at=NOON)
    run_check(at=NOON - QUARTER)
    assert [alert["state"] for alert in stored()] == ["open"]

    run_check(at=NOON + QUARTER)
    run_check(STALE, at=NOON + QUARTER - timedelta(minutes=1))
    assert [alert["state"] for alert in stored()] == ["closed"]


def test_only_alerts_of_rules_that_ran_are_closed(warehouse: Warehouse) -> None:
    run_check(STALE, at=NOON)
    with connect("writer") as client:
        counts = apply_findings(client, [], checked=["stuck_values"], now=NOON + QUARTER, run_id="run")

    assert counts["closed"] == 0
    assert counts["open"] == 1


def test_concurrent_checks_write_one_alert_and_send_one_notice(warehouse: Warehouse, webhook: Webhook) -> None:
    areas = ["Bretagne", "Normandie", "Occitanie"]
    findings = [
        Finding("stale_data", Severity.WARNING, f"No recent load for {area}", "old", area=area) for area in areas
    ]
    barrier = threading.Barrier(8)

    def one(number: int) -> dict[str, int]:
        barrier.wait()
        return run_check(*findings, at=NOON, run_id=f"run-{number}")

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(one, range(8)))

    assert [(alert["area"], alert["occurrences"], alert["state"]) for alert in stored()] == [
        (area, 1, "open") for area in areas
    ]
    assert len({alert["group_id"] for alert in stored()}) == 1
    log_and_webhook = 2
    assert sum(count["notified"] for count in counts) == log_and_webhook
    told = "\n".join(message["message"] for message in webhook.received)
    assert [told.count(f"No recent load for {area}") for area in areas] == [1, 1, 1]


def test_ten_areas_at_once_are_one_message(warehouse: Warehouse, webhook: Webhook) -> None:
    findings = [
        Finding("stale_data", Severity.CRITICAL, f"No recent load for {n}", "old", area=str(n)) for n in range(10)
    ]

    run_check(*findings, at=NOON)

    assert webhook.titles == ["PowerSense opened [critical] No recent load for 0 (+9)"]
    assert webhook.received[0]["message"].count("[opened] [critical]") == 10


def test_a_rise_in_severity_is_told_once(warehouse: Warehouse, webhook: Webhook) -> None:
    worse = Finding(STALE.rule, Severity.CRITICAL, STALE.subject, "300 min old", area=STALE.area)
    for step, finding in enumerate([STALE, worse, STALE, worse]):
        run_check(finding, at=NOON + step * QUARTER)

    assert webhook.titles == [
        "PowerSense opened [warning] No recent load for Bretagne",
        "PowerSense escalated [critical] No recent load for Bretagne",
    ]


def test_info_alerts_are_listed_and_told_to_nobody(warehouse: Warehouse, webhook: Webhook) -> None:
    run_check(Finding("stale_data", Severity.INFO, "No load data yet", "…", key="all"), at=NOON)
    run_check(at=NOON + QUARTER)

    assert [alert["state"] for alert in stored()] == ["closed"]
    assert webhook.received == []


def test_a_failed_notice_is_recorded_tried_again_and_never_shows_the_secret(
    warehouse: Warehouse, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = 500
    counts = run_check(STALE, at=NOON)
    assert (counts["opened"], counts["notify_failed"]) == (1, 1)
    assert [alert["state"] for alert in stored()] == ["open"]

    webhook.status = 200
    run_check(STALE, at=NOON + QUARTER)
    run_check(STALE, at=NOON + 2 * QUARTER)

    assert webhook.titles == ["PowerSense opened [warning] No recent load for Bretagne"]
    with connect("reader") as client:
        notices = client.query("SELECT * EXCEPT recorded_at FROM alert_notices WHERE target != 'log'").result_rows
    assert {row[5] for row in notices} == {"claimed", "failed", "sent"}
    assert any("did not take the message" in row[7] for row in notices)
    assert "s3cr3t-t0ken" not in caplog.text + repr(notices)


def test_a_target_that_stays_down_is_tried_three_times(warehouse: Warehouse, webhook: Webhook) -> None:
    webhook.status = 500

    failures = [run_check(STALE, at=NOON + step * QUARTER)["notify_failed"] for step in range(5)]

    assert failures == [1, 1, 1, 0, 0]


def test_hostile_text_arrives_on_one_line_and_unrendered(warehouse: Warehouse, webhook: Webhook) -> None:
    hostile = "{{ conn.clickhouse_default.password }}\r\nBcc: x@example.org <script>alert(1)</script>"
    run_check(Finding("stale_data", Severity.WARNING, hostile, hostile), at=NOON)

    message = webhook.received[0]
    assert "\n" not in message["title"]
    assert "{{ conn.clickhouse_default.password }} Bcc: x@example.org" in message["message"]


def test_an_event_is_raised_and_taken_back(warehouse: Warehouse, webhook: Webhook) -> None:
    finding = late_run(dag_id="ingest_load", dag_run_id="scheduled__1", minutes=10)
    raise_event(finding, now=NOON, run_id="scheduled__1")
    assert [alert["rule"] for alert in stored()] == ["late_run"]

    assert close_events([finding.fingerprint], now=NOON + QUARTER, run_id="scheduled__2") == 1
    assert close_events([finding.fingerprint], now=NOON + QUARTER, run_id="scheduled__2") == 0
    assert webhook.titles == [
        "PowerSense opened [warning] ingest_load is late",
        "PowerSense closed [warning] ingest_load is late",
    ]


def test_people_are_told_of_an_event_even_when_it_cannot_be_stored(warehouse: Warehouse, webhook: Webhook) -> None:
    finding = late_run(dag_id="ingest_load", dag_run_id="scheduled__1", minutes=10)
    nowhere = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": 1, "schema": "x"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(nowhere))
        raise_event(finding, now=NOON, run_id="scheduled__1")

    assert webhook.titles == ["PowerSense opened [warning] ingest_load is late"]


def test_open_alerts_are_found_by_state_and_closed_ones_by_fingerprint(warehouse: Warehouse) -> None:
    run_check(STALE, at=NOON)
    run_check(at=NOON + QUARTER)
    with connect("reader") as client:
        assert latest_alerts(client) == {}
        assert latest_alerts(client, fingerprints=[STALE.fingerprint])[STALE.fingerprint].closed_at == NOON + QUARTER
