"""The dead-man's switch, on the real warehouse and the real service: silence, an absent warehouse, and who is told."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from powersense.api.alone import create_service
from powersense.api.app import create_app
from powersense.api.auth import key_access
from powersense.api.monitoring.deadman import Heartbeat, Pulse, Reading, Teller, look_seconds, watch
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.finished_runs import record_finished_run
from tests.services.webhook import Webhook, listening, opened

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

webhook = pytest.fixture(listening)

# Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
MINUTE = 60.0
NOWHERE = "clickhouse://powersense_reader:x@127.0.0.1:9/powersense"


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def end_run(*, minutes_ago: float) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    with connect("writer") as client:
        client.insert("finished_runs", [["ingest_load", f"r{minutes_ago}", at]], ["dag_id", "run_id", "finished_at"])


def look(heartbeat: Heartbeat) -> Reading:
    return asyncio.run(heartbeat.look())


def test_silence_and_recovery_are_told_once_each_and_seen_by_a_monitor_outside(
    warehouse: Warehouse, webhook: Webhook
) -> None:
    clock = Clock()
    heartbeat, teller = Heartbeat(clock=clock), Teller()
    app = TestClient(create_app(key_access(()), heartbeat))
    end_run(minutes_ago=90)
    # A stack that was just started has its minutes, however old the last run is.
    assert look(heartbeat).pulse is Pulse.ALIVE
    assert app.get("/alive").json() == {"status": "alive"}

    clock.seconds += 21 * MINUTE
    for _ in range(3):
        teller.tell(look(heartbeat))
    answer = app.get("/alive")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    # Who is nobody learns no more than that.
    assert answer.json()["detail"] == "No run reaches its end, or the warehouse is away."

    with connect("writer") as client:
        record_finished_run(client, dag_id="ingest_load", run_id="again")
    for _ in range(2):
        teller.tell(look(heartbeat))
    assert app.get("/alive").status_code == 200
    assert [message["type"] for message in webhook.received] == ["failure", "success"]
    assert webhook.received[0]["title"] == (
        "PowerSense is silent: no run has reached its end for 21 min; the newest did 90 min ago"
    )
    assert "docs/observability.md#powersensenothingfinished" in webhook.received[0]["message"]
    assert webhook.received[1]["title"].startswith("PowerSense is alive again")


def test_a_warehouse_that_is_away_is_told_after_its_patience_and_forgiven_at_once(
    warehouse: Warehouse, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock=clock)
    end_run(minutes_ago=0)
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", NOWHERE)
        clock.seconds += MINUTE
        assert look(heartbeat).pulse is Pulse.ALIVE
        clock.seconds += 2 * MINUTE
        reading = look(heartbeat)
    assert (reading.pulse, reading.text) == (Pulse.NO_WAREHOUSE, "the warehouse has not answered for 3 min")
    assert look(heartbeat).pulse is Pulse.ALIVE


@pytest.mark.parametrize(("name", "value"), [("DEADMAN_MINUTES", "0"), ("POWERSENSE_SCHEDULES", "off")])
def test_where_no_run_is_expected_silence_is_no_alarm(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock=clock, probe=lambda: None)
    clock.seconds += 60 * MINUTE
    assert look(heartbeat).text == "no run has reached its end for 60 min; none ever did"
    monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    assert look(heartbeat).pulse is Pulse.ALIVE
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [pytest.param("20", 15.0, id="as configured"), pytest.param("0.2", 3.0, id="a quarter of a short limit"),
     pytest.param("0.001", 1.0, id="never more than once a second"), pytest.param("0", 15.0, id="no limit")],
)  # fmt: skip
def test_a_short_limit_is_looked_at_more_often(minutes: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEADMAN_MINUTES", minutes)
    get_settings.cache_clear()
    assert look_seconds(get_settings()) == pytest.approx(seconds)
    get_settings.cache_clear()


def test_a_probe_that_hangs_keeps_nobody_waiting_and_counts_as_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powersense.api.monitoring.deadman._PROBE_SECONDS", 0.05)
    clock, gate, asked = Clock(), threading.Event(), []

    def hang() -> float:
        asked.append(1)
        gate.wait(30)
        return 1.0

    heartbeat = Heartbeat(clock=clock, probe=hang)
    clock.seconds += 3 * MINUTE
    assert [look(heartbeat).pulse for _ in range(3)] == [Pulse.NO_WAREHOUSE] * 3
    # One at a time: a warehouse that hangs does not gather threads.
    assert asked == [1]
    gate.set()
    deadline = time.monotonic() + 30
    while heartbeat.reading().pulse is not Pulse.ALIVE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_target_did_not_take_is_told_again_and_others_hear_once(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller, silent = Teller(), Reading(Pulse.SILENT, "nothing")
    with opened() as broken:
        monkeypatch.setenv("ALERT_NOTIFY_URLS", f"{webhook.url} {broken.url}")
        get_settings.cache_clear()
        broken.status = 500
        teller.tell(silent)
        teller.tell(silent)
        assert (len(webhook.received), len(broken.received)) == (1, 0)
        broken.status = 200
        teller.tell(silent)
        teller.tell(silent)
    assert webhook.received == broken.received
    assert webhook.titles == ["PowerSense is silent: nothing"]


def test_the_watch_outlives_whatever_goes_wrong_and_the_service_runs_it() -> None:
    seen: list[Pulse] = []

    class Broken(Teller):
        def tell(self, reading: Reading) -> None:
            seen.append(reading.pulse)
            raise RuntimeError("a target's library failed")

    async def for_a_while() -> None:
        watching = asyncio.create_task(watch(Heartbeat(probe=lambda: 1.0), Broken(), every_seconds=0.01))
        while len(seen) < 3:
            await asyncio.sleep(0.01)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    asyncio.run(asyncio.wait_for(for_a_while(), 30))
    assert seen[:3] == [Pulse.ALIVE] * 3


def test_the_service_tells_by_itself_that_nothing_ends_any_more(
    warehouse: Warehouse, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it: the service's own task, its own probe, its own clock; only the minutes are shorter."""
    monkeypatch.setenv("DEADMAN_MINUTES", "0.005")
    get_settings.cache_clear()
    end_run(minutes_ago=5)
    with TestClient(create_service("")):
        deadline = time.monotonic() + 60
        while not webhook.received:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert webhook.received[0]["title"].startswith("PowerSense is silent: no run has reached its end")
