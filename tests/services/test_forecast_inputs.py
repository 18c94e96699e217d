"""What the models read: load on the level of later vintages, half-hours of one vintage, weather without gaps."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from powersense.warehouse.client import connect
from powersense.warehouse.forecast_inputs import read_inputs
from tests.services.lifecycle_data import AREA, DAY, HOUR, NOW, load, put_load, put_weather
from tests.services.scoring_data import insert

pytestmark = pytest.mark.usefixtures("warehouse")


def test_real_time_is_lifted_to_the_level_of_later_vintages():
    final = load(NOW - 60 * DAY, NOW - 30 * DAY)
    insert(final, vintage="consolidated")
    insert(load(NOW - 60 * DAY, NOW).assign(value=lambda rows: rows["value"] * 0.97), vintage="realtime")
    with connect("reader") as client:
        inputs = read_inputs(client, [AREA], issued_at=NOW, days=40)[AREA]
        raw = read_inputs(client, [AREA], issued_at=NOW, days=40, up_to_vintage="realtime")[AREA]
    known = load(NOW - 40 * DAY, NOW).set_index("observed_at")["value"]
    lifted = inputs.history.load_mw.reindex(known.index)
    np.testing.assert_allclose(lifted, known, rtol=1e-6)
    assert inputs.history.vintage == "consolidated"
    np.testing.assert_allclose(raw.history.load_mw.reindex(known.index), known * 0.97, rtol=1e-6)
    assert raw.history.vintage == "realtime"


def test_quarter_hours_of_real_time_are_averaged_and_never_mixed_with_later_vintages():
    instant = pd.Timestamp(NOW - DAY)
    quarter = pd.Timedelta(minutes=15)
    rows = pd.DataFrame(
        {
            "area": AREA,
            "observed_at": [instant + step * quarter for step in range(6)],
            "value": [3000.0, 3100.0, 3200.0, 3300.0, 3300.0, 3500.0],
        }
    )
    insert(rows, vintage="realtime")
    insert(rows.iloc[[0]].assign(value=3030.0), vintage="consolidated")
    with connect("reader") as client:
        load_mw = read_inputs(client, [AREA], issued_at=NOW, days=35)[AREA].history.load_mw.dropna()
    ratio = 3030.0 / 3050.0
    np.testing.assert_allclose(load_mw.to_numpy(), [3030.0, 3250.0 * ratio, 3400.0 * ratio])


def test_hours_between_three_hourly_reports_are_known_and_longer_gaps_are_not():
    put_load(start=NOW - 40 * DAY)
    put_weather(start=NOW - 40 * DAY)
    with connect("writer") as client:
        client.command(
            "ALTER TABLE weather_observations DELETE WHERE observed_at >= {since:DateTime('UTC')} "
            "AND observed_at < {until:DateTime('UTC')} SETTINGS mutations_sync = 1",
            parameters={"since": NOW - 20 * HOUR, "until": NOW - 10 * HOUR},
        )
        weather = read_inputs(client, [AREA], issued_at=NOW, days=35)[AREA].history.weather
    assert weather is not None
    temperature_c = weather["temperature_c"]
    assert temperature_c[pd.Timestamp(NOW - 5 * HOUR) + pd.Timedelta(minutes=30)] == pytest.approx(
        (temperature_c[pd.Timestamp(NOW - 5 * HOUR)] + temperature_c[pd.Timestamp(NOW - 4 * HOUR)]) / 2
    )
    unknown = temperature_c[pd.Timestamp(NOW - 20 * HOUR) : pd.Timestamp(NOW - 10 * HOUR - timedelta(minutes=1))]
    assert unknown.isna().all()
