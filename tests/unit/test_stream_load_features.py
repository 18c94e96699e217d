"""A load's features: known numbers, nothing of the future, gaps said as unknown; and their scaling."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powersense.detection.stream.load_features import FEATURE_NAMES, STEP, load_features
from powersense.detection.stream.scaling import LINEAR_UP_TO, RobustScaling

DAYS = 45


def grid(start: str = "2017-05-01", days: int = DAYS) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=days * 48, freq=STEP, tz="UTC")


def wave(index: pd.DatetimeIndex) -> pd.Series:
    """Return a load that depends on the Paris time of day, and is lower on Saturdays and lowest on days off."""
    local = index.tz_convert("Europe/Paris")
    level = np.select([local.day_of_week == 6, local.day_of_week == 5], [800.0, 900.0], 1000.0)
    return pd.Series(level + 10 * (local.hour * 2 + local.minute // 30), index=index)


def test_a_load_that_is_as_ever_has_ratios_of_one():
    features = load_features(wave(grid("2017-01-09"))).iloc[-48:]
    assert tuple(features) == FEATURE_NAMES
    assert features["load_mw_ratio"].to_numpy() == pytest.approx(1)
    assert features["week_ratio"].to_numpy() == pytest.approx(1)


def test_each_feature_says_what_its_name_says():
    load = wave(grid("2017-01-09"))
    at = load.index[-20]
    load[at] *= 1.2
    usual = load[at] / 1.2
    found = load_features(load).loc[at]
    assert found["load_mw_ratio"] == pytest.approx(1.2)
    assert found["ramp_ratio"] == pytest.approx((load[at] - load[at - STEP]) / usual)
    assert found["day_ratio"] == pytest.approx(load[at] / load[at - pd.Timedelta(days=1)])
    assert found["week_ratio"] == pytest.approx(1.2)
    assert found["rolling_std_ratio"] == pytest.approx(load[at - 5 * STEP : at].std() / usual)
    assert found["flat_run"] == 0
    local = at.tz_convert("Europe/Paris")
    angle = 2 * np.pi * (local.hour + local.minute / 60) / 24
    assert (found["hour_sin"], found["hour_cos"]) == pytest.approx((np.sin(angle), np.cos(angle)))
    assert found["is_weekend"] == 0


def test_a_flat_run_is_counted_from_its_second_half_hour_on():
    load = wave(grid("2017-01-09"))
    load.iloc[-4:] = 777.0
    assert load_features(load)["flat_run"].iloc[-5:].tolist() == [0, 0, 1, 2, 3]


def test_a_public_holiday_is_compared_with_sundays():
    features = load_features(wave(grid("2017-06-10")))
    bastille_day = features.loc["2017-07-14 10:00":"2017-07-14 12:00"]  # a Friday, with a Friday's load here
    assert (bastille_day["is_weekend"] == 1).all()
    assert (bastille_day["load_mw_ratio"] > 1.1).all()


def test_summer_time_moves_no_usual_load():
    features = load_features(wave(grid("2017-02-20")))
    days_after = features.loc["2017-03-27":"2017-03-31"]
    assert days_after["load_mw_ratio"].to_numpy() == pytest.approx(1)


def test_another_clock_and_other_days_off_can_be_told():
    index = grid()
    features = load_features(wave(index), zone=ZoneInfo("UTC"), kind_of=lambda day: int(day.day == 1))
    assert features["hour_cos"][index.hour == 0].iloc[0] == 1
    assert (features["is_weekend"] == (index.day == 1)).all()


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, DAYS * 48 - 1), value=st.floats(-1e6, 1e6))
def test_no_feature_knows_what_comes_later(at, value):
    load = wave(grid())
    changed = load.copy()
    changed.iloc[at:] = value
    pd.testing.assert_frame_equal(load_features(load).iloc[:at], load_features(changed).iloc[:at])


@pytest.mark.parametrize(("share", "expected"), [(0.1, 1.0), (0.9, 1 / 0.9)], ids=["a collapse", "a cool day"])
def test_a_collapse_does_not_come_back_as_an_echo_a_week_later(share, expected):
    load = wave(grid("2017-01-09"))
    load.iloc[-7 * 48 - 1] *= share
    assert load_features(load)["week_ratio"].iloc[-1] == pytest.approx(expected)


def test_what_cannot_be_told_is_nan_and_nothing_is_infinite():
    load = wave(grid())
    load.iloc[-100] = np.nan
    load.iloc[-60] = 0.0
    features = load_features(load)
    assert features.iloc[-100].isna().all()
    assert np.isnan(features["ramp_ratio"].iloc[-99])
    assert np.isnan(features["day_ratio"].iloc[-100 + 48])
    assert not np.isinf(features.to_numpy()).any()
    assert features["load_mw_ratio"].iloc[:48].isna().all()
    assert np.isfinite(features["load_mw_ratio"].iloc[-1])


@given(factor=st.floats(1e-3, 1e3))
@settings(max_examples=10, deadline=None)
def test_features_do_not_depend_on_the_unit(factor):
    load = wave(grid())
    scaled = load_features(load * factor).drop(columns="flat_run")
    pd.testing.assert_frame_equal(scaled, load_features(load).drop(columns="flat_run"), rtol=1e-6, atol=1e-9)


def test_scaling_centres_on_the_median_in_robust_deviations():
    rng = np.random.default_rng(1)
    rows = rng.normal(50, 4, (20_000, 1))
    rows[:100] = 1e9
    scaling = RobustScaling.fit(rows)
    assert scaling(np.array([[50.0], [54.0]])).ravel() == pytest.approx([0, 1], abs=0.05)


def test_a_count_of_rare_things_is_measured_by_their_usual_size():
    rows = np.zeros((1000, 1))
    rows[::100] = 2.0
    assert RobustScaling.fit(rows)(np.array([[0.0], [2.0], [8.0]])).ravel().tolist() == [0, 1, 4]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
def test_scaling_keeps_the_order_and_stays_small_and_finite(values):
    scaling = RobustScaling(np.array([1.0]), np.array([1e-3]))
    scaled = scaling(np.sort(np.array(values))[:, None]).ravel()
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled) >= 0).all()
    assert np.abs(scaled).max() < LINEAR_UP_TO + 720


def test_a_missing_feature_becomes_the_median():
    scaling = RobustScaling(np.array([5.0]), np.array([2.0]))
    assert scaling(np.array([[np.nan], [5.0]])).ravel().tolist() == [0, 0]
