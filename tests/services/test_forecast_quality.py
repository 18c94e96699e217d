"""The rules on the forecasts' performance, on marts as dbt builds them: they fire on the fault and end with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from powersense.quality.check import check
from powersense.warehouse.client import connect

NOW = datetime(2018, 3, 20, 12, tzinfo=UTC)
RULES = ("forecast_error", "forecast_drift")
ERRORS = """
CREATE TABLE mart_forecast_errors (
    area LowCardinality(String), target_day Date, day_lead UInt8, half_hours UInt16, mape Float64,
    rte_half_hours UInt16, rte_mape Nullable(Float64)
) ENGINE = MergeTree ORDER BY (area, target_day)
"""
DRIFT = """
CREATE TABLE mart_forecast_drift (
    area LowCardinality(String), day_lead UInt8, as_of_day Date, recent_days UInt16, mean_residual_recent Float64,
    reference String, reference_days UInt16, mean_residual_reference Nullable(Float64), z_score Nullable(Float64)
) ENGINE = MergeTree ORDER BY area
"""


@pytest.fixture
def marts(warehouse) -> str:
    """The two marts, empty, with the columns that the rules read."""
    with connect("writer", database=warehouse.marts_database) as client:
        client.command(ERRORS)
        client.command(DRIFT)
    return str(warehouse.marts_database)


def found(now: datetime = NOW) -> dict[str, int]:
    counts = check(now, "run")
    assert counts["skipped_rules"] == []
    return {rule: counts["by_rule"][rule] for rule in RULES}


def alerts(rule: str) -> list[tuple[str, str, str]]:
    query = "SELECT area, severity, state FROM alerts FINAL WHERE rule = {rule:String} ORDER BY area"
    with connect("reader") as client:
        return [tuple(row) for row in client.query(query, parameters={"rule": rule}).result_rows]


def message(rule: str) -> str:
    with connect("reader") as client:
        query = "SELECT message FROM alerts FINAL WHERE rule = {rule:String}"
        return str(client.query(query, parameters={"rule": rule}).first_row[0])


def store(database: str, table: str, *rows: dict[str, Any]) -> None:
    with connect("writer", database=database) as client:
        client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))


def errors(*, area: str, mape: float, days: int = 7, lead: int = 1, rte: float | None = None) -> list[dict[str, Any]]:
    """Return a day's errors for each of the last days before today."""
    return [
        {
            "area": area,
            "target_day": (NOW - timedelta(days=back + 1)).date(),
            "day_lead": lead,
            "half_hours": 48,
            "mape": mape,
            "rte_half_hours": 0 if rte is None else 48,
            "rte_mape": rte,
        }
        for back in range(days)
    ]


def drift(area: str, *, recent: float, z_score: float | None, lead: int = 1) -> dict[str, Any]:
    return {
        "area": area,
        "day_lead": lead,
        "as_of_day": NOW.date(),
        "recent_days": 14,
        "mean_residual_recent": recent,
        "reference": "none" if z_score is None else "weeks_before",
        "reference_days": 56,
        "mean_residual_reference": None if z_score is None else 0.001,
        "z_score": z_score,
    }


def test_an_installation_without_forecasts_is_told_nothing(warehouse):
    assert found() == {"forecast_error": 0, "forecast_drift": 0}


def test_marts_without_rows_are_nothing_to_tell(marts):
    assert found() == {"forecast_error": 0, "forecast_drift": 0}


def test_an_area_that_errs_too_much_over_the_week_is_told_beside_rte_and_ends(marts):
    store(marts, "mart_forecast_errors", *errors(area="France", mape=0.061, rte=0.015))
    store(marts, "mart_forecast_errors", *errors(area="Bretagne", mape=0.059))
    assert found()["forecast_error"] == 1
    assert alerts("forecast_error") == [("France", "warning", "open")]
    assert "336 half-hours" in message("forecast_error")
    assert message("forecast_error").endswith(
        "6.1% of the load on average; the limit is 6.0%. RTE's own forecast erred by 1.5%."
    )

    assert found(NOW + timedelta(days=7))["forecast_error"] == 0
    assert alerts("forecast_error") == [("France", "warning", "closed")]


def test_one_bad_day_and_a_longer_lead_are_no_bad_week(marts):
    store(marts, "mart_forecast_errors", *errors(area="France", mape=0.5, days=1))
    store(marts, "mart_forecast_errors", *errors(area="Bretagne", mape=0.5, lead=2))
    assert found()["forecast_error"] == 0


def test_forecasts_that_lie_off_to_one_side_are_told(marts):
    store(
        marts,
        "mart_forecast_drift",
        drift("France", recent=-0.03, z_score=-3.5),
        drift("Bretagne", recent=0.03, z_score=2.9),
        drift("Normandie", recent=0.009, z_score=4.0),
        drift("Occitanie", recent=0.05, z_score=None),
        drift("Corse", recent=0.05, z_score=9.0, lead=2),
    )
    assert found()["forecast_drift"] == 1
    assert alerts("forecast_drift") == [("France", "warning", "open")]
    assert "-3.0% off the forecast of the day ahead on average, and +0.1% in the eight weeks before (z = -3.5" in (
        message("forecast_drift")
    )
    # Marts that dbt no longer builds are the business of `late_run` and `failed_task`.
    assert found(NOW + timedelta(days=3))["forecast_drift"] == 0
