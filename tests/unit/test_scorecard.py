"""The scorecard on values worked out by hand: metrics, common half-hours, slices, day leads, worst days."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from powersense.forecasting.backtest import QUANTILE_COLUMNS, Plan, targets_of
from powersense.forecasting.interface import HORIZON_STEPS, QUANTILES
from powersense.forecasting.rte_reference import evaluate, level_ratio
from powersense.forecasting.scorecard import ALL_LEADS, pinball, score, season_of
from powersense.forecasting.worst_days import NO_REASON, reason, worst_days


def evaluated(rows, *, rte=None, spread=1000.0, lead_day=1):
    """Return rows of (Paris time, load, forecast); references are 10 % and 20 % above the load."""
    load = np.array([row[1] for row in rows], dtype="float64")
    median = np.array([row[2] for row in rows], dtype="float64")
    at = pd.DatetimeIndex([pd.Timestamp(row[0], tz="Europe/Paris") for row in rows]).tz_convert("UTC")
    frame = pd.DataFrame({"issued_at": at - pd.Timedelta(days=1), "target_at": at, "lead_day": lead_day})
    for quantile, name in zip(QUANTILES, QUANTILE_COLUMNS, strict=True):
        frame[name] = median + (quantile - 0.5) / 0.4 * spread
    return frame.assign(
        last_week_mw=load * 1.1,
        analogue_mw=load * 1.2,
        load_mw=load,
        rte_j1_mw=np.nan if rte is None else np.array(rte, dtype="float64"),
        rte_j1_corrected_mw=np.nan if rte is None else np.array(rte, dtype="float64") + 1,
    )


def test_the_metrics_of_three_half_hours():
    rows = [
        ("2018-03-01 10:00", 50_000, 51_000),
        ("2018-03-01 10:30", 40_000, 38_900),
        ("2018-03-01 11:00", 50_000, 51_100),
    ]
    card = score(evaluated(rows, rte=[50_500, 40_400, 50_500]), model="gam")
    assert card.value("gam", 1, "mape_pct") == pytest.approx((2 + 2.75 + 2.2) / 3)
    assert card.value("gam", 1, "rmse_mw") == pytest.approx(np.sqrt((1000**2 + 1100**2 + 1100**2) / 3))
    assert card.value("gam", 1, "bias_mw") == pytest.approx((1000 - 1100 + 1100) / 3)
    assert card.value("gam", 1, "coverage80_pct") == pytest.approx(100 / 3), "two lie 1,100 beside, the band 1,000"
    assert card.value("rte_j1", 1, "mape_pct") == pytest.approx(1.0)
    assert card.value("last_week", 1, "mape_pct") == pytest.approx(10.0)
    assert card.value("last_week", 1, "coverage80_pct") is None
    assert card.references == ("gam", "rte_j1", "rte_j1_corrected", "last_week", "analogue")


def test_the_pinball_loss_of_one_value_by_hand():
    # Load 100; quantiles 80, 90, 95, 100, 105, 110, 120 at 0.025 … 0.975.
    expected = (0.025 * 20 + 0.1 * 10 + 0.25 * 5 + 0 + 0.25 * 5 + 0.1 * 10 + 0.025 * 20) / 7
    assert pinball(np.array([100.0]), np.array([[80.0, 90, 95, 100, 105, 110, 120]])) == pytest.approx(expected)


def test_a_point_forecast_has_half_its_mean_absolute_error_as_pinball_loss():
    card = score(evaluated([("2018-03-01 10:00", 50_000, 51_000)]), model="gam")
    assert card.value("last_week", 1, "pinball_mw") == pytest.approx(2_500)


def test_everyone_is_scored_on_the_same_half_hours():
    rows = [
        ("2018-03-01 10:00", 50_000, 51_000),
        ("2018-03-01 10:30", 50_000, 55_000),
        ("2018-03-01 11:00", 50_000, 52_000),
    ]
    frame = evaluated(rows, rte=[50_000, np.nan, 51_000])
    card = score(frame, model="gam")
    assert card.value("gam", 1, "half_hours") == card.value("rte_j1", 1, "half_hours") == 2
    assert card.value("gam", 1, "mape_pct") == pytest.approx(3.0), (
        "the 10 % of the half-hour that RTE lacks is left out"
    )
    assert (card.without_load, card.without_forecast, card.without_reference) == (0, 0, 1)


def test_what_is_left_out_is_counted_by_its_cause():
    rows = [(f"2018-03-01 {hour}:00", 50_000, 51_000) for hour in range(10, 15)]
    frame = evaluated(rows)
    frame.loc[0, "load_mw"] = np.nan
    frame.loc[1, "q900_mw"] = np.nan
    frame.loc[2, "analogue_mw"] = np.nan
    card = score(frame, model="gam")
    assert (card.without_load, card.without_forecast, card.without_reference) == (1, 1, 1)
    assert card.value("gam", 1, "half_hours") == 2


def test_rte_takes_no_part_where_it_forecast_little():
    rows = [(f"2018-03-01 {hour}:00", 50_000, 51_000) for hour in range(10, 14)]
    card = score(evaluated(rows, rte=[50_000, np.nan, np.nan, np.nan]), model="gam")
    assert card.value("rte_j1", 1, "mape_pct") is None
    assert card.value("gam", 1, "half_hours") == 4


def test_a_run_of_an_area_without_rte_scores_the_rest():
    card = score(evaluated([("2018-03-01 10:00", 50_000, 51_000)], lead_day=2), model="gam")
    assert card.references_at(2) == ("gam", "last_week", "analogue")
    assert card.value("gam", ALL_LEADS, "mape_pct") == pytest.approx(2.0)


def test_a_model_that_is_a_reference_itself_stands_once():
    frame = evaluated([("2018-03-01 10:00", 50_000, 51_000)])
    frame["q500_mw"] = frame["analogue_mw"]
    card = score(frame, model="analogue")
    assert card.references == ("analogue", "last_week")
    assert card.value("analogue", 1, "mape_pct") == pytest.approx(20.0)


def test_seasons_and_holidays_go_by_the_paris_day():
    rows = [
        ("2018-02-28 23:30", 50_000, 51_000),  # winter
        ("2018-03-01 00:00", 50_000, 52_000),  # spring, though 23:00 UTC of February
        ("2018-07-14 00:00", 50_000, 53_000),  # holiday, though 13 July in UTC
        ("2018-07-15 00:00", 50_000, 54_000),
    ]
    card = score(evaluated(rows), model="gam")
    found = {name: card.value("gam", 1, "mape_pct", slice=name) for name in ("winter", "spring", "summer", "autumn")}
    assert found == {"winter": pytest.approx(2), "spring": pytest.approx(4), "summer": pytest.approx(7), "autumn": None}
    assert card.value("gam", 1, "mape_pct", slice="public_holiday") == pytest.approx(6.0)
    assert card.value("gam", 1, "half_hours", slice="normal_day") == 3


def test_winter_is_december_to_february():
    months = np.arange(1, 13)
    assert list(season_of(months)) == ["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"]


@pytest.mark.parametrize(
    ("day", "half_hours"),
    [("2018-03-25", 46), ("2018-10-28", 50), ("2018-06-10", 48)],
    ids=["spring", "autumn", "plain"],
)
def test_a_day_lead_is_a_whole_paris_day_of_23_24_or_25_hours(day, half_hours):
    plan = Plan(first=date.fromisoformat(day), last=date.fromisoformat(day), leads=(1, 3))
    targets = targets_of(plan.issued_at)
    for lead in (1, 3):
        rows = targets[targets["lead_day"] == lead]
        on_day = rows[rows["target_at"].dt.tz_convert("Europe/Paris").dt.date == date.fromisoformat(day)]
        assert len(on_day) == half_hours


def test_issues_stand_at_their_paris_hour_on_both_sides_of_a_clock_change():
    plan = Plan(first=date(2018, 3, 25), last=date(2018, 3, 26), leads=(1,), issue_hour=18)
    assert [str(at) for at in plan.issued_at] == ["2018-03-24 17:00:00+00:00", "2018-03-25 16:00:00+00:00"]


def test_the_last_lead_ends_at_the_issue_hour():
    targets = targets_of(Plan(first=date(2018, 6, 10), last=date(2018, 6, 10), leads=(7,)).issued_at)
    assert len(targets) == HORIZON_STEPS
    assert (targets["lead_day"] == 7).sum() == 36


def test_rte_is_corrected_by_the_ratio_known_before_the_issue():
    grid = pd.date_range("2018-01-01", periods=60 * 48, freq="30min", tz="UTC")
    rte = pd.Series(50_000.0, index=grid)
    issue = grid[40 * 48]
    load = pd.Series(np.where(grid < grid[20 * 48], 55_000.0, 51_000.0), index=grid)
    load[grid >= issue] = 90_000.0
    # 28 days before the issue: 8 at 1.1, 20 at 1.02.
    assert level_ratio(load, rte, pd.DatetimeIndex([issue])) == pytest.approx([1.02])
    assert np.isnan(level_ratio(load, rte, pd.DatetimeIndex([grid[5 * 48]]))).all(), "less than a week is known"
    rows = pd.DataFrame({"issued_at": issue, "target_at": [grid[41 * 48], grid[42 * 48]], "lead_day": [1, 2]})
    found = evaluate(rows, load, rte)
    assert found["rte_j1_corrected_mw"].tolist() == pytest.approx([51_000.0, np.nan], nan_ok=True)
    assert found["load_mw"].tolist() == [90_000.0, 90_000.0]


def test_the_half_hour_of_the_issue_does_not_count_for_the_correction():
    grid = pd.date_range("2018-01-01", periods=29 * 48, freq="30min", tz="UTC")
    issue = grid[28 * 48]
    load = pd.Series(np.where(grid < grid[14 * 48], 50_000.0, 55_000.0), index=grid)
    half_and_half = level_ratio(load, pd.Series(50_000.0, index=grid), pd.DatetimeIndex([issue]))
    assert half_and_half == pytest.approx([1.05]), "one more at 1.1 would make it 1.1"


@pytest.mark.parametrize(
    ("day", "temperature", "expected"),
    [
        ("2018-05-08", (15.0, 0.0), "public holiday: Fête de la Victoire"),
        ("2018-05-07", None, "bridge day"),
        ("2018-05-09", None, "between two public holidays"),
        ("2018-11-02", None, "bridge day"),
        ("2018-12-27", None, "Christmas weeks"),
        ("2019-01-02", None, "Christmas weeks"),
        ("2018-10-28", (3.0, -8.0), "daylight-saving day of 25 hours"),
        ("2018-02-27", (-3.04, -8.96), "cold spell: -3.0 °C, 9.0 °C below the season"),
        ("2018-04-20", (19.5, 7.0), "warm spell: 19.5 °C, 7.0 °C above the season"),
        ("2018-04-24", (13.0, 1.0), NO_REASON),
        ("2018-04-24", None, NO_REASON),
    ],
)
def test_the_reason_of_a_day(day, temperature, expected):
    assert reason(date.fromisoformat(day), temperature) == expected


def test_the_worst_days_come_first_with_what_the_weather_was():
    rows = [
        ("2018-02-27 10:00", 50_000, 55_000),
        ("2018-02-26 10:00", 50_000, 51_000),
        ("2018-05-01 10:00", 50_000, 54_000),
    ]
    grid = pd.date_range("2017-01-01", "2018-12-31", freq="30min", tz="UTC")
    temperature = pd.Series(np.where(grid.strftime("%Y-%m-%d") == "2018-02-27", -4.0, 6.0), index=grid)
    worst = worst_days(evaluated(rows, rte=[50_500] * 3), model="gam", temperature_c=temperature, count=2)
    assert [(day.day, round(day.mape_pct, 6), round(day.bias_mw, 6)) for day in worst] == [
        (date(2018, 2, 27), 10.0, 5000.0),
        (date(2018, 5, 1), 8.0, 4000.0),
    ]
    assert worst[0].reason.startswith("cold spell: -3.")
    assert worst[0].rte_mape_pct == pytest.approx(1.0)
    assert worst[1].reason == "public holiday: Fête du Travail"


def test_what_is_usual_around_new_year_reaches_over_it():
    grid = pd.date_range("2016-12-01", "2018-01-07", freq="30min", tz="UTC")
    temperature = pd.Series(np.where(grid.month == 12, 15.0, 2.0), index=grid)
    (worst,) = worst_days(evaluated([("2018-01-06 10:00", 50_000, 51_000)]), model="gam", temperature_c=temperature)
    assert worst.reason == "cold spell: 2.0 °C, 5.3 °C below the season", "19 days of 15 °C and 28 of 2 °C are near"
