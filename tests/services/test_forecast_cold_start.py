"""Forecasts where no model was trained yet: by what load there is, told on the rows and by alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.forecast import ANALOGUE, LAST_WEEK, NO_MODEL, issue
from powersense.quality.check import check
from tests.services.lifecycle_data import AREA, DAY, HOUR, NOW, facts, issued, mape, put_load, trained_on_two_years
from tests.services.scoring_data import table

folder = pytest.fixture(autouse=True)(trained_on_two_years)


def test_a_cold_start_forecasts_by_the_analogue_and_says_so():
    put_load(start=NOW - 60 * DAY)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert facts(found) | {"load_age_minutes": 30} == facts(found)
    assert (facts(found)["fallback_level"], facts(found)["fallback_reason"]) == (ANALOGUE, NO_MODEL)
    assert mape(found) < 0.15


@pytest.mark.parametrize(("days", "level"), [(12, ANALOGUE), (3, LAST_WEEK)])
def test_some_days_of_load_are_enough_to_forecast(days, level):
    put_load(start=NOW - days * DAY)
    issue([AREA], issued_at=NOW, run_id="one")
    found = issued()
    assert facts(found)["fallback_level"] == level
    assert mape(found) < 0.3


def test_without_any_load_nothing_is_issued_and_the_count_says_so():
    counts = issue([AREA], issued_at=NOW, run_id="one")
    assert (counts["areas_without_load"], counts["rows_stored"]) == (1, 0)


def test_one_issue_of_several_areas_stores_each_once():
    for area in (AREA, "France"):
        put_load(start=NOW - 60 * DAY, area=area)
    counts = issue([AREA, "France", "Occitanie"], issued_at=NOW, run_id="one")
    assert (counts["areas_issued"], counts["areas_without_load"], counts["rows_stored"]) == (2, 1, 672)
    assert issued("France")["q500_mw"].mean() > 10 * issued()["q500_mw"].mean()
    assert datetime.now(UTC) - table("SELECT max(inserted_at) AS at FROM forecasts")["at"].iloc[0] < DAY


def test_a_fallback_and_silence_are_alerts_that_close():
    def alerts() -> list[tuple[str, str, str]]:
        query = (
            "SELECT rule, toString(severity) AS severity, toString(state) AS state FROM alerts FINAL "
            "WHERE rule IN ('forecast_fallback', 'stale_forecast') ORDER BY opened_at"
        )
        return list(table(query).itertuples(index=False, name=None))

    put_load(start=NOW - 60 * DAY)
    assert check(NOW, "run")["by_rule"]["stale_forecast"] == 0
    issue([AREA], issued_at=NOW, run_id="one")
    assert check(NOW, "run")["by_rule"]["forecast_fallback"] == 1
    assert alerts() == [("forecast_fallback", "critical", "open")]
    check(NOW + 4 * HOUR, "run")
    assert alerts()[1:] == [("stale_forecast", "critical", "open")]
    issue([AREA], issued_at=NOW + 4 * HOUR, run_id="two")
    check(NOW + 4 * HOUR + timedelta(minutes=15), "run")
    assert alerts()[1:] == [("stale_forecast", "critical", "closed")]
