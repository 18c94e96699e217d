"""Each rule on stored loads: it fires on the fault and its alert closes when the fault is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from powersense.quality.check import check
from powersense.quality.rules import CHECKED_RULES
from powersense.warehouse.client import connect

if TYPE_CHECKING:
    from tests.warehouses import Warehouse
from tests.services.rule_data import NOW, QUARTER, REGIONS, alerts, findings, frame, store


def test_good_data_raise_nothing(warehouse: Warehouse) -> None:
    store(frame(), "good")

    counts = check(NOW, "run")

    assert set(counts["by_rule"]) == set(CHECKED_RULES)
    assert counts["findings"] == 0, counts


def test_an_empty_warehouse_is_worth_one_line(warehouse: Warehouse) -> None:
    assert check(NOW, "run")["findings"] == 1
    assert alerts("stale_data") == [("", "info", "open")]


def test_stale_data_of_one_area(warehouse: Warehouse) -> None:
    store(frame(areas=[name for name in REGIONS if name != "Bretagne"] + ["France"]), "most")
    store(frame(areas=["Bretagne"], until=NOW - timedelta(hours=3)), "late")
    assert findings(NOW, "stale_data") == 1
    assert alerts("stale_data") == [("Bretagne", "warning", "open")]

    store(frame(areas=["Bretagne"]), "healed")
    assert findings(NOW + QUARTER, "stale_data") == 0
    assert alerts("stale_data") == [("Bretagne", "warning", "closed")]


def test_stale_data_everywhere_is_one_critical_alert(warehouse: Warehouse) -> None:
    store(frame(), "good")

    assert findings(NOW + timedelta(hours=3), "stale_data") == 1
    assert alerts("stale_data") == [("", "critical", "open")]


def test_blank_and_future_values_do_not_count_as_data(warehouse: Warehouse) -> None:
    store(frame(until=NOW - timedelta(hours=3)), "old")
    blank = frame(hours=1)
    store(blank.assign(value=float("nan")), "blank")
    store(frame(hours=0.25, until=NOW + timedelta(hours=6)), "future")

    assert findings(NOW, "stale_data") == 1


def test_low_coverage(warehouse: Warehouse) -> None:
    whole = frame(hours=72)
    in_gap = (whole.area == "Normandie") & (
        whole.observed_at.between(NOW - timedelta(hours=20), NOW - timedelta(hours=10))
    )
    store(whole[~in_gap], "gap")
    assert findings(NOW, "low_coverage") == 1
    assert alerts("low_coverage") == [("Normandie", "warning", "open")]

    store(whole[in_gap], "filled")
    assert findings(NOW + QUARTER, "low_coverage") == 0
    assert alerts("low_coverage") == [("Normandie", "warning", "closed")]


def test_half_hourly_areas_have_full_coverage(warehouse: Warehouse) -> None:
    table = frame(hours=72)
    store(table[table.observed_at.dt.minute % 30 == 0], "half-hourly")

    assert findings(NOW, "low_coverage") == 0


def test_stuck_values_of_five_regions_at_once_are_critical(warehouse: Warehouse) -> None:
    table = frame()
    stuck = table.area.isin(REGIONS[:5]) & (table.observed_at > NOW - 6 * QUARTER)
    store(table.assign(value=table.value.mask(stuck, 4000.0)), "stuck")
    assert findings(NOW, "stuck_values") == 5
    assert alerts("stuck_values") == [(name, "critical", "open") for name in sorted(REGIONS[:5])]

    store(frame(hours=1, until=NOW + QUARTER), "moves-again")
    assert findings(NOW + QUARTER, "stuck_values") == 0


def test_five_equal_values_are_no_fault(warehouse: Warehouse) -> None:
    table = frame()
    store(
        table.assign(
            value=table.value.mask((table.area == "Normandie") & (table.observed_at > NOW - 5 * QUARTER), 4e3)
        ),
        "five",
    )

    assert findings(NOW, "stuck_values") == 0


def test_a_load_of_zero_is_impossible(warehouse: Warehouse) -> None:
    table = frame()
    dark = (table.area == "Occitanie") & (table.observed_at == NOW - QUARTER)
    store(table.assign(value=table.value.mask(dark, 0.0)), "zero")
    assert findings(NOW, "impossible_values") == 1
    assert alerts("impossible_values") == [("Occitanie", "critical", "open")]

    store(table[dark], "revised")
    assert findings(NOW + QUARTER, "impossible_values") == 0
    assert alerts("impossible_values") == [("Occitanie", "critical", "closed")]


def test_regions_that_do_not_add_up_to_france_are_impossible(warehouse: Warehouse) -> None:
    table = frame()
    collapsed = table.area.isin(REGIONS[:10]) & (table.observed_at > NOW - 4 * QUARTER)
    store(table.assign(value=table.value.mask(collapsed, table.value * 0.05)), "collapse")

    assert findings(NOW, "impossible_values") == 1
    with connect("reader") as client:
        message = client.query("SELECT message FROM alerts FINAL WHERE rule = 'impossible_values'").first_row[0]
    assert message.startswith(
        "At 4 instants the sum of the regions differs from France by more than 10%, by -79% at worst"
    )


def test_revision_volume(warehouse: Warehouse) -> None:
    table = frame()
    store(table, "first")
    half = (table.area == "Bretagne") & (table.observed_at > NOW - timedelta(hours=13))
    store(table[half].assign(value=table.value[half] * 1.005), "small-changes")
    assert findings(NOW, "revision_volume") == 0

    store(table[half].assign(value=table.value[half] * 1.05), "large-changes")
    assert findings(NOW + QUARTER, "revision_volume") == 1
    assert alerts("revision_volume") == [("Bretagne", "warning", "open")]

    assert findings(NOW + timedelta(days=2), "revision_volume") == 0
    assert alerts("revision_volume") == [("Bretagne", "warning", "closed")]
