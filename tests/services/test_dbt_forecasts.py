"""The forecast models on the real engine: stored forecasts and loads in, and the marts against a plain computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from powersense.forecasting.interface import QUANTILES
from powersense.warehouse.client import connect
from tests.services.forecast_data import COLUMNS, issued, store
from tests.services.scoring_data import insert, loads
from tests.services.test_dbt_project import built, read

AS_OF = "2018-03-20T12:00:00+00:00"
MODELS = (
    "--select", "+mart_forecast_errors", "mart_forecast_scorecard", "mart_forecast_drift",
    "--indirect-selection", "cautious",
)  # fmt: skip
KEY = ["area", "target_day", "day_lead"]


@pytest.fixture
def stored(warehouse) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Eleven weeks of loads of two areas over the change to summer time, and an issue every three hours, stored."""
    frames = [
        loads("2018-01-01", "2018-03-31", area=area, scale=scale)
        for area, scale in (("France", 25.0), ("Bretagne", 1.0))
    ]
    known = pd.concat(frames, ignore_index=True)
    insert(known)
    insert(known[known["area"] == "France"].assign(value=lambda rows: rows["value"] * 1.02), metric="prevision_j1")
    rows = issued(known, pd.date_range("2018-01-02T00:00Z", "2018-03-19T21:00Z", freq="3h"), spread=0.03)
    # Errors that grow with the lead and swing from issue to issue.
    noise = np.random.default_rng(seed=3).normal(0, 0.01, len(rows)) + 0.02 * rows["lead_minutes"] / 10_080
    quantiles = list(COLUMNS.values())
    rows[quantiles] = rows[quantiles].mul(1 + noise, axis=0).round(2)
    store(rows)
    return known, rows


def plain_errors(known: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Work the errors out again, day by day and lead by lead."""
    issue = rows["issued_at"].dt.tz_convert("Europe/Paris")
    rows = rows.assign(
        issue_day=issue.dt.normalize().dt.tz_localize(None), minutes=issue.dt.hour * 60 + issue.dt.minute
    )
    by_six = rows[rows["minutes"] <= 18 * 60]
    newest = by_six[by_six["issued_at"] == by_six.groupby(["area", "issue_day"])["issued_at"].transform("max")]
    target_day = newest["target_at"].dt.tz_convert("Europe/Paris").dt.normalize().dt.tz_localize(None)
    both = newest.assign(target_day=target_day, day_lead=(target_day - newest["issue_day"]).dt.days)
    both = both.merge(known.rename(columns={"observed_at": "target_at", "value": "load"}), on=["area", "target_at"])
    both = both[both["day_lead"] >= 1]
    error = both["q500_mw"] - both["load"]
    losses = [
        np.maximum(level * (both["load"] - both[name]), (level - 1) * (both["load"] - both[name]))
        for level, name in zip(QUANTILES, COLUMNS.values(), strict=True)
    ]
    return (
        both.assign(
            mape=error.abs() / both["load"],
            squared=error**2,
            bias_mw=error,
            pinball_mw=np.mean(losses, axis=0),
            coverage_80=both["load"].between(both["q100_mw"], both["q900_mw"]).astype(float),
        )
        .groupby(KEY)
        .agg(
            half_hours=("load", "size"),
            mean_load_mw=("load", "mean"),
            mape=("mape", "mean"),
            rmse_mw=("squared", lambda squares: squares.mean() ** 0.5),
            bias_mw=("bias_mw", "mean"),
            pinball_mw=("pinball_mw", "mean"),
            coverage_80=("coverage_80", "mean"),
        )
        .reset_index()
    )


def errors(warehouse) -> pd.DataFrame:
    found = read(warehouse, "SELECT * FROM mart_forecast_errors ORDER BY area, target_day, day_lead")
    return found.assign(target_day=pd.to_datetime(found["target_day"]), day_lead=found["day_lead"].astype("int64"))


@pytest.mark.slow
def test_the_marts_say_what_a_plain_computation_says(warehouse, stored, tmp_path):
    statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
    assert set(statuses.values()) <= {"success", "pass"}
    assert sum(node.startswith("unit_test.") for node in statuses) == 3
    expected, found = plain_errors(*stored), errors(warehouse)
    both = expected.merge(found, on=KEY, how="outer", suffixes=("", "_found"), indicator=True)
    assert set(both["_merge"]) == {"both"}
    assert set(found["day_lead"]) == set(range(1, 8))
    for name in ("half_hours", "mean_load_mw", "mape", "rmse_mw", "bias_mw", "pinball_mw", "coverage_80"):
        np.testing.assert_allclose(both[f"{name}_found"].astype(float), both[name], rtol=2e-5, atol=2e-4, err_msg=name)
    france = found[found["area"] == "France"]
    np.testing.assert_allclose(france["rte_mape"].astype(float), 0.02, rtol=1e-6)
    assert found.loc[found["area"] == "Bretagne", "rte_mape"].isna().all()

    check_scorecard(warehouse, found)
    check_drift(warehouse, found)


def check_scorecard(warehouse, found: pd.DataFrame) -> None:
    scorecard = read(warehouse, "SELECT * FROM mart_forecast_scorecard")
    season = np.where(found["target_day"].dt.month <= 2, "winter", "spring")
    due = found.assign(season=season, weighted=found["mape"] * found["half_hours"])
    due = due[due["target_day"] <= "2018-03-20"]
    totals = due.groupby(["area", "season", "day_lead"])[["weighted", "half_hours"]].sum().reset_index()
    both = scorecard.merge(totals, on=["area", "season", "day_lead"], suffixes=("", "_expected"))
    assert len(both) == len(scorecard) == len(totals) == 2 * 2 * 7
    np.testing.assert_allclose(both["mape"], both["weighted"] / both["half_hours_expected"], rtol=1e-9)
    # A forecast that errs more the further it looks.
    by_lead = scorecard[scorecard["season"] == "winter"].groupby("day_lead")["mape"].mean()
    assert by_lead.is_monotonic_increasing


def check_drift(warehouse, found: pd.DataFrame) -> None:
    drift = read(warehouse, "SELECT * FROM mart_forecast_drift").set_index(["area", "day_lead"])
    assert set(drift["reference"]) == {"weeks_before"}
    share = found.assign(share=-found["bias_mw"] / found["mean_load_mw"])
    one = share[(share["area"] == "France") & (share["day_lead"] == 3)].set_index("target_day")["share"]
    recent, reference = one["2018-03-06":"2018-03-19"], one["2018-01-09":"2018-03-05"]
    row = drift.loc[("France", 3)]
    assert (row["recent_days"], row["reference_days"]) == (14, len(reference))
    deviation = max(reference.std(ddof=1), 0.002)
    assert row["z_score"] == pytest.approx((recent.mean() - reference.mean()) / (deviation / 2**0.5), abs=2e-3)


def test_an_installation_without_forecasts_builds_empty_marts_and_fails_no_test(warehouse, tmp_path):
    insert(loads("2018-03-01", "2018-03-19"))
    for _ in ("first", "again"):
        statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
        assert set(statuses.values()) <= {"success", "pass"}
    for name in ("errors", "scorecard", "drift"):
        assert read(warehouse, f"SELECT 1 FROM mart_forecast_{name}").empty


@pytest.mark.slow
def test_an_incremental_run_leaves_what_a_full_one_would(warehouse, tmp_path):
    """Forecasts of a past month that were stored late, loads that were revised, and new days."""
    known = loads("2018-01-01", "2018-03-31")
    rows = issued(known, pd.date_range("2018-01-02T00:00Z", "2018-03-18T00:00Z", freq="12h"))
    is_late = rows["issued_at"].between("2018-01-20", "2018-01-24")
    insert(known[known["observed_at"] < "2018-03-10"])
    store(rows[~is_late])
    run = ("run", "--select", "+mart_forecast_errors")
    built(tmp_path, *run, as_of="2018-03-10T00:00:00+00:00")
    before = errors(warehouse)

    store(rows[is_late], inserted_at=None)
    insert(known[known["observed_at"] >= "2018-03-10"], inserted_at=pd.Timestamp.now(tz="UTC"))
    revised = known[known["observed_at"].between("2018-02-10", "2018-02-11")]
    insert(revised.assign(value=revised["value"] * 1.1), version=2, inserted_at=pd.Timestamp.now(tz="UTC"))
    built(tmp_path, *run, as_of=AS_OF)
    incremental = errors(warehouse)
    assert len(incremental) > len(before)
    built(tmp_path, *run, "--full-refresh", as_of=AS_OF)
    pd.testing.assert_frame_equal(incremental, errors(warehouse))


def test_a_forecast_stored_twice_is_measured_as_it_was_first(warehouse, tmp_path):
    known = loads("2018-03-01", "2018-03-10")
    insert(known)
    rows = issued(known, pd.date_range("2018-03-05T12:00Z", periods=1, freq="h"))
    store(rows)
    with connect("writer") as client:
        again = "* REPLACE (q500_mw * 2 AS q500_mw, inserted_at + 1 AS inserted_at)"
        client.command(f"INSERT INTO forecasts SELECT {again} FROM forecasts")
    built(tmp_path, "run", "--select", "+mart_forecast_errors", as_of=AS_OF)
    assert errors(warehouse)["mape"].max() < 1e-6
