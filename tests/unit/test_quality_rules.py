"""The rules and the life of an alert: pure, against tables of cases and a reference model."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.quality.lifecycle import Alert, advance
from powersense.quality.rules import ALL_RULES, CHECKED_RULES, Finding, Severity, Thresholds
from powersense.quality.rules.finding import by_share
from powersense.quality.rules.titles import RULE_TITLES

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2017, 9, 30, 12, tzinfo=UTC)
LIMITS = Thresholds()
FINDING = Finding("stale_data", Severity.WARNING, "No recent load for Bretagne", "125 min old", area="Bretagne")


def find(rule: str, *rows: dict[str, Any], now: datetime = NOON) -> list[Finding]:
    return CHECKED_RULES[rule](rows, now=now, thresholds=LIMITS)


@pytest.mark.parametrize("rule", CHECKED_RULES)
def test_no_facts_no_findings(rule: str) -> None:
    assert find(rule) == []


@pytest.mark.parametrize(("minutes", "count"), [(120, 0), (121, 1)])
def test_staleness_begins_after_its_limit(minutes: int, count: int) -> None:
    rows = [{"area": "France", "newest": NOON}, {"area": "Bretagne", "newest": NOON - timedelta(minutes=minutes)}]
    assert len(find("stale_data", *rows)) == count


def test_an_area_without_any_value_is_stale_and_all_of_them_are_one_line() -> None:
    france, empty = {"area": "France", "newest": NOON}, {"area": "Bretagne", "newest": None}
    assert [(found.area, found.severity) for found in find("stale_data", france, empty)] == [("Bretagne", "warning")]
    assert [(found.area, found.severity, found.key) for found in find("stale_data", empty)] == [("", "info", "all")]


@pytest.mark.parametrize(("received", "count"), [(0, 0), (86, 1), (87, 0), (96, 0)])
def test_coverage_below_its_limit_is_low_and_none_at_all_is_staleness(received: int, count: int) -> None:
    assert len(find("low_coverage", {"area": "France", "received": received, "expected": 96})) == count


@pytest.mark.parametrize(("minutes", "count"), [(720, 0), (721, 1)])
def test_weather_is_stale_after_its_hours(minutes: int, count: int) -> None:
    rows = [{"area": "Normandie", "newest": NOON}, {"area": "Bretagne", "newest": NOON - timedelta(minutes=minutes)}]
    assert len(find("stale_weather", *rows)) == count


@pytest.mark.parametrize(("minutes", "count"), [(180, 0), (181, 1)])
def test_a_forecast_is_stale_after_its_hours(minutes: int, count: int) -> None:
    rows = [{"area": "Normandie", "newest": NOON}, {"area": "Bretagne", "newest": NOON - timedelta(minutes=minutes)}]
    assert len(find("stale_forecast", *rows)) == count


def test_all_forecasts_stale_is_one_critical_line() -> None:
    rows = [{"area": area, "newest": NOON - timedelta(hours=4)} for area in ("Normandie", "Bretagne")]
    assert [(found.area, found.severity) for found in find("stale_forecast", *rows)] == [("", "critical")]


@pytest.mark.parametrize(
    ("level", "severities"), [(0, []), (1, ["warning"]), (2, ["warning"]), (3, ["critical"]), (4, ["critical"])]
)
def test_a_fallback_without_a_trained_model_is_critical(level: int, severities: list[str]) -> None:
    row = {"area": "Bretagne", "issued_at": NOON, "level": level, "reason": "no model is trained"}
    found = find("forecast_fallback", row)
    assert [finding.severity for finding in found] == severities
    assert all("no model is trained" in finding.message for finding in found)


def test_a_region_whose_weather_ended_long_ago_is_stale_and_all_regions_are_one_warning() -> None:
    fresh, ended = {"area": "Normandie", "newest": NOON}, {"area": "Bretagne", "newest": None}
    assert [(found.area, found.severity) for found in find("stale_weather", fresh, ended)] == [("Bretagne", "warning")]
    everywhere = find("stale_weather", ended, {"area": "Occitanie", "newest": NOON - timedelta(hours=13)})
    assert [(found.area, found.severity, found.key) for found in everywhere] == [("", "warning", "all")]
    assert "2017-09-29 23:00 UTC, 13 h old" in everywhere[0].message


@pytest.mark.parametrize(("received", "count"), [(0, 0), (21, 1), (22, 0), (24, 0)])
def test_weather_coverage_below_its_limit_is_low_and_none_at_all_is_staleness(received: int, count: int) -> None:
    assert len(find("low_weather_coverage", {"area": "Bretagne", "received": received, "expected": 24})) == count


@pytest.mark.parametrize(
    ("affected", "total", "severity"), [(1, 13, "warning"), (4, 13, "warning"), (5, 13, "critical")]
)
def test_a_third_of_the_areas_is_critical(affected: int, total: int, severity: str) -> None:
    assert by_share(affected, total) == severity


def test_one_area_of_one_is_no_outage_of_many() -> None:
    assert by_share(1, 1) == "warning"


def test_every_rule_has_its_query_and_its_runbook_heading_and_no_heading_is_orphaned() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(ALL_RULES)
    assert list(RULE_TITLES) == list(ALL_RULES)
    queries = ROOT / "include" / "powersense" / "quality" / "sql"
    assert [rule for rule in CHECKED_RULES if not (queries / f"{rule}.sql").exists()] == []


# One step of a history: minutes after noon (any order), and the severity found, or None.
STEPS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([None, *Severity])), max_size=14)


@given(STEPS)
def test_an_alerts_life_agrees_with_a_plain_reading_of_its_history(steps: list[tuple[int, Severity | None]]) -> None:
    """The reference keeps the accepted checks as a list, and derives everything from it afterwards."""
    current: Alert | None = None
    lives: list[list[int]] = []
    closed_at: int | None = None
    for minute, severity in steps:
        finding = None if severity is None else Finding("r", severity, "s", "m")
        current = advance(current, finding, now=NOON + timedelta(minutes=minute), run_id="run") or current
        if closed_at is None and lives:
            if minute < lives[-1][-1]:
                continue
            if finding is None:
                closed_at = minute
            else:
                lives[-1].append(minute)
        elif finding is not None and (closed_at is None or minute > closed_at):
            lives.append([minute])
            closed_at = None
    if not lives:
        assert current is None
        return
    assert current is not None
    assert current.opened_at == NOON + timedelta(minutes=lives[-1][0])
    assert current.last_seen_at == NOON + timedelta(minutes=lives[-1][-1])
    assert current.occurrences == len(set(lives[-1]))
    assert current.closed_at == (None if closed_at is None else NOON + timedelta(minutes=closed_at))
    assert current.is_open == (closed_at is None)


@given(STEPS)
def test_repeating_each_check_changes_nothing(steps: list[tuple[int, Severity | None]]) -> None:
    current: Alert | None = None
    for minute, severity in steps:
        finding = None if severity is None else Finding("r", severity, "s", "m")
        now = NOON + timedelta(minutes=minute)
        current = advance(current, finding, now=now, run_id="run") or current
        assert advance(current, finding, now=now, run_id="retry") is None


@given(STEPS)
def test_ids_never_come_back(steps: list[tuple[int, Severity | None]]) -> None:
    current: Alert | None = None
    opened: dict[str, datetime] = {}
    for minute, severity in steps:
        finding = None if severity is None else Finding("r", severity, "s", "m")
        after = advance(current, finding, now=NOON + timedelta(minutes=minute), run_id="run")
        current = after or current
        if current is not None:
            assert opened.setdefault(current.alert_id, current.opened_at) == current.opened_at
