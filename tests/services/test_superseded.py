"""Real-time quarters beside half-hourly consolidated values: superseded, and what follows from it.

Consolidated values stand at :00 and :30. Once they are there, the real-time values of :15 and :45 are revised too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks import pandas_scoring
from powersense.detection.baseline_zscore import BaselineZScore
from powersense.score import score_due, score_interval
from powersense.settings import get_settings
from tests.services.scoring_data import insert, loads, paris_day, scores, table, with_values

pytestmark = pytest.mark.usefixtures("warehouse")

SATURDAY = paris_day("2017-09-30")
NOON = datetime(2017, 9, 30, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
TWO_HOURS = (NOON, NOON + timedelta(hours=2))


@pytest.fixture
def history() -> pd.DataFrame:
    """Nine weeks of regular quarter-hourly loads in real time, stored."""
    frame = loads("2017-07-31", "2017-09-30", freq="15min")
    insert(frame)
    return frame


def half_hours(frame: pd.DataFrame, *, between: tuple[datetime, datetime], factor: float = 1.0) -> pd.DataFrame:
    """Return the rows of a range at :00 and :30."""
    rows = with_values(frame, between=between, factor=factor)
    return rows[rows["observed_at"].dt.minute.isin([0, 30])]


def z_scores(instant: datetime) -> list[tuple[str, int, bool]]:
    """Return the stored z-scores of an instant: vintage, version, whether it has a value."""
    rows = table(
        "SELECT toString(vintage) AS vintage, version, isNotNull(value) AS is_known FROM measurements FINAL "
        "WHERE metric = 'consommation_anomaly_zscore' AND observed_at = {instant:DateTime('UTC')} "
        "ORDER BY measurements.vintage, version",
        instant=instant,
    )
    return [(str(row.vintage), int(row.version), bool(row.is_known)) for row in rows.itertuples()]


def test_a_consolidated_half_hour_takes_back_the_anomalies_of_both_its_quarters(history):
    insert(with_values(history, between=TWO_HOURS, factor=0.1), version=2)
    assert score_due(SATURDAY[1], "broken")["anomalies"] == 8
    assert z_scores(NOON + QUARTER) == [("realtime", 1, True)]

    insert(half_hours(history, between=TWO_HOURS), vintage="consolidated", inserted_at=datetime.now(UTC))
    counts = score_due(SATURDAY[1], "healed")
    names = ("points_scored", "points_superseded", "anomalies", "anomalies_retracted", "episodes_retracted")
    assert [counts[name] for name in names] == [8, 4, 0, 8, 1]
    assert table("SELECT 1 FROM anomalies FINAL WHERE isNull(retracted_at)").empty
    assert table("SELECT toString(state) AS state FROM episodes FINAL")["state"].tolist() == ["retracted"]

    found = scores().set_index("observed_at")
    superseded = found.loc[[pd.Timestamp(NOON + QUARTER + number * 2 * QUARTER) for number in range(4)]]
    assert set(superseded["status"]) == {"superseded"}
    assert set(superseded["vintage"]) == {"realtime"}
    assert set(superseded["direction"]) == {"none"}
    assert not superseded["is_anomaly"].any()
    assert superseded[["expected_mw", "z_score", "lower_mw", "upper_mw"]].isna().all(axis=None)
    assert found.loc[pd.Timestamp(NOON), "status"] == "scored"
    assert z_scores(NOON + QUARTER) == [("realtime", 1, True), ("realtime", 2, False)]
    assert z_scores(NOON) == [("realtime", 1, True), ("consolidated", 1, True)]
    assert score_due(SATURDAY[1], "again")["points_scored"] == 0


def test_in_a_baseline_the_superseding_value_stands_in_the_place_of_the_superseded_one(history):
    day = paris_day("2017-09-16")
    insert(with_values(history, between=day, factor=0.05), version=2)
    right = half_hours(history, between=day, factor=1.1)
    insert(right, vintage="consolidated")
    of_the_half_hour = dict(zip(right["observed_at"], right["value"], strict=True))
    inside = (history["observed_at"] >= day[0]) & (history["observed_at"] < day[1])
    stands = history["observed_at"].dt.floor("30min").map(of_the_half_hour)
    known = history.assign(value=history["value"].where(~inside, stands))

    score_interval(*SATURDAY, run_id="one")
    found = scores()
    reference = pandas_scoring.score(
        known, start=pd.Timestamp(SATURDAY[0]), end=pd.Timestamp(SATURDAY[1]), rule=BaselineZScore()
    ).sort_values("observed_at")
    assert set(found["sample_size"]) == {8}
    for column in ("expected_mw", "scale_mw", "z_score"):
        np.testing.assert_allclose(found[column], reference[column].astype(float), rtol=1e-9, atol=1e-6)


def test_a_superseding_value_that_is_an_anomaly_itself_is_in_no_quarters_baseline(history):
    day = paris_day("2017-09-16")
    insert(half_hours(history, between=day, factor=0.05), vintage="consolidated")
    counts = score_interval(day[0], SATURDAY[1], run_id="at once")
    assert (counts["anomalies"], counts["points_superseded"]) == (48, 48)
    at_once = scores().tail(96)
    assert set(at_once["sample_size"]) == {7}
    score_interval(*SATURDAY, run_id="later")
    baseline = ["observed_at", "expected_mw", "scale_mw", "sample_size"]
    pd.testing.assert_frame_equal(scores().tail(96)[baseline], at_once[baseline])


def test_an_old_scored_quarter_is_due_once_when_it_is_superseded(history, monkeypatch):
    monkeypatch.setenv("SCORE_DUE_DAYS", "2")
    get_settings.cache_clear()
    old = paris_day("2017-09-20")[0]
    # Of the second half-hour only the quarter has a score; the point that never had one stays without.
    score_interval(old, old + 2 * QUARTER, run_id="one")
    score_interval(old + 3 * QUARTER, old + 4 * QUARTER, run_id="two")
    score_due(SATURDAY[1], "three")
    healed = half_hours(history, between=(old, old + 4 * QUARTER))
    insert(healed, vintage="consolidated", inserted_at=datetime.now(UTC))
    counts = score_due(SATURDAY[1], "four")
    assert (counts["points_scored"], counts["points_superseded"]) == (3, 2)
    assert score_due(SATURDAY[1], "five")["points_scored"] == 0


@pytest.mark.parametrize("end", [NOON + QUARTER, NOON + 2 * QUARTER], ids=["within the half-hour", "at its end"])
def test_a_later_instant_of_the_half_hour_supersedes_too_wherever_the_range_ends(history, end):
    later = with_values(history, between=(NOON + QUARTER, NOON + 2 * QUARTER), factor=1.0)
    insert(later, vintage="definitive")
    score_interval(NOON, end, run_id="one")
    assert scores()["status"].iloc[0] == "superseded"
    score_due(end, "two")
    assert score_due(end, "three")["points_scored"] == 0


def test_neighbouring_half_hours_other_areas_and_equal_vintages_supersede_nothing(history):
    other = loads("2017-07-31", "2017-09-30", area="Occitanie", freq="15min")
    insert(other)
    insert(half_hours(history, between=(NOON, NOON + 2 * QUARTER)), vintage="consolidated")
    score_interval(*SATURDAY, run_id="one")
    found = table("SELECT area, observed_at FROM scores FINAL WHERE status = 'superseded'")
    assert list(found.itertuples(index=False, name=None)) == [("Bretagne", pd.Timestamp(NOON + QUARTER))]


def test_a_z_score_is_taken_back_when_the_value_of_a_higher_vintage_has_too_little_history(history, monkeypatch):
    score_interval(NOON, NOON + QUARTER, run_id="one")
    assert z_scores(NOON) == [("realtime", 1, True)]
    insert(half_hours(history, between=(NOON, NOON + QUARTER)), vintage="consolidated")
    monkeypatch.setenv("SCORE_MIN_SAMPLES", "20")
    get_settings.cache_clear()
    counts = score_interval(NOON, NOON + QUARTER, run_id="two")
    assert (counts["points_insufficient_history"], counts["z_scores_changed"]) == (1, 1)
    assert z_scores(NOON) == [("realtime", 1, True), ("realtime", 2, False)]
    assert score_interval(NOON, NOON + QUARTER, run_id="three")["z_scores_changed"] == 0
