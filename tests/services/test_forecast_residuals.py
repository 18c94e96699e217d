"""Residual detectors on the real engine: loads against the forecasts issued a day and an hour before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from powersense.score import score_due, score_interval
from tests.services.forecast_data import issued, store
from tests.services.scoring_data import insert, loads, paris_day, table, with_values

pytestmark = pytest.mark.usefixtures("warehouse")

DAY, HOUR, BASELINE = "forecast_residual_day", "forecast_residual_hour", "baseline_zscore"
SATURDAY = paris_day("2017-09-30")
NOON = datetime(2017, 9, 30, 10, tzinfo=UTC)
# An issue at every hour of three days reaches every half-hour of the Saturday at both leads.
ISSUES = pd.date_range("2017-09-28T00:00Z", "2017-09-30T23:00Z", freq="h")


@pytest.fixture
def history() -> pd.DataFrame:
    """Nine weeks of regular loads, stored, the Saturday included."""
    frame = loads("2017-07-31", "2017-09-30")
    insert(frame)
    return frame


@pytest.fixture
def forecasts(history) -> pd.DataFrame:
    """What an issue at each hour says of those loads, stored: the loads themselves, with a deviation of 2 %."""
    rows = issued(history, ISSUES)
    store(rows)
    return rows


def scores(detector: str) -> pd.DataFrame:
    return table(
        "SELECT * FROM scores FINAL WHERE detector = {detector:String} ORDER BY area, observed_at", detector=detector
    )


def standing(detector: str) -> pd.DataFrame:
    return table(
        "SELECT * FROM anomalies FINAL WHERE detector = {detector:String} AND isNull(retracted_at) "
        "ORDER BY area, observed_at",
        detector=detector,
    )


def episodes(detector: str) -> pd.DataFrame:
    return table(
        "SELECT * FROM episodes FINAL WHERE detector = {detector:String} ORDER BY area, started_at", detector=detector
    )


def test_a_load_as_forecast_is_scored_at_both_leads_beside_the_baseline(history, forecasts):
    counts = score_interval(*SATURDAY, run_id="one")
    assert (counts["points_scored"], counts["anomalies"], counts["passes"]) == (3 * 48, 0, 3)
    by_instant = history.set_index("observed_at")["value"]
    for detector in (DAY, HOUR):
        found = scores(detector).set_index("observed_at")
        assert set(found["status"]) == {"scored"}
        expected = by_instant.reindex(found.index)
        np.testing.assert_allclose(found["expected_mw"].astype(float), expected, rtol=1e-6)
        np.testing.assert_allclose(found["scale_mw"].astype(float), expected * 0.02, rtol=1e-3)
        np.testing.assert_allclose(found["z_score"].astype(float), 0, atol=1e-3)
    assert set(
        table("SELECT DISTINCT source FROM measurements WHERE metric = 'consommation_anomaly_zscore'")["source"]
    ) == {BASELINE}


def test_a_slow_loss_of_a_fifth_is_found_though_the_baseline_passes_it_over(history, forecasts):
    # From midnight to 20:00 the load slides from all to four fifths of what it should be, and stays there.
    day = with_values(history, between=SATURDAY, factor=1.0)
    hours = (day["observed_at"] - pd.Timestamp(SATURDAY[0])).dt.total_seconds() / 3600
    sliding = day.assign(value=day["value"] * (1 - 0.2 * np.minimum(hours / 20, 1)))
    insert(sliding, version=2)
    score_interval(*SATURDAY, run_id="one")
    assert standing(BASELINE).empty
    for detector in (DAY, HOUR):
        found = standing(detector)
        # More than 15 % low from the first half-hour after 15:00 on, to the day's end.
        assert list(found["observed_at"]) == list(
            pd.date_range(NOON + timedelta(hours=3, minutes=30), SATURDAY[1], freq="30min", inclusive="left")
        )
        (episode,) = episodes(detector).itertuples()
        assert (episode.direction, episode.severity, episode.points) == ("low", "warning", len(found))
    assert "MW were forecast a day before (" in episodes(DAY)["explanation"].iloc[0]
    assert "MW were forecast an hour before (" in episodes(HOUR)["explanation"].iloc[0]


def test_the_newest_issue_that_is_old_enough_counts_and_of_two_stores_the_first(history):
    # Each issue says another number: its hour since the first. The second store of an issue says nonsense.
    rows = issued(history, ISSUES)
    hours = (rows["issued_at"] - ISSUES[0]) / pd.Timedelta(hours=1)
    numbered = rows.assign(**dict.fromkeys(("q100_mw", "q500_mw", "q900_mw"), hours))
    store(numbered)
    store(numbered.assign(q500_mw=-1.0), inserted_at=datetime(2017, 2, 1, tzinfo=UTC))
    score_interval(*SATURDAY, run_id="one")
    for detector, lead in ((DAY, 24), (HOUR, 1)):
        found = scores(detector)
        since_first = (found["observed_at"] - ISSUES[0]) / pd.Timedelta(hours=1)
        assert list(found["expected_mw"]) == list(np.floor(since_first - lead))


def test_quarters_are_held_against_the_line_between_two_half_hours_of_one_issue(history):
    rows = issued(history, ISSUES)
    hours = (rows["issued_at"] - ISSUES[0]) / pd.Timedelta(hours=1)
    store(rows.assign(q500_mw=1000 * hours + rows["lead_minutes"]))
    insert(loads("2017-09-30", "2017-09-30", freq="15min"), version=2)
    score_interval(*SATURDAY, run_id="one")
    found = scores(HOUR).set_index("observed_at")["expected_mw"]
    assert len(found) == 96
    # The issue of 08:00 is for 09:00 at 60 minutes and for 09:30 at 90: at 09:15 its line is at 75.
    at_nine = pd.Timestamp("2017-09-30T09:00Z")
    issue = 1000 * ((at_nine - ISSUES[0]) / pd.Timedelta(hours=1) - 1)
    minutes = [found[at_nine + pd.Timedelta(minutes=step)] - issue for step in (0, 15, 30, 45)]
    assert minutes == [60, 75, 90, 105]


def test_without_a_forecast_for_an_instant_the_row_says_so(forecasts):
    insert(loads("2017-09-30", "2017-09-30", area="Occitanie").assign(value=1.0))
    score_interval(*SATURDAY, run_id="one")
    found = scores(DAY)
    dark = found[found["area"] == "Occitanie"]
    assert set(dark["status"]) == {"insufficient_history"}
    assert dark["z_score"].isna().all()
    assert set(dark["sample_size"]) == {0}
    assert standing(DAY).empty


def test_an_installation_without_forecasts_has_the_baseline_alone(history):
    counts = score_interval(*SATURDAY, run_id="one")
    assert (counts["points_scored"], counts["passes"]) == (48, 1)
    assert set(table("SELECT DISTINCT detector FROM scores")["detector"]) == {BASELINE}


def test_points_before_the_first_forecast_are_no_business_of_the_residuals(history, forecasts):
    score_due(SATURDAY[1], "one")
    assert len(scores(BASELINE)) > 60 * 48
    first = pd.Timestamp("2017-09-28T00:00Z")
    assert scores(DAY)["observed_at"].min() == first + pd.Timedelta(hours=24)
    assert scores(HOUR)["observed_at"].min() == first + pd.Timedelta(hours=1)
    assert score_due(SATURDAY[1], "again")["points_scored"] == 0


def test_a_revision_that_heals_retracts_what_the_residuals_found(history, forecasts):
    broken = (NOON, NOON + timedelta(hours=2))
    insert(with_values(history, between=broken, factor=0.8), version=2)
    assert score_due(SATURDAY[1], "broken")["anomalies"] == 2 * 4
    assert [len(standing(name)) for name in (BASELINE, DAY, HOUR)] == [0, 4, 4]

    insert(with_values(history, between=broken, factor=1.0), vintage="consolidated", inserted_at=datetime.now(UTC))
    counts = score_due(SATURDAY[1], "healed")
    assert (counts["anomalies_retracted"], counts["episodes_retracted"]) == (8, 2)
    assert [len(standing(name)) for name in (BASELINE, DAY, HOUR)] == [0, 0, 0]
    assert set(episodes(DAY)["state"]) == {"retracted"}
    assert score_due(SATURDAY[1], "again")["points_scored"] == 0


def test_a_forecast_that_was_not_stored_yet_is_not_seen(history):
    later = datetime(2017, 10, 15, tzinfo=UTC)
    store(issued(history, ISSUES), inserted_at=later)
    score_interval(*SATURDAY, run_id="then", as_of=later - timedelta(days=1))
    assert set(scores(DAY)["status"]) == {"insufficient_history"}
    score_interval(*SATURDAY, run_id="now")
    assert set(scores(DAY)["status"]) == {"scored"}


@pytest.mark.parametrize(
    ("factor", "spread", "flagged"),
    [(0.86, 0.01, 0), (0.84, 0.01, 48), (0.84, 0.05, 0), (1.16, 0.0, 48)],
    ids=["less than the share", "more than the share", "within four deviations", "an interval of nothing"],
)
def test_both_the_share_and_the_deviations_decide(history, factor, spread, flagged):
    store(issued(history, ISSUES, spread=spread))
    insert(with_values(history, between=SATURDAY, factor=factor), version=2)
    score_interval(*SATURDAY, run_id="one")
    assert len(standing(DAY)) == flagged
