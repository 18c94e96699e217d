"""What labels of episodes do to later scorings, on the real engine: baselines, bands, what was known when, and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks import pandas_scoring
from powersense.detection.baseline_zscore import BaselineZScore
from powersense.score import score_interval
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.labels import say
from powersense.warehouse.reads import anomalous_half_hours
from tests.services.forecast_data import issued, store
from tests.services.scoring_data import insert, loads, paris_day, table, with_values
from tests.services.test_incident_2017 import INCIDENT_DAY, PUBLICATION_DELAY, SAMPLE, loads_of

BASELINE, DAY_AHEAD, HOUR_AHEAD = "baseline_zscore", "forecast_residual_day", "forecast_residual_hour"
TABLES = ("measurements", "scores", "anomalies", "episodes", "episode_labels", "quarantine", "forecasts")
HALF_HOUR, HOUR = timedelta(minutes=30), timedelta(hours=1)
SATURDAY = paris_day("2017-09-30")
# Two weeks earlier: two hours of which all but the third half-hour leave the band; one episode, with that hour's hole.
BROKEN = datetime(2017, 9, 16, 8, tzinfo=UTC)
HOLE = BROKEN + HOUR
ENDS = BROKEN + 2 * HOUR
MADE = ["scored_at", "run_id", "detected_at", "updated_at"]


@pytest.fixture
def emptied(module_warehouse) -> Iterator[None]:
    """The module's warehouse without a row of what is scored."""
    yield
    get_settings.cache_clear()
    with connect("writer") as client:
        for name in TABLES:
            client.command("TRUNCATE TABLE {name:Identifier}", parameters={"name": name})


@pytest.fixture
def history(emptied) -> pd.DataFrame:
    """Nine weeks of regular loads, stored, but for one broken morning; returns what is known of them."""
    frame = loads("2017-07-31", "2017-09-30")
    broken = with_values(frame, between=(BROKEN, ENDS), factor=0.1)
    broken.loc[broken["observed_at"] == HOLE, "value"] *= 8.5
    insert(frame)
    insert(broken, version=2)
    return pd.concat([frame[~frame["observed_at"].isin(broken["observed_at"])], broken], ignore_index=True)


def scored(start: datetime, end: datetime, *, as_of: datetime | None = None, detector: str = BASELINE) -> pd.DataFrame:
    """Score a range; return its scores by instant."""
    score_interval(start, end, run_id="test", as_of=as_of)
    found = table(
        "SELECT * FROM scores FINAL WHERE detector = {detector:String} "
        "AND observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')} ORDER BY area, observed_at",
        detector=detector,
        start=start,
        end=end,
    )
    return found.set_index("observed_at")


def episode_of(instant: datetime, *, detector: str = BASELINE) -> str:
    """Return the id of the one standing episode of an instant."""
    query = (
        "SELECT episode_id FROM episodes FINAL WHERE state != 'retracted' AND detector = {detector:String} "
        "AND started_at <= {at:DateTime('UTC')} AND ended_at > {at:DateTime('UTC')}"
    )
    (episode_id,) = table(query, detector=detector, at=instant)["episode_id"]
    return episode_id


def label(episode_id: str, what: str) -> None:
    with connect("writer") as client:
        assert say(client, episode_id, what, comment="", author="test") is not None


def put_label(what: str, start: datetime, end: datetime, *, at: datetime | None = None, **changed: str) -> None:
    """Store a label of an episode of our choice, given when we choose (now, if not)."""
    kind = {"detector": BASELINE, "metric": "consommation", "area": "Bretagne", "direction": "low"} | changed
    episode_id = f"{start:%m%d%H%M} {' '.join(kind.values())}"
    row = {"episode_id": episode_id, "label": what, "comment": "", "author": "test", **kind}
    row |= {"started_at": start, "ended_at": end, "peak_z_score": -9.0, "labelled_at": at or datetime.now(UTC)}
    with connect("writer") as client:
        client.insert("episode_labels", [list(row.values())], column_names=list(row))


def samples_at(instant: datetime) -> list[int]:
    """Return how many samples the Saturday's baselines have at the broken time of day, and an hour and a half later."""
    later = scored(instant, instant + 2 * HOUR)
    return [int(later.loc[pd.Timestamp(at), "sample_size"]) for at in (instant, instant + HOUR)]


def test_a_data_error_leaves_the_baselines_until_a_later_value_and_returns_when_it_is_taken_back(history):
    scored(*paris_day("2017-09-16"))
    saturday = BROKEN + timedelta(days=14)
    # Eight Saturdays before; the flagged one is out, the hole in its episode is in.
    assert samples_at(saturday) == [7, 8]
    episode_id = episode_of(HOLE)
    label(episode_id, "data_error")
    assert samples_at(saturday) == [7, 7]
    label(episode_id, "none")
    assert samples_at(saturday) == [7, 8]
    label(episode_id, "true_event")
    assert samples_at(saturday) == [7, 7]
    repaired = with_values(history, between=(HOLE, HOLE + HALF_HOUR), factor=1.1)
    insert(repaired, vintage="consolidated", inserted_at=datetime.now(UTC) + timedelta(minutes=1))
    assert samples_at(saturday) == [7, 8]


def test_a_false_alarm_is_in_the_baselines_unless_it_is_revised_or_another_label_says_it_is_an_error(history):
    scored(*paris_day("2017-09-16"))
    saturday = BROKEN + timedelta(days=14)
    episode_id = episode_of(BROKEN)
    label(episode_id, "false_alarm")
    assert samples_at(saturday) == [8, 8]
    # One range over both Saturdays flags the first one again, and still takes it as usual.
    together = scored(BROKEN, saturday + HOUR)
    assert together.loc[pd.Timestamp(BROKEN), "is_anomaly"]
    assert together.loc[pd.Timestamp(saturday), "sample_size"] == 8
    # A detector's false alarm says nothing about another one's.
    label(episode_id, "none")
    put_label("false_alarm", BROKEN, ENDS, detector=DAY_AHEAD)
    assert samples_at(saturday) == [7, 8]
    # Anyone's data error counts for all, and more than a false alarm.
    label(episode_id, "false_alarm")
    put_label("data_error", BROKEN, HOLE, detector=HOUR_AHEAD, direction="high")
    assert samples_at(saturday) == [7, 8]
    assert samples_at(saturday + HALF_HOUR)[0] == 7


def test_a_value_that_comes_after_the_false_alarm_has_to_prove_itself(history):
    scored(*paris_day("2017-09-16"))
    label(episode_of(BROKEN), "false_alarm")
    worse = with_values(history, between=(BROKEN, ENDS), factor=0.01)
    insert(worse, version=3, inserted_at=datetime.now(UTC) + timedelta(minutes=1))
    scored(*paris_day("2017-09-16"))
    assert samples_at(BROKEN + timedelta(days=14)) == [7, 7]


def test_labels_given_later_are_not_seen_by_a_scoring_of_the_past(history):
    scored(*paris_day("2017-09-16"))
    saturday, told_at = BROKEN + timedelta(days=14), datetime(2017, 9, 20, tzinfo=UTC)
    put_label("false_alarm", BROKEN, ENDS, at=told_at)
    put_label("none", BROKEN, ENDS, at=told_at + timedelta(days=2))
    found = {
        after: scored(saturday, saturday + HOUR, as_of=told_at + after).iloc[0]
        for after in (timedelta(seconds=-1), timedelta(seconds=1), timedelta(days=3))
    }
    assert [row["sample_size"] for row in found.values()] == [7, 8, 7]
    half_bands = [(row["expected_mw"] - row["lower_mw"]) / row["expected_mw"] for row in found.values()]
    np.testing.assert_allclose(half_bands, [0.25, 0.3, 0.25])


def test_false_alarms_widen_the_band_of_their_kind_alone_and_taken_back_no_more(history):
    before = scored(*SATURDAY)
    march = datetime(2017, 3, 1, tzinfo=UTC)
    put_label("false_alarm", march, march + HOUR)
    put_label("false_alarm", march + timedelta(days=1), march + timedelta(days=1, hours=1))
    put_label("false_alarm", march, march + HOUR + HOUR, area="Occitanie", direction="high")
    put_label("false_alarm", march + HOUR, march + HOUR + HOUR, detector=DAY_AHEAD, direction="high")
    after = scored(*SATURDAY)
    pd.testing.assert_series_equal(after["upper_mw"], before["upper_mw"])
    np.testing.assert_allclose(
        after["expected_mw"] - after["lower_mw"], 1.4 * (before["expected_mw"] - before["lower_mw"])
    )
    # The row shows the rule of the side on which its load lies.
    factor = np.where(after["value"] < after["expected_mw"], 1.4, 1.0)
    assert {1.0, 1.4} == set(factor)
    np.testing.assert_allclose(after["threshold"], 3 * factor)
    np.testing.assert_allclose(after["min_deviation_mw"], before["min_deviation_mw"] * factor)
    for number in range(2, 9):
        put_label("false_alarm", march + timedelta(days=number), march + timedelta(days=number, hours=1))
    widest = scored(*SATURDAY)
    np.testing.assert_allclose(
        widest["expected_mw"] - widest["lower_mw"], 2 * (before["expected_mw"] - before["lower_mw"])
    )
    for number in range(9):
        put_label("none", march + timedelta(days=number), march + timedelta(days=number, hours=1))
    pd.testing.assert_frame_equal(scored(*SATURDAY).drop(columns=MADE[:2]), before.drop(columns=MADE[:2]))


def test_a_false_alarm_counts_from_the_end_of_its_episode_for_a_year_from_its_start(history):
    noon = datetime(2017, 9, 30, 10, tzinfo=UTC)
    put_label("false_alarm", noon, noon + HOUR)
    put_label("false_alarm", noon - timedelta(days=365) + HOUR, noon - timedelta(days=365) + 2 * HOUR, direction="high")
    found = scored(noon - HOUR, noon + 2 * HOUR)
    half_bands = found["expected_mw"] - found["lower_mw"], found["upper_mw"] - found["expected_mw"]
    narrow = 0.25 * found["expected_mw"]
    np.testing.assert_allclose(half_bands[0] / narrow, [1, 1, 1, 1, 1.2, 1.2])
    np.testing.assert_allclose(half_bands[1] / narrow, [1.2, 1.2, 1.2, 1.2, 1, 1])


def labelled_weeks() -> pd.DataFrame:
    """Store labels of every sort over the weeks of the history; return them as the independent loop takes them."""
    given = [
        ("false_alarm", "low", BROKEN, ENDS),
        ("false_alarm", "low", BROKEN + timedelta(days=3), ENDS + timedelta(days=3)),
        ("false_alarm", "high", BROKEN + timedelta(days=5), ENDS + timedelta(days=5)),
        ("data_error", "low", BROKEN + timedelta(days=3, hours=1), ENDS + timedelta(days=3)),
        ("true_event", "high", BROKEN + timedelta(days=8), ENDS + timedelta(days=9)),
    ]
    for what, direction, start, end in given:
        put_label(what, start, end, direction=direction)
    frame = pd.DataFrame(given, columns=["label", "direction", "started_at", "ended_at"]).assign(area="Bretagne")
    return frame.astype({"started_at": "datetime64[s, UTC]", "ended_at": "datetime64[s, UTC]"})


@pytest.fixture
def swinging(history) -> pd.DataFrame:
    """The history with mornings that swing by 28 % in its last weeks: outside the band, inside one widened once."""
    parts = [history]
    for days, factor in ((3, 0.72), (5, 1.28), (7, 0.72), (10, 1.28), (12, 0.65), (14, 0.72)):
        rows = with_values(history, between=(BROKEN + timedelta(days=days), ENDS + timedelta(days=days)), factor=factor)
        insert(rows, version=3)
        parts.append(rows)
    return pd.concat(parts).drop_duplicates(["area", "observed_at"], keep="last")


def test_with_labels_the_statement_gives_what_an_independent_loop_gives(swinging):
    labels = labelled_weeks()
    start, end = paris_day("2017-09-15", days=16)
    found = scored(start, end)
    reference = pandas_scoring.score(
        swinging, start=pd.Timestamp(start), end=pd.Timestamp(end), rule=BaselineZScore(), labels=labels
    ).sort_values("observed_at")
    plain = pandas_scoring.score(swinging, start=pd.Timestamp(start), end=pd.Timestamp(end), rule=BaselineZScore())
    assert plain["is_anomaly"].sum() > reference["is_anomaly"].sum() > 0
    assert (plain["sample_size"] != reference["sample_size"]).sum() > 4
    for column in ("expected_mw", "scale_mw", "z_score", "sample_size", "is_anomaly"):
        np.testing.assert_allclose(
            found[column].astype(float), reference[column].astype(float), rtol=1e-9, atol=1e-6, err_msg=column
        )


def test_with_labels_too_it_does_not_matter_in_what_portions_a_range_is_scored(swinging):
    labelled_weeks()
    start, end = paris_day("2017-09-15", days=16)

    def standing() -> list[pd.DataFrame]:
        names = ("scores", "anomalies", "episodes")
        found = [table(f"SELECT * FROM {name} FINAL ORDER BY ALL") for name in names]
        return [frame.drop(columns=[column for column in MADE if column in frame]) for frame in found]

    whole = scored(start, end)
    expected = standing()
    assert whole["is_anomaly"].sum() > 0
    for cuts in (
        [BROKEN + HOUR, ENDS + timedelta(days=3, minutes=-30), BROKEN + timedelta(days=7, hours=1)],
        [start + timedelta(days=number) for number in range(3, 16, 4)],
    ):
        with connect("writer") as client:
            for name in ("scores", "anomalies", "episodes"):
                client.command("TRUNCATE TABLE {name:Identifier}", parameters={"name": name})
        for since, until in zip([start, *cuts], [*cuts, end], strict=True):
            score_interval(since, until, run_id="portion")
        for one, other in zip(standing(), expected, strict=True):
            pd.testing.assert_frame_equal(one, other)


def test_a_residual_detectors_false_alarms_widen_its_own_band_only(history):
    store(issued(history, pd.date_range("2017-09-28T00:00Z", "2017-09-30T02:00Z", freq="h")))
    slump = with_values(history, between=(SATURDAY[0], SATURDAY[0] + 4 * HOUR), factor=0.83)
    insert(slump, version=4)
    morning = SATURDAY[0], SATURDAY[0] + 4 * HOUR
    assert list(scored(*morning, detector=DAY_AHEAD)["is_anomaly"]) == [True] * 8
    label(episode_of(morning[0], detector=DAY_AHEAD), "false_alarm")
    # Its own points stay what they were judged to be.
    assert scored(*morning, detector=DAY_AHEAD)["is_anomaly"].all()
    put_label("false_alarm", morning[0] - timedelta(days=9), morning[0] - timedelta(days=8), detector=DAY_AHEAD)
    widened = scored(*morning, detector=DAY_AHEAD)
    assert not widened["is_anomaly"].any()
    np.testing.assert_allclose(widened["threshold"], 4.8)
    np.testing.assert_allclose(1 - widened["lower_mw"] / widened["expected_mw"], 0.18)
    np.testing.assert_allclose(widened["upper_mw"] / widened["expected_mw"] - 1, 0.15)
    assert list(scored(*morning, detector=HOUR_AHEAD)["is_anomaly"]) == [True] * 8


def test_models_of_the_stream_learn_false_alarms_and_no_labelled_errors(history):
    scored(*paris_day("2017-09-16"))
    episode_id, hole = episode_of(BROKEN), HOLE

    def unusual() -> list[datetime]:
        with connect("reader") as client:
            found = anomalous_half_hours(client, areas=["Bretagne"], start=BROKEN, end=ENDS)
        return sorted(found["Bretagne"])

    flagged = [BROKEN, BROKEN + HALF_HOUR, HOLE + HALF_HOUR]
    assert unusual() == flagged
    for what, expected in (("data_error", [*flagged, hole]), ("false_alarm", []), ("none", flagged)):
        label(episode_id, what)
        assert unusual() == sorted(expected)


def test_the_incident_labelled_a_data_error_leaves_later_baselines_whatever_the_rule(emptied, monkeypatch):
    """Bretagne and Occitanie as published in real time; a rule that flags nothing stands for one changed since."""
    for path in SAMPLE.iterdir():
        if "_En-cours-TR" in path.name and ("Bretagne" in path.name or "Occitanie" in path.name):
            real_time = loads_of(path.name, path.read_bytes())
            insert(real_time, inserted_at=real_time["observed_at"] + PUBLICATION_DELAY)
    incident, week_later = paris_day(INCIDENT_DAY), paris_day("2017-10-07")
    columns = ["expected_mw", "scale_mw", "sample_size"]
    scored(*incident)
    episodes = table("SELECT episode_id, area FROM episodes FINAL WHERE state != 'retracted' AND severity = 'critical'")
    assert sorted(episodes["area"]) == ["Bretagne", "Occitanie"]
    flagged = scored(*week_later)[columns]

    monkeypatch.setenv("SCORE_MIN_DEVIATION_MW", "100000")
    get_settings.cache_clear()
    scored(*incident)
    assert table("SELECT 1 FROM episodes FINAL WHERE state != 'retracted'").empty
    poisoned = scored(*week_later)[columns]
    assert (poisoned["sample_size"] == flagged["sample_size"] + 1).all()
    for episode_id in episodes["episode_id"]:
        label(episode_id, "data_error")
    pd.testing.assert_frame_equal(scored(*week_later)[columns], flagged)
    for episode_id in episodes["episode_id"]:
        label(episode_id, "none")
    pd.testing.assert_frame_equal(scored(*week_later)[columns], poisoned)
