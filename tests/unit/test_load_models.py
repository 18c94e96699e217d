from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powersense.errors import ConfigurationError, ForecastInputError, ModelFileError
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES, STEP, History
from powersense.forecasting.models import MODELS, create, restore
from tests.unit.forecast_history import history

UNTIL = pd.Timestamp("2017-09-01", tz="UTC")
ISSUES = pd.date_range(UNTIL + pd.Timedelta(hours=16), periods=30, freq="D")
MEDIAN = QUANTILES.index(0.5)
NAMES = sorted(MODELS)


@pytest.fixture(scope="module")
def fitted():
    models = {}
    for name in NAMES:
        models[name] = create(name)
        models[name].fit(history(), until=UNTIL, seed=1)
    return models


def actual(issues):
    positions = history().grid.get_indexer(issues)[:, None] + np.arange(HORIZON_STEPS)
    return history().load_mw.to_numpy()[positions]


def mape(forecast, issues, leads=slice(None)):
    known = actual(issues)[:, leads]
    return float(np.nanmean(np.abs(forecast[:, leads, MEDIAN] / known - 1)))


@pytest.mark.parametrize("name", NAMES)
def test_a_forecast_is_whole_and_its_quantiles_rise(fitted, name):
    forecast = fitted[name].predict(history(), ISSUES)
    assert forecast.shape == (30, HORIZON_STEPS, len(QUANTILES))
    assert np.isfinite(forecast).all()
    assert (np.diff(forecast, axis=-1) >= 0).all()


def test_each_better_model_beats_the_next_on_a_month_that_it_has_not_seen(fitted):
    one_day = slice(12, 60)
    errors = {name: mape(fitted[name].predict(history(), ISSUES), ISSUES, one_day) for name in NAMES}
    assert errors["gam"] < errors["gam_without_weather"] < errors["analogue"] < errors["last_week"]
    assert errors["gam"] < 0.02


def test_eighty_of_a_hundred_loads_lie_in_the_eighty_percent_interval(fitted):
    forecast = fitted["gam"].predict(history(), ISSUES)
    low, high = forecast[..., QUANTILES.index(0.1)], forecast[..., QUANTILES.index(0.9)]
    share = ((actual(ISSUES) >= low) & (actual(ISSUES) <= high)).mean()
    assert 0.7 < share < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_load_after_the_issue_time_moves_a_forecast(fitted, name):
    issue = ISSUES[[5]]
    poisoned = history().load_mw.copy()
    poisoned[poisoned.index >= issue[0]] = 1.0
    told = replace(history(), load_mw=poisoned)
    np.testing.assert_array_equal(fitted[name].predict(told, issue), fitted[name].predict(history(), issue))
    poisoned = poisoned.copy()
    poisoned[poisoned.index == issue[0] - STEP] *= 0.95
    assert (
        fitted[name].predict(replace(history(), load_mw=poisoned), issue) != fitted[name].predict(told, issue)
    ).any()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_after_its_bound_moves_a_fit(fitted, name):
    later = history().grid >= UNTIL
    load = history().load_mw.where(~later, 1.0)
    weather = history().weather.where(~later[:, None], 99.0)
    model = create(name)
    model.fit(History("France", load, weather), until=UNTIL, seed=1)
    np.testing.assert_array_equal(model.predict(history(), ISSUES[:2]), fitted[name].predict(history(), ISSUES[:2]))


@pytest.mark.parametrize("name", NAMES)
def test_many_issues_at_once_are_forecast_as_each_alone(fitted, name):
    together = fitted[name].predict(history(), ISSUES[:3])
    alone = np.concatenate([fitted[name].predict(history(), ISSUES[[number]]) for number in range(3)])
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_model_forecasts_as_the_one_that_was_stored(fitted, name):
    again = restore(name, fitted[name].save())
    np.testing.assert_array_equal(again.predict(history(), ISSUES[:2]), fitted[name].predict(history(), ISSUES[:2]))


@settings(max_examples=5)
@given(factor=st.floats(0.02, 50))
def test_an_area_of_another_size_is_forecast_in_proportion(factor):
    recent = history().load_mw["2017-06":]
    small, large = create("analogue"), create("analogue")
    small.fit(History("a", recent), until=UNTIL, seed=1)
    large.fit(History("b", recent * factor), until=UNTIL, seed=1)
    expected = small.predict(History("a", recent), ISSUES[:1]) * factor
    np.testing.assert_allclose(large.predict(History("b", recent * factor), ISSUES[:1]), expected, rtol=1e-9)


def test_a_dark_day_before_the_issue_leaves_the_forecast_near_what_it_would_have_been(fitted):
    issue = ISSUES[[10]]
    dark = history().load_mw.copy()
    dark[(dark.index < issue[0]) & (dark.index >= issue[0] - pd.Timedelta(days=2))] *= 0.05
    forecast = fitted["gam"].predict(replace(history(), load_mw=dark), issue)
    assert mape(forecast, issue) < 0.04


def test_training_is_not_moved_by_a_week_of_wrong_values(fitted):
    wrong = history().load_mw.copy()
    wrong["2017-03-01":"2017-03-07"] *= 0.04
    model = create("gam")
    model.fit(replace(history(), load_mw=wrong), until=UNTIL, seed=1)
    assert mape(model.predict(history(), ISSUES), ISSUES) < 1.1 * mape(fitted["gam"].predict(history(), ISSUES), ISSUES)


def test_without_the_last_days_weather_the_weather_model_cannot_say(fitted):
    weather = history().weather.copy()
    weather[weather.index >= ISSUES[3] - pd.Timedelta(days=2)] = np.nan
    forecast = fitted["gam"].predict(replace(history(), weather=weather), ISSUES[[0, 3]])
    assert np.isfinite(forecast[0]).all()
    assert np.isnan(forecast[1]).all()


def test_a_missing_weather_forecast_costs_accuracy_and_no_more(fitted):
    weather = history().weather.copy()
    weather[weather.index >= ISSUES[3]] = np.nan
    forecast = fitted["gam"].predict(replace(history(), weather=weather), ISSUES[[3]])
    assert mape(forecast, ISSUES[[3]]) < 0.06


def test_no_weather_at_all_is_said(fitted):
    with pytest.raises(ForecastInputError, match="France: no weather is known"):
        fitted["gam"].predict(history().without_weather(), ISSUES[:1])


def test_too_little_load_is_said():
    model = create("gam_without_weather")
    with pytest.raises(ForecastInputError, match=r"load known on \d+ days at 00:00; training needs 28"):
        model.fit(History("France", history().load_mw["2017-08-10":]), until=UNTIL, seed=1)


def test_an_issue_time_off_the_grid_is_named(fitted):
    with pytest.raises(ForecastInputError, match="2017-09-01T00:10:00"):
        fitted["gam"].predict(history(), pd.DatetimeIndex([UNTIL + pd.Timedelta(minutes=10)]))


def test_a_grid_with_a_gap_is_refused():
    with pytest.raises(ForecastInputError, match="gaps or repeats"):
        History("France", history().load_mw.drop(history().grid[7]))


def corrupted(files):
    return files | {"arrays.npz": files["arrays.npz"][:-200]}


def of_other_features(files):
    meta = json.loads(files["model.json"])
    return files | {"model.json": json.dumps(meta | {"features": [*meta["features"][:-1], "moon"]}).encode()}


def of_another_shape(files):
    with np.load(io.BytesIO(files["arrays.npz"])) as stored:
        arrays = dict(stored) | {"intervals": stored["intervals"][1:]}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return files | {"arrays.npz": buffer.getvalue()}


def with_code(files):
    buffer = io.BytesIO()
    np.savez(buffer, intervals=np.array([{"not": "numbers"}], dtype=object), allow_pickle=True)
    return files | {"arrays.npz": buffer.getvalue()}


def not_finite(files):
    with np.load(io.BytesIO(files["arrays.npz"])) as stored:
        arrays = dict(stored) | {"intervals": stored["intervals"] * np.nan}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return files | {"arrays.npz": buffer.getvalue()}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda files: {}, "missing"),
        (lambda files: files | {"model.json": b"{"}, "cannot be read"),
        (corrupted, "cannot be read"),
        (with_code, "cannot be read"),
        (of_other_features, "other features.*moon"),
        (of_another_shape, "should have shape"),
        (not_finite, "not finite"),
    ],
)
def test_a_damaged_or_foreign_model_file_is_refused(fitted, damage, said):
    with pytest.raises(ModelFileError, match=said):
        restore("gam", damage(fitted["gam"].save()))


def test_a_model_of_another_name_is_refused(fitted):
    with pytest.raises(ModelFileError, match="last_week"):
        restore("gam", fitted["last_week"].save())


def test_an_unknown_model_is_named():
    with pytest.raises(ConfigurationError, match="no model is named 'oracle'"):
        create("oracle")
