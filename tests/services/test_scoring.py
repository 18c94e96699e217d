"""Scoring on the real engine: what a baseline holds and what it must not, rescoring, retraction, calendars, retries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks import pandas_scoring
from powersense.detection.baseline_zscore import BaselineZScore
from powersense.errors import WindowError
from powersense.score import score_due, score_interval
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.scoring import ScoringWorkspace
from tests.services.scoring_data import insert, loads, paris_day, scores, table, with_values

pytestmark = pytest.mark.usefixtures("warehouse")

SATURDAY = paris_day("2017-09-30")
NOON = datetime(2017, 9, 30, 10, tzinfo=UTC)
BASELINE = ["observed_at", "expected_mw", "scale_mw", "sample_size"]


def anomalies() -> pd.DataFrame:
    return table("SELECT * FROM anomalies FINAL ORDER BY area, observed_at")


def episodes() -> pd.DataFrame:
    return table("SELECT * FROM episodes FINAL ORDER BY area, started_at")


@pytest.fixture
def history() -> pd.DataFrame:
    """Nine weeks of regular loads, the incident's Saturday included, stored."""
    frame = loads("2017-07-31", "2017-09-30")
    insert(frame)
    return frame


def test_a_regular_load_is_scored_and_not_flagged(history):
    counts = score_interval(*SATURDAY, run_id="one")
    found = scores()
    assert (counts["points_scored"], counts["anomalies"], counts["passes"]) == (48, 0, 1)
    assert set(found["status"]) == {"scored"}
    assert set(found["day_type"]) == {"saturday"}
    assert found["z_score"].abs().max() < 3
    assert set(found["sample_size"]) == {8}  # Saturdays from 5 August to 23 September
    assert (found["lower_mw"] < found["value"]).all()
    assert (found["value"] < found["upper_mw"]).all()


@pytest.mark.parametrize("method", ["robust", "classic"])
def test_the_statement_gives_what_an_independent_loop_gives(history, method, monkeypatch):
    monkeypatch.setenv("SCORE_METHOD", method)
    get_settings.cache_clear()
    broken = with_values(history, between=paris_day("2017-09-09"), factor=0.1)
    insert(broken, version=2)
    known = pd.concat([history[~history["observed_at"].isin(broken["observed_at"])], broken], ignore_index=True)
    start, end = paris_day("2017-09-08", days=23)
    score_interval(start, end, run_id="one")
    reference = pandas_scoring.score(
        known, start=pd.Timestamp(start), end=pd.Timestamp(end), rule=BaselineZScore(method=method)
    ).sort_values("observed_at")
    found = scores()
    assert len(found) == 23 * 48
    assert found["is_anomaly"].sum() == 48
    for column in ("expected_mw", "scale_mw", "z_score", "sample_size", "is_anomaly"):
        np.testing.assert_allclose(
            found[column].astype(float), reference[column].astype(float), rtol=1e-9, atol=1e-6, err_msg=column
        )


def test_the_scored_point_and_later_ones_do_not_move_the_baseline(history):
    score_interval(*SATURDAY, run_id="clean")
    clean = scores()
    # The whole scored day is poisoned, so neither the point itself nor its neighbours of that day may count.
    insert(with_values(history, between=SATURDAY, factor=50.0), version=2)
    score_interval(*SATURDAY, run_id="poisoned")
    poisoned = scores()
    pd.testing.assert_frame_equal(poisoned[BASELINE], clean[BASELINE])
    assert (poisoned["z_score"] > clean["z_score"] + 100).all()


def test_past_anomalies_are_in_no_later_baseline(history):
    broken = with_values(history, between=paris_day("2017-09-16"), factor=0.05)
    insert(broken, version=2)
    start, _ = paris_day("2017-09-16")
    counts = score_interval(start, SATURDAY[1], run_id="one")
    assert (counts["anomalies"], counts["passes"]) == (48, 2)
    after = scores().tail(48).reset_index(drop=True)
    assert set(after["sample_size"]) == {7}
    # The same baseline as if that Saturday had never been published.
    insert(broken.assign(value=np.nan), version=3)
    with connect("writer") as client:
        client.command("ALTER TABLE measurements DELETE WHERE toDate(observed_at, 'Europe/Paris') = '2017-09-16'")
        for name in ("anomalies", "scores"):
            client.command(f"TRUNCATE TABLE {name}")
    score_interval(*SATURDAY, run_id="two")
    pd.testing.assert_frame_equal(scores()[BASELINE], after[BASELINE])


def test_a_quarantined_outage_is_in_no_baseline_until_a_later_value_replaces_it(history):
    instant = NOON - timedelta(days=7)
    with connect("writer") as client:
        row = ["rte", "out_of_range", "hash", "Bretagne", instant, "consommation: range [0, 1]", "{}", "run"]
        columns = ["source", "reason", "record_hash", "area", "observed_at", "detail", "record", "run_id"]
        client.insert("quarantine", [row], column_names=columns)
        other = ["rte", "out_of_range", "other", "Bretagne", instant - timedelta(days=7), "eolien: range", "{}", "run"]
        client.insert("quarantine", [other], column_names=columns)

    def sample_size() -> int:
        score_interval(NOON, NOON + timedelta(minutes=30), run_id="one")
        found = scores()
        return int(found.loc[found["observed_at"] == NOON, "sample_size"].iloc[0])

    assert sample_size() == 7
    replaced = with_values(history, between=(instant, instant + timedelta(minutes=30)), factor=1.01)
    insert(replaced, vintage="consolidated", inserted_at=datetime.now(UTC) + timedelta(minutes=1))
    assert sample_size() == 8


def test_another_unit_scales_the_megawatts_and_leaves_the_z_scores():
    # Spread and level over areas of other sizes: the deviation's floor in MW is out of play at these sizes.
    factors = {"Bretagne": 1.0, "Occitanie": 2.5, "France": 40.0}
    for area, factor in factors.items():
        insert(loads("2017-07-31", "2017-09-30", area=area, scale=factor))
    score_interval(*SATURDAY, run_id="one")
    reference = scores("Bretagne")
    for area, factor in factors.items():
        found = scores(area)
        for column in ("expected_mw", "scale_mw", "lower_mw", "upper_mw"):
            np.testing.assert_allclose(found[column], reference[column] * factor, rtol=1e-9)
        np.testing.assert_allclose(found["z_score"], reference["z_score"], atol=2e-6)


def test_the_order_in_which_rows_arrive_changes_nothing(history):
    score_interval(*SATURDAY, run_id="one")
    ordered = scores()
    with connect("writer") as client:
        for name in ("measurements", "scores"):
            client.command(f"TRUNCATE TABLE {name}")
    shuffled = history.sample(frac=1, random_state=7)
    insert(shuffled.iloc[:1500])
    insert(shuffled.iloc[1500:])
    score_interval(*SATURDAY, run_id="two")
    changing = ["scored_at", "run_id"]
    pd.testing.assert_frame_equal(scores().drop(columns=changing), ordered.drop(columns=changing))


@pytest.mark.parametrize(
    ("day", "first", "points"),
    [("2018-03-25", "2018-01-29", 92), ("2017-10-29", "2017-09-04", 100)],
    ids=["23 hours", "25 hours"],
)
def test_days_on_which_the_clock_changes_are_scored_whole(day, first, points):
    insert(loads(first, day, freq="15min"))
    counts = score_interval(*paris_day(day), run_id="one")
    found = scores()
    assert counts["points_scored"] == len(found) == points
    assert set(found["status"]) == {"scored"}
    assert found["z_score"].abs().max() < 4
    # The repeated hour is two points of one bucket; neither is in the other's sample.
    repeated = found[found["bucket"].between(120, 179)]
    assert len(repeated) == points - 92
    assert set(repeated["sample_size"]) <= {7}


def test_nothing_known_means_nothing_scored():
    empty = loads("2017-09-30", "2017-09-30").assign(value=np.nan)
    insert(empty)
    for counts in (score_interval(*SATURDAY, run_id="one"), score_due(SATURDAY[1], "two")):
        assert set(counts.values()) == {0}
    assert scores().empty


def test_too_short_a_history_is_said_on_the_row():
    insert(loads("2017-09-18", "2017-09-30"))  # one earlier Saturday
    counts = score_interval(*SATURDAY, run_id="one")
    found = scores()
    assert counts["points_insufficient_history"] == 48
    assert set(found["status"]) == {"insufficient_history"}
    assert found["z_score"].isna().all()
    assert not found["is_anomaly"].any()
    assert set(found["sample_size"]) == {1}
    assert table("SELECT 1 FROM measurements WHERE metric = 'consommation_anomaly_zscore'").empty


def test_public_holidays_are_compared_with_public_holidays_alone():
    insert(loads("2017-04-01", "2017-11-08"))
    score_interval(*paris_day("2017-11-01"), run_id="holiday")
    score_interval(*paris_day("2017-11-08"), run_id="wednesday")
    found = scores()
    holiday, wednesday = found.head(48), found.tail(48)
    assert set(holiday["day_type"]) == {"public_holiday"}
    # 17 April, 1, 8 and 25 May, 5 June, 14 July, 15 August.
    assert set(holiday["sample_size"]) == {7}
    assert set(wednesday["day_type"]) == {"wednesday"}
    # Wednesdays from 5 April to 25 October; 1 November was one, but a public holiday.
    assert set(wednesday["sample_size"]) == {30}


def test_a_revision_that_heals_retracts_anomalies_and_shrinks_then_retracts_the_episode(history):
    between = (NOON, NOON + timedelta(hours=2))
    insert(with_values(history, between=between, factor=0.1), version=2)
    score_due(SATURDAY[1], "broken")
    (episode,) = episodes().itertuples()
    assert (episode.points, episode.state, episode.severity, len(anomalies())) == (4, "closed", "critical", 4)

    insert(with_values(history, between=(NOON, NOON + timedelta(hours=1)), factor=1.0), version=3)
    counts = score_due(SATURDAY[1], "half healed")
    assert (counts["points_scored"], counts["anomalies_retracted"], counts["episodes_changed"]) == (2, 2, 1)
    (shrunk,) = episodes().itertuples()
    assert (shrunk.episode_id, shrunk.points, shrunk.started_at) == (
        episode.episode_id,
        2,
        pd.Timestamp(NOON) + pd.Timedelta(hours=1),
    )

    insert(with_values(history, between=(NOON + timedelta(hours=1), between[1]), factor=1.0), vintage="consolidated")
    counts = score_due(SATURDAY[1], "healed")
    assert (counts["anomalies_retracted"], counts["episodes_retracted"]) == (2, 1)
    assert anomalies()["retracted_at"].notna().all()
    assert episodes()["state"].tolist() == ["retracted"]
    assert score_due(SATURDAY[1], "again")["points_scored"] == 0


def test_z_scores_go_back_into_measurements_as_versions(history):
    def stored() -> pd.DataFrame:
        return table(
            "SELECT observed_at, vintage, publisher, version, value, run_id FROM measurements FINAL "
            "WHERE metric = 'consommation_anomaly_zscore' AND observed_at = {noon:DateTime('UTC')} ORDER BY version",
            noon=NOON,
        )

    score_interval(*SATURDAY, run_id="one")
    score_interval(*SATURDAY, run_id="two")
    first = stored()
    assert first[["vintage", "publisher", "version", "run_id"]].to_numpy().tolist() == [
        ["realtime", "powersense", 1, "one"]
    ]
    insert(with_values(history, between=(NOON, NOON + timedelta(minutes=30)), factor=0.1), version=2)
    assert score_interval(*SATURDAY, run_id="three")["z_scores_changed"] == 1
    assert stored()["version"].tolist() == [1, 2]
    found = scores()
    assert stored()["value"].iloc[1] == found.loc[found["observed_at"] == NOON, "z_score"].iloc[0]


def test_a_series_of_runs_and_one_range_give_the_same_scores(history):
    for day, factor in (("2017-09-16", 0.05), ("2017-09-23", 1.6)):
        insert(with_values(history, between=paris_day(day), factor=factor), version=2)
    start, _ = paris_day("2017-09-15")
    score_interval(start, start + timedelta(hours=1), run_id="first")
    steps = [start + timedelta(hours=1) + number * timedelta(minutes=15) for number in range(1, 9)]
    steps += [start + timedelta(days=number) for number in range(1, 17)]
    for now in steps:
        score_interval(max(start, now - timedelta(days=1)), now, run_id=f"run {now}")
    series = scores(), anomalies(), episodes()
    with connect("writer") as client:
        for name in ("scores", "anomalies", "episodes"):
            client.command(f"TRUNCATE TABLE {name}")
    counts = score_interval(start, SATURDAY[1], run_id="range")
    assert (counts["anomalies"], counts["points_scored"]) == (96, 16 * 48)
    for one, other in zip(series, (scores(), anomalies(), episodes()), strict=True):
        changing = [name for name in one.columns if name in {"run_id", "scored_at", "detected_at", "updated_at"}]
        pd.testing.assert_frame_equal(one.drop(columns=changing), other.drop(columns=changing))


def test_scoring_twice_and_at_once_changes_nothing(history):
    insert(with_values(history, between=(NOON, NOON + timedelta(hours=2)), factor=0.1), version=2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda run: score_interval(*SATURDAY, run_id=run), ["one", "two"]))
    before = scores(), anomalies(), episodes()
    counts = score_interval(*SATURDAY, run_id="three")
    names = ("anomalies_new", "anomalies_retracted", "z_scores_changed", "episodes_changed", "episodes_retracted")
    assert [counts[name] for name in names] == [0] * 5
    assert (len(before[0]), len(before[1]), len(before[2])) == (48, 4, 1)
    pd.testing.assert_frame_equal(anomalies(), before[1])
    pd.testing.assert_frame_equal(episodes(), before[2])
    duplicates = "SELECT count() FROM (SELECT ukey, version FROM measurements FINAL GROUP BY ALL HAVING count() > 1)"
    assert table(duplicates).iloc[0, 0] == 0


def test_a_run_that_dies_before_its_scores_stand_is_done_again(history, monkeypatch):
    insert(with_values(history, between=(NOON, NOON + timedelta(hours=2)), factor=0.1), version=2)

    def die(self: ScoringWorkspace, *, run_id: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ScoringWorkspace, "store", die)
        with pytest.raises(KeyboardInterrupt):
            score_due(SATURDAY[1], "dies")
    assert scores().empty
    assert len(anomalies()) == 4
    counts = score_due(SATURDAY[1], "again")
    assert (counts["anomalies"], counts["anomalies_new"], counts["episodes_changed"]) == (4, 0, 0)
    assert len(anomalies()) == 4
    assert len(scores()) == counts["points_scored"] > 0


def test_a_revision_of_an_old_scored_point_is_due_and_an_old_unscored_one_is_not(history, monkeypatch):
    monkeypatch.setenv("SCORE_DUE_DAYS", "2")
    get_settings.cache_clear()
    old = paris_day("2017-09-20")
    score_interval(*old, run_id="one")
    score_due(SATURDAY[1], "two")
    assert set(scores()["observed_at"].dt.date.astype(str)) == {
        "2017-09-19",
        "2017-09-20",
        "2017-09-28",
        "2017-09-29",
        "2017-09-30",
    }
    revised = with_values(history, between=(old[0], old[0] + timedelta(minutes=30)), factor=0.5)
    insert(revised, version=2, inserted_at=datetime.now(UTC))
    counts = score_due(SATURDAY[1], "three")
    assert (counts["points_scored"], counts["anomalies_new"]) == (1, 1)


def test_what_was_not_known_yet_is_not_seen(history):
    later = datetime(2017, 10, 15, tzinfo=UTC)
    insert(with_values(history, between=SATURDAY, factor=0.1), vintage="consolidated", inserted_at=later)
    assert score_interval(*SATURDAY, run_id="then", as_of=later - timedelta(days=1))["anomalies"] == 0
    assert score_interval(*SATURDAY, run_id="now")["anomalies"] == 48


@pytest.mark.parametrize(
    ("start", "end"),
    [(SATURDAY[1], SATURDAY[0]), (SATURDAY[0], SATURDAY[0]), (SATURDAY[0].replace(tzinfo=None), SATURDAY[1])],
    ids=["reversed", "empty", "without a zone"],
)
def test_a_range_that_is_none_is_refused(start, end):
    with pytest.raises(WindowError, match="start="):
        score_interval(start, end, run_id="one")
