"""Episodes as alerts: how severe, until when, one for what two detectors find at once, and unchanged by a repeat."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from powersense.contracts import LOAD_METRIC
from powersense.detection.labels import Label
from powersense.quality.check import check
from powersense.warehouse.client import connect
from powersense.warehouse.labels import say

if TYPE_CHECKING:
    from tests.warehouses import Warehouse
from tests.services.rule_data import NOW, QUARTER, REGIONS, alerts, findings, frame, store


def store_episode(
    area: str, *, state: str, ended_at: datetime, severity: str = "warning", detector: str = "baseline_zscore"
) -> None:
    columns = ["episode_id", "detector", "metric", "area", "started_at", "ended_at", "explanation", "state"]
    columns += ["severity"]
    started_at, told = NOW - timedelta(hours=30), f"Load of {area} is low."
    row = [f"{area} {detector}", detector, LOAD_METRIC, area, started_at, ended_at, told, state, severity]
    with connect("writer") as client:
        client.insert("episodes", [row], column_names=columns)


def test_ten_areas_dark_at_once_are_ten_critical_alerts_that_close_with_their_episodes(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="open", ended_at=NOW)
    assert findings(NOW, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "warning", "open")]

    for area in REGIONS[:10]:
        store_episode(area, state="open", ended_at=NOW)
    assert findings(NOW + QUARTER, "load_anomaly") == len({"Normandie", *REGIONS[:10]})
    assert {severity for _, severity, _ in alerts("load_anomaly")} == {"critical"}

    for area in {"Normandie", *REGIONS[:10]}:
        store_episode(area, state="retracted", ended_at=NOW)
    assert findings(NOW + 2 * QUARTER, "load_anomaly") == 0
    assert {state for _, _, state in alerts("load_anomaly")} == {"closed"}


def test_a_deep_episode_of_one_area_is_critical(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="open", ended_at=NOW, severity="critical")
    assert findings(NOW, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "critical", "open")]


def test_an_episode_found_after_its_end_stays_on_the_list_for_a_day_and_never_comes_back(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="closed", ended_at=NOW - timedelta(days=3) + timedelta(hours=60))
    assert [findings(NOW, "load_anomaly"), findings(NOW, "load_anomaly")] == [1, 1]
    assert alerts("load_anomaly") == [("Normandie", "warning", "open")]

    assert findings(NOW + timedelta(hours=23), "load_anomaly") == 1
    assert findings(NOW + timedelta(hours=24), "load_anomaly") == 0
    assert findings(NOW + timedelta(hours=25), "load_anomaly") == 0
    assert alerts("load_anomaly") == [("Normandie", "warning", "closed")]


def test_what_two_detectors_find_at_once_is_one_alert_that_names_both_and_ends_with_the_last(
    warehouse: Warehouse,
) -> None:
    store_episode("Normandie", state="open", ended_at=NOW, detector="forecast_residual_day")
    assert findings(NOW, "load_anomaly") == 1
    # The baseline comes later, and begins at the same instant: the alert that people know goes on.
    store_episode("Normandie", state="open", ended_at=NOW, severity="critical")
    assert findings(NOW + QUARTER, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Normandie", "critical", "open")]
    with connect("reader") as client:
        (message,) = client.query("SELECT message FROM alerts FINAL WHERE rule = 'load_anomaly'").first_row
    assert message.endswith("Found by baseline_zscore and forecast_residual_day.")

    store_episode("Normandie", state="closed", ended_at=NOW, detector="forecast_residual_day")
    assert findings(NOW + timedelta(hours=30), "load_anomaly") == 1
    store_episode("Normandie", state="closed", ended_at=NOW)
    assert findings(NOW + timedelta(hours=31), "load_anomaly") == 0
    assert alerts("load_anomaly") == [("Normandie", "critical", "closed")]


def test_episodes_of_one_detector_or_apart_in_time_keep_their_own_alerts(warehouse: Warehouse) -> None:
    store_episode("Normandie", state="closed", ended_at=NOW - timedelta(hours=20))
    store_episode("Bretagne", state="closed", ended_at=NOW, detector="forecast_residual_day")
    store_episode("Bretagne", state="closed", ended_at=NOW, detector="forecast_residual_hour")
    assert findings(NOW, "load_anomaly") == len({"Normandie", "Bretagne"})


@pytest.mark.parametrize("label", [Label.FALSE_ALARM, Label.DATA_ERROR])
def test_what_people_say_was_no_event_closes_its_alert_whichever_detector_they_say_it_of(
    warehouse: Warehouse, label: Label
) -> None:
    for detector in ("baseline_zscore", "forecast_residual_day"):
        store_episode("Normandie", state="open", ended_at=NOW, detector=detector)
    store_episode("Bretagne", state="open", ended_at=NOW)
    assert findings(NOW, "load_anomaly") == 2

    say_of("Normandie baseline_zscore", label)
    assert findings(NOW + QUARTER, "load_anomaly") == 1
    assert alerts("load_anomaly") == [("Bretagne", "warning", "open"), ("Normandie", "warning", "closed")]

    # What one detector found was no event, what the other found at that time was.
    say_of("Normandie forecast_residual_day", Label.TRUE_EVENT)
    assert findings(NOW + 2 * QUARTER, "load_anomaly") == 2
    say_of("Normandie forecast_residual_day", label)
    assert findings(NOW + 3 * QUARTER, "load_anomaly") == 1
    say_of("Normandie baseline_zscore", Label.NONE)
    say_of("Normandie forecast_residual_day", Label.NONE)
    assert findings(NOW + 4 * QUARTER, "load_anomaly") == 2


def say_of(episode_id: str, label: Label) -> None:
    with connect("writer") as client:
        assert say(client, episode_id, label, comment="", author="ana")


def test_the_same_check_again_changes_no_alert(warehouse: Warehouse) -> None:
    store(frame(until=NOW - timedelta(hours=3)), "old")
    store_episode("Normandie", state="closed", ended_at=NOW)
    check(NOW, "run")
    with connect("reader") as client:
        before = client.query("SELECT * FROM alerts FINAL ORDER BY alert_id").result_rows

    counts = check(NOW, "run-2")

    with connect("reader") as client:
        assert client.query("SELECT * FROM alerts FINAL ORDER BY alert_id").result_rows == before
    assert (counts["opened"], counts["closed"], counts["repeated"], counts["notified"]) == (0, 0, 0, 0)
