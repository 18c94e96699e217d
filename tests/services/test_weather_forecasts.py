"""Open-Meteo's forecasts: stored as issued, once, under the run that they are of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.weather import store_forecasts
from tests.services.weather_server import HOUR, forecast_answer
from tests.services.weather_steps import LAST_HOUR, LIVE, NOW, quarantined, serving
from tests.warehouses import query

upstream = pytest.fixture(serving)


def test_a_forecast_is_stored_as_issued_once(upstream):
    from powersense.warehouse.client import connect
    from powersense.warehouse.weather.reads import latest_weather_forecast

    midnight = NOW.replace(hour=0, minute=0)
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight)
    counts = store_forecasts(LIVE, run_id="a")
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight, celsius=20.0)
    assert store_forecasts(LIVE, run_id="a")["rows_stored"] == 0, "an issued run is never replaced"
    assert counts["runs_stored"] == 1
    assert upstream.forecast_queries[0]["wind_speed_unit"] == ["ms"]
    with connect("reader") as client:
        start = LAST_HOUR + timedelta(minutes=30)
        found = latest_weather_forecast(
            client,
            areas=["France", "Bretagne"],
            as_of=datetime(2200, 1, 1, tzinfo=UTC),
            start=start,
            end=start + 168 * HOUR,
        )
    assert list(found.groupby("area").size()) == [168, 168]
    assert found["temperature_c"].round(9).eq(8.0).all()
    assert found["run_at"].eq(LAST_HOUR).all()
    assert found["target_at"].min() == LAST_HOUR + HOUR


def test_a_forecast_for_another_day_than_the_run_s_is_not_passed_off_as_its_own(upstream):
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=datetime(2024, 3, 20, tzinfo=UTC))
    counts = store_forecasts(LIVE, run_id="a")
    assert (counts["runs_out_of_date"], counts["rows_stored"]) == (1, 0)
    assert query("SELECT count() FROM weather_forecasts") == [(0,)]


def test_an_impossible_forecast_value_is_set_aside(upstream):
    midnight = NOW.replace(hour=0, minute=0)
    upstream.handlers["/forecast"] = lambda asked: forecast_answer(asked, begins_at=midnight, celsius=80.0)
    counts = store_forecasts(LIVE, run_id="a")
    assert counts["values_quarantined"] > 0
    assert quarantined().keys() == {"out_of_range"}
    assert query("SELECT DISTINCT metric FROM weather_forecasts ORDER BY metric") == [
        ("cloud_cover_pct",),
        ("wind_speed_ms",),
    ]
