"""The walk over bundled real years: weeks, what an issue may know, a run that is stopped and goes on, its inputs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from powersense.backtest.files import national_mean, read_files
from powersense.backtest.inputs import half_hours
from powersense.backtest.options import area_names, read_options
from powersense.backtest.picture import page
from powersense.backtest.report import as_json
from powersense.backtest.run import model_for, run, run_key
from powersense.errors import ForecastInputError
from powersense.forecasting.backtest import QUANTILE_COLUMNS, Plan, forecast_week, without_impossible_as_of
from powersense.forecasting.interface import STEP, History
from powersense.stations import populations
from tests.national_files import national_load, regional_temperature, write_files

PLAN = Plan(first=date(2017, 6, 5), last=date(2017, 6, 18), model="analogue")
FORECASTS = [*QUANTILE_COLUMNS, "last_week_mw", "analogue_mw"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def inputs(files):
    return read_files(*files, area="France", vintage="definitive")


def test_weeks_hold_seven_issues_each_and_are_fitted_at_the_midnight_before():
    weeks = PLAN.weeks()
    assert [len(week.issued_at) for week in weeks] == [7, 7, 6]
    assert weeks[0].issued_at[0] == pd.Timestamp("2017-05-29 18:00", tz="Europe/Paris")
    assert weeks[-1].issued_at[-1] == pd.Timestamp("2017-06-17 18:00", tz="Europe/Paris")
    assert [week.until for week in weeks][:2] == [
        datetime(2017, 5, 28, 22, tzinfo=UTC),
        datetime(2017, 6, 4, 22, tzinfo=UTC),
    ]


def test_every_lead_is_scored_on_the_same_days(inputs, tmp_path):
    done = run(PLAN, inputs, tmp_path)
    days = done.evaluated.assign(day=done.evaluated["target_at"].dt.tz_convert("Europe/Paris").dt.date).groupby(
        "lead_day"
    )
    assert all(set(found) == {date(2017, 6, day) for day in range(5, 19)} for found in days["day"].unique())
    assert days.size().to_dict() == {**dict.fromkeys(range(1, 7), 14 * 48), 7: 14 * 36}


def test_the_error_of_last_week_is_that_of_the_files(inputs, tmp_path):
    done = run(PLAN, inputs, tmp_path)
    load = national_load().set_index("utc")["consommation"]
    days = load["2017-06-04 22:00":"2017-06-18 21:30"]
    before = load.reindex(days.index - timedelta(days=7)).to_numpy()
    expected = float(np.mean(np.abs(before / days.to_numpy() - 1)) * 100)
    assert done.card.value("last_week", 1, "mape_pct") == pytest.approx(expected)
    rte = national_load().set_index("utc")["prevision_j1"].reindex(days.index)
    assert done.card.value("rte_j1", 1, "mape_pct") == pytest.approx(float((rte / days - 1).abs().mean() * 100))


@pytest.mark.parametrize("model", ["gam", "analogue"])
def test_nothing_after_an_issue_moves_its_forecast(inputs, model):
    plan = Plan(first=date(2017, 6, 5), last=date(2017, 6, 18), model=model)
    week, history = plan.weeks()[0], inputs.history(plan)
    issue = week.issued_at[3]
    honest = forecast_week(plan, history, week)
    load = history.load_mw.copy()
    load[load.index >= issue] = np.random.default_rng(7).uniform(1_000, 500_000, int((load.index >= issue).sum()))
    poisoned = forecast_week(plan, History("France", load, history.weather), week)
    is_before = honest["issued_at"] <= issue
    assert is_before.sum() > 48
    pd.testing.assert_frame_equal(honest[is_before], poisoned[is_before])
    later = ~is_before
    assert (honest.loc[later, "q500_mw"] != poisoned.loc[later, "q500_mw"]).mean() > 0.5, "later issues do see it"


def test_nothing_after_an_issue_moves_it_through_the_whole_run(inputs, tmp_path):
    issue = PLAN.weeks()[1].issued_at[2]
    load = inputs.load_mw.where(inputs.load_mw.index < issue, 3 * inputs.load_mw)
    rte = inputs.rte_j1_mw.where(inputs.rte_j1_mw.index < issue, 1.0)
    honest = run(PLAN, inputs, tmp_path / "a").evaluated
    poisoned = run(PLAN, type(inputs)("France", "file", load, None, rte, "definitive"), tmp_path / "b").evaluated
    is_before = honest["issued_at"] <= issue
    assert 0 < is_before.sum() < len(honest)
    pd.testing.assert_frame_equal(honest.loc[is_before, FORECASTS], poisoned.loc[is_before, FORECASTS])
    # The level correction of an issue looks back as well.
    days = honest["target_at"] < issue
    columns = ["rte_j1_mw", "rte_j1_corrected_mw"]
    pd.testing.assert_frame_equal(honest.loc[days, columns], poisoned.loc[days, columns])


def test_an_impossible_value_is_judged_by_what_the_next_issue_knew():
    grid = pd.date_range("2017-01-01", periods=90 * 48, freq="30min", tz="UTC")
    load = pd.Series(50_000.0, index=grid) + np.arange(len(grid)) % 48 * 10.5
    load.iloc[[1_000, 3_000]] = 900.0
    issues = pd.DatetimeIndex(grid[60 * 48 :: 48])
    cleaned = without_impossible_as_of(load, issues)
    assert cleaned.isna().to_numpy().nonzero()[0].tolist() == [1_000, 3_000]
    # The load stays as it was just before the issue: a sensor that is stuck from then on.
    later = load.where(grid < issues[5], load[issues[5] - STEP])
    again = without_impossible_as_of(later, issues)
    pd.testing.assert_series_equal(again[grid < issues[5]], cleaned[grid < issues[5]])


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(inputs, tmp_path):
    def stop(done, weeks):
        if done == 1:
            raise KeyboardInterrupt

    whole = run(PLAN, inputs, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(PLAN, inputs, tmp_path / "stopped", on_week=stop)
    told = []
    resumed = run(PLAN, inputs, tmp_path / "stopped", on_week=lambda done, weeks: told.append((done, weeks)))
    assert told == [(1, 3), (2, 3), (3, 3)], "the first week was kept"
    pd.testing.assert_frame_equal(resumed.evaluated, whole.evaluated)
    assert resumed.card == whole.card


def test_a_file_that_was_cut_off_is_not_taken_for_a_week(inputs, tmp_path):
    whole = run(PLAN, inputs, tmp_path)
    kept = sorted((whole.folder / "weeks").iterdir())
    kept[1].rename(kept[1].with_suffix(".part")).write_bytes(b"PAR1 cut off")
    assert run(PLAN, inputs, tmp_path).card == whole.card


def test_side_by_side_gives_the_same_as_one_after_another(inputs, tmp_path):
    alone, together = (run(PLAN, inputs, tmp_path / str(workers), workers=workers) for workers in (0, 2))
    pd.testing.assert_frame_equal(alone.evaluated, together.evaluated)


def test_a_run_is_another_one_when_a_value_or_an_option_changes(inputs):
    load = inputs.load_mw.copy()
    load.iloc[5] += 1
    other = type(inputs)("France", inputs.origin, load, inputs.temperature_c, inputs.rte_j1_mw, "definitive")
    plans = [PLAN, Plan(PLAN.first, PLAN.last, "analogue", issue_hour=12), Plan(PLAN.first, PLAN.last, "last_week")]
    keys = [run_key(plan, inputs) for plan in plans] + [run_key(PLAN, other)]
    assert len(set(keys)) == 4
    assert run_key(PLAN, inputs) == keys[0]


def test_scorecard_json_and_picture_hold_the_figures_and_nothing_from_elsewhere(inputs, tmp_path):
    done = run(PLAN, inputs, tmp_path)
    figures = json.loads(json.dumps(as_json(done, ran_at="2026-01-01T00:00:00+00:00", seconds=1.0)))
    assert figures["run"]["weather"] == "none", "the analogue asks for no weather"
    assert {cell["reference"] for cell in figures["cells"]} == {"analogue", "last_week", "rte_j1", "rte_j1_corrected"}
    assert len(figures["worst_days"]) == 10
    html = page(done)
    assert html.count("<svg") == 2
    assert html.count("<polyline") == 4 + 2
    assert "http" not in html
    assert "{{" not in html


def test_without_weather_the_model_is_exchanged_for_the_one_that_needs_none(inputs):
    bare = type(inputs)("France", "file", inputs.load_mw, None, None, "definitive")
    assert model_for("gam", bare) == "gam_without_weather"
    assert model_for("gam", inputs) == "gam"
    with pytest.raises(ForecastInputError, match="MODEL=oracle is none of gam"):
        model_for("oracle", inputs)


def test_a_daily_mean_stands_at_13_oclock_and_is_joined_by_lines(inputs):
    daily = national_mean(regional_temperature().pivot_table(index="date", columns="region", values="tmoy"))
    noon = pd.Timestamp("2017-02-01 13:00", tz="Europe/Paris")
    first, second = daily["2017-02-01"], daily["2017-02-02"]
    assert inputs.temperature_c[noon] == pytest.approx(first)
    assert inputs.temperature_c[noon + timedelta(hours=6)] == pytest.approx(first + (second - first) / 4)


def test_the_national_mean_goes_by_population_and_needs_two_thirds_of_it():
    people = populations()
    regions = pd.DataFrame({name: [float(number), np.nan] for number, name in enumerate(people)}, index=[0, 1])
    regions.loc[1, "Bretagne"] = 5.0
    expected = sum(number * count for number, count in enumerate(people.values())) / sum(people.values())
    assert national_mean(regions.assign(Corse=99.0)).to_dict() == {0: pytest.approx(expected)}


def test_a_temperature_that_ends_early_is_unknown_after_half_a_day(files, tmp_path):
    early = tmp_path / "early.parquet"
    regional_temperature().query("date <= '2017-03-31'").to_parquet(early)
    temperature = read_files(files[0], early, area="France", vintage="definitive").temperature_c
    assert temperature.last_valid_index() == pd.Timestamp("2017-04-01 02:00", tz="Europe/Paris")


def test_a_region_reads_its_own_temperature(files):
    temperature = read_files(*files, area="Bretagne", vintage="definitive").temperature_c
    daily = regional_temperature().set_index(["region", "date"])["tmoy"]
    assert temperature[pd.Timestamp("2017-02-01 12:00", tz="UTC")] == pytest.approx(daily["Bretagne", "2017-02-01"])


def test_quarter_hours_become_their_half_hours_mean_and_nothing_above_zero_is_unknown():
    instants = pd.date_range("2017-01-01", periods=6, freq="15min", tz="UTC")
    found = half_hours(instants, pd.Series([100.0, 200, 0, 50, 0, -4]))
    assert found.tolist() == pytest.approx([150.0, 50.0, np.nan], nan_ok=True)
    assert found.index[1] - found.index[0] == STEP


def damaged(frame, **changes):
    return frame.drop(columns=changes["drop"]) if "drop" in changes else frame.assign(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": "consommation"}, r"column 'consommation' is missing \(found: utc, prevision_j1\); write utc"),
        ({"drop": "utc"}, r"column 'utc' is missing .*; write utc \(UTC instants\)"),
        ({"consommation": "many"}, r"column 'consommation' is not of numbers"),
        ({"utc": "noon"}, r"column 'utc' is not of UTC instants"),
        ({"utc": pd.Timestamp("2017-01-01", tz="UTC")}, r"column 'utc' holds 2017-01-01T00:00:00\+00:00 twice"),
    ],
    ids=["no load", "no instants", "text as load", "text as instants", "one instant twice"],
)
def test_a_load_file_that_is_none_names_itself_its_column_and_what_to_do(tmp_path, changes, message):
    path = tmp_path / "load.parquet"
    damaged(national_load().head(100), **changes).to_parquet(path)
    with pytest.raises(ForecastInputError, match=f"LOAD={path}.*{message}"):
        read_files(path, None, area="France", vintage="definitive")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": "tmoy"}, r"column 'tmoy' is missing \(found: date, region\); write date"),
        (
            {"region": "Bavaria"},
            r"column 'region' has no temperature for France \(found: Bavaria\); name the regions as Auv",
        ),
        ({"tmoy": "warm"}, r"write date \(Paris days\), region"),
    ],
    ids=["no temperature", "regions of another country", "text as temperature"],
)
def test_a_temperature_file_that_is_none_says_so(files, tmp_path, changes, message):
    path = tmp_path / "temperature.parquet"
    damaged(regional_temperature(), **changes).to_parquet(path)
    with pytest.raises(ForecastInputError, match=f"TEMPERATURE={path}.*{message}"):
        read_files(files[0], path, area="France", vintage="definitive")


def test_files_that_are_not_there_or_no_parquet_say_so(tmp_path):
    with pytest.raises(ForecastInputError, match="there is no such file"):
        read_files(tmp_path / "absent.parquet", None, area="France", vintage="definitive")
    (tmp_path / "text.parquet").write_text("utc;consommation")
    with pytest.raises(ForecastInputError, match="is no parquet file"):
        read_files(tmp_path / "text.parquet", None, area="France", vintage="definitive")


def test_days_outside_the_file_are_refused_with_what_it_holds(inputs):
    for plan in (Plan(date(2018, 1, 1), date(2018, 1, 2)), Plan(date(2016, 1, 2), date(2016, 1, 3))):
        with pytest.raises(
            ForecastInputError, match="holds load of France from 2015-12-31 23:00 to 2017-12-31 22:30 UTC"
        ):
            inputs.history(plan)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2018-02-01", "--to", "2018-01-01"], "FROM=2018-02-01 lies after TO=2018-01-01"),
        (["--from", "", "--to", "2018-01-01"], r"FROM=\(empty\) is no day; give one such as FROM=2018-01-01"),
        (["--from", "2018-01-01", "--to", "31/12/2018"], "TO=31/12/2018 is no day"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--leads", "0,8"], "LEADS=0,8: give day leads from 1 to 7"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--leads", "soon"], "LEADS=soon: give day leads"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--areas", "Bavaria"], "no area begins with 'Bavaria'"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--temperature", "t"], "TEMPERATURE=t needs a LOAD"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--load", "x", "--weather", "observed"], "needs a TEMPERATURE"),
        (["--from", "2018-01-01", "--to", "2018-01-02", "--load", "x", "--areas", "France Bretagne"], "holds one area"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name(arguments, message):
    with pytest.raises(ForecastInputError, match=message):
        read_options(arguments, issue_hour=18)


def test_areas_are_read_whatever_separates_them():
    assert area_names("France,Provence-Alpes-Côte d'Azur Pays de la Loire") == (
        "France",
        "Provence-Alpes-Côte d'Azur",
        "Pays de la Loire",
    )
