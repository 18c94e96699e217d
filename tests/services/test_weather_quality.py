"""The rules on weather, on really stored reports: they fire on the fault, end with it, and leave alone who has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from powersense.quality.check import check
from powersense.settings import get_settings
from powersense.stations import stations
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.ledger import WEATHER
from powersense.warehouse.measurements import store_batch
from tests.services.rule_data import alerts, findings_of

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

NOW = datetime(2018, 2, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REGIONS = sorted({station.area for station in stations().values() if station.area})
RULES = ("stale_weather", "low_weather_coverage")


def station_of(area: str, *, is_high: bool = False) -> str:
    """Return a station of a region; one above 800 m does not count for its mean."""
    return next(
        station.station
        for station in stations().values()
        if station.area == area and (station.altitude_m > 800) == is_high
    )


def reports(*, hours: int, until: datetime, areas: list[str], every: int = 1, is_high: bool = False) -> pd.DataFrame:
    """Return temperatures of one station in each area, every so many hours, the last at `until`."""
    rows = [
        (station_of(area, is_high=is_high), until - step * HOUR, 5.0 + step % 7)
        for area in areas
        for step in range(0, hours, every)
    ]
    table = pd.DataFrame(rows, columns=["station", "observed_at", "value"])
    return table.assign(
        metric="temperature_c",
        vintage="realtime",
        publisher="meteo_france",
        source="test",
        retrieved_at=datetime.now(UTC),
        run_id="run",
    )


def store(table: pd.DataFrame, batch_id: str) -> None:
    with connect("writer") as client:
        land(client, table, batch_id=batch_id, ledger=WEATHER)
        store_batch(client, batch_id, ledger=WEATHER)


def found(now: datetime) -> dict[str, int]:
    """Return how much each rule on weather finds."""
    return dict.fromkeys(RULES, 0) | findings_of(RULES, now)


def test_an_installation_that_never_took_in_weather_is_not_alarmed(warehouse: Warehouse) -> None:
    assert found(NOW) == {"stale_weather": 0, "low_weather_coverage": 0}


def test_recent_weather_without_gaps_raises_nothing(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=REGIONS), "good")
    assert found(NOW) == {"stale_weather": 0, "low_weather_coverage": 0}


def test_three_hourly_reports_have_no_gaps(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=REGIONS, every=3), "synop")
    assert found(NOW + 2 * HOUR) == {"stale_weather": 0, "low_weather_coverage": 0}


def test_a_region_is_stale_after_twelve_hours_and_well_with_its_next_report(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=[area for area in REGIONS if area != "Bretagne"]), "most")
    store(reports(hours=60, until=NOW - 12 * HOUR, areas=["Bretagne"]), "late")
    assert found(NOW)["stale_weather"] == 0
    assert found(NOW + timedelta(minutes=15))["stale_weather"] == 1
    assert alerts("stale_weather") == [("Bretagne", "warning", "open")]

    store(reports(hours=2, until=NOW, areas=["Bretagne"]), "healed")
    assert found(NOW + timedelta(minutes=30))["stale_weather"] == 0
    assert alerts("stale_weather") == [("Bretagne", "warning", "closed")]


def test_a_region_silent_for_weeks_is_still_stale(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=["Normandie"]), "recent")
    store(reports(hours=60, until=NOW - timedelta(days=20), areas=["Bretagne"]), "silent")
    assert found(NOW)["stale_weather"] == 1
    assert alerts("stale_weather") == [("Bretagne", "warning", "open")]


def test_a_third_of_the_regions_is_critical_and_all_of_them_are_one_alert(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=REGIONS[4:]), "recent")
    store(reports(hours=60, until=NOW - 13 * HOUR, areas=REGIONS[:4]), "late")
    assert found(NOW)["stale_weather"] == 4
    assert {severity for _, severity, _ in alerts("stale_weather")} == {"critical"}

    assert found(NOW + 13 * HOUR)["stale_weather"] == 1
    assert [alert for alert in alerts("stale_weather") if alert[2] == "open"] == [("", "warning", "open")]


def test_a_region_that_was_never_asked_for_and_reports_of_the_future_do_not_count(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW, areas=["Occitanie"]), "one region")
    assert found(NOW) == {"stale_weather": 0, "low_weather_coverage": 0}

    store(reports(hours=1, until=NOW + 20 * HOUR, areas=["Occitanie"]), "future")
    assert found(NOW + 13 * HOUR)["stale_weather"] == 1


def test_a_mountain_station_alone_is_no_weather(warehouse: Warehouse) -> None:
    store(reports(hours=60, until=NOW - 20 * HOUR, areas=["Occitanie"]), "valley")
    store(reports(hours=60, until=NOW, areas=["Occitanie"], is_high=True), "mountain")
    assert found(NOW)["stale_weather"] == 1


def test_gaps_of_a_region_are_low_coverage_until_they_are_filled(warehouse: Warehouse) -> None:
    whole = reports(hours=90, until=NOW, areas=REGIONS)
    in_gap = (whole["station"] == station_of("Normandie")) & whole["observed_at"].between(
        NOW - 30 * HOUR, NOW - 20 * HOUR
    )
    store(whole[~in_gap], "gap")
    assert found(NOW) == {"stale_weather": 0, "low_weather_coverage": 1}
    assert alerts("low_weather_coverage") == [("Normandie", "warning", "open")]

    store(whole[in_gap], "filled")
    assert found(NOW + timedelta(minutes=15))["low_weather_coverage"] == 0
    assert alerts("low_weather_coverage") == [("Normandie", "warning", "closed")]


def test_the_first_hours_of_weather_expect_no_more_than_there_can_be(warehouse: Warehouse) -> None:
    store(reports(hours=15, until=NOW, areas=REGIONS), "new")
    assert found(NOW) == {"stale_weather": 0, "low_weather_coverage": 0}


def test_the_limit_is_a_setting(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    store(reports(hours=60, until=NOW - 6 * HOUR, areas=["Bretagne"]), "late")
    assert found(NOW)["stale_weather"] == 0
    monkeypatch.setenv("QUALITY_STALE_WEATHER_HOURS", "5")
    get_settings.cache_clear()
    assert found(NOW + timedelta(minutes=15))["stale_weather"] == 1


def test_a_schema_without_weather_skips_the_rules_and_checks_the_others(warehouse: Warehouse) -> None:
    with connect("writer") as client:
        for view in ("weather_by_area_as_known", "weather_by_area_between"):
            client.command(f"DROP VIEW {view} SYNC")
    counts = check(NOW, "run")
    assert counts["skipped_rules"] == list(RULES)
    assert counts["by_rule"]["stale_data"] == 1
