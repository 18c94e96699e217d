"""Episodes: how anomalies group, what continues what, and what the sentence says. Pure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.detection.episodes import Anomaly, Episode, build, reconcile

QUARTER = timedelta(minutes=15)
START = datetime(2017, 9, 29, 22, tzinfo=UTC)  # Saturday 30 September 2017, 00:00 in Paris


def anomaly(number: int, *, area: str = "Bretagne", value: float = 200.0, direction: str = "low") -> Anomaly:
    return Anomaly(
        area=area,
        observed_at=START + number * QUARTER,
        step=QUARTER,
        value_mw=value,
        expected_mw=2000.0,
        z_score=(value - 2000.0) / 100,
        direction=direction,
    )


def episodes_of(anomalies: list[Anomaly], *, newest: datetime = START + timedelta(days=3)) -> list[Episode]:
    areas = {one.area for one in anomalies}
    return build(
        anomalies,
        detector="baseline_zscore",
        metric="consommation",
        gap=timedelta(hours=1),
        newest=dict.fromkeys(areas, newest),
    )


def test_no_anomalies_make_no_episode():
    assert episodes_of([]) == []


def test_contiguous_anomalies_are_one_episode_with_start_end_and_peak():
    (episode,) = episodes_of([anomaly(0), anomaly(1, value=100), anomaly(2)])
    assert (episode.started_at, episode.ended_at, episode.points) == (START, START + 3 * QUARTER, 3)
    assert (episode.peak_at, episode.peak_deviation_mw, episode.peak_z_score) == (START + QUARTER, -1900, -19)
    assert (episode.severity, episode.state) == ("critical", "closed")


@pytest.mark.parametrize(("steps", "count"), [(4, 1), (5, 2)], ids=["an hour apart is one", "more than an hour is two"])
def test_the_gap_between_two_anomalies_decides(steps, count):
    assert len(episodes_of([anomaly(0), anomaly(steps)])) == count


def test_areas_and_directions_are_kept_apart():
    episodes = episodes_of([anomaly(0), anomaly(1, area="Occitanie"), anomaly(1, value=3900, direction="high")])
    assert [(episode.area, episode.direction) for episode in episodes] == [
        ("Bretagne", "low"),
        ("Bretagne", "high"),
        ("Occitanie", "low"),
    ]


def test_an_episode_is_open_until_a_newer_instant_is_known():
    points = [anomaly(0), anomaly(1)]
    assert episodes_of(points, newest=START + QUARTER)[0].state == "open"
    assert episodes_of(points, newest=START + 2 * QUARTER)[0].state == "closed"


@given(st.randoms(use_true_random=False), st.sets(st.integers(0, 40), min_size=1))
def test_the_order_of_anomalies_changes_nothing(shuffler: random.Random, numbers: set[int]):
    points = [anomaly(number, area=area) for number in sorted(numbers) for area in ("Bretagne", "Occitanie")]
    shuffled = points.copy()
    shuffler.shuffle(shuffled)
    assert episodes_of(shuffled) == episodes_of(points)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60))
def test_point_by_point_and_all_at_once_end_in_the_same_episodes(numbers: set[int], cut: int):
    points = [anomaly(number) for number in sorted(numbers)]
    stored: dict[str, Episode] = {}
    for end in (cut, 61):
        known = [one for one in points if one.observed_at < START + end * QUARTER]
        standing = [episode for episode in stored.values() if episode.state != "retracted"]
        stored |= {row.episode_id: row for row in reconcile(episodes_of(known), standing)}
    assert sorted(stored.values(), key=lambda episode: episode.started_at) == episodes_of(points)


def test_what_did_not_change_is_not_written_again():
    built = episodes_of([anomaly(0), anomaly(1)])
    assert reconcile(built, built) == []


def test_an_episode_that_grows_backwards_keeps_its_id():
    (stored,) = episodes_of([anomaly(4), anomaly(5)])
    (change,) = reconcile(episodes_of([anomaly(3), anomaly(4), anomaly(5)]), [stored])
    assert (change.episode_id, change.started_at, change.points) == (stored.episode_id, START + 3 * QUARTER, 3)


def test_two_episodes_that_meet_become_the_earlier_one():
    first, second = episodes_of([anomaly(0), anomaly(6)])
    grown, retracted = reconcile(episodes_of([anomaly(0), anomaly(3), anomaly(6)]), [first, second])
    assert (grown.episode_id, grown.points, grown.state) == (first.episode_id, 3, "closed")
    assert retracted == replace(second, state="retracted")


def test_a_healed_episode_is_retracted_and_a_shrunk_one_stays():
    (stored,) = episodes_of([anomaly(0), anomaly(1), anomaly(2)])
    (shrunk,) = reconcile(episodes_of([anomaly(1)]), [stored])
    assert (shrunk.episode_id, shrunk.points, shrunk.started_at) == (stored.episode_id, 1, START + QUARTER)
    assert reconcile([], [stored]) == [replace(stored, state="retracted")]


def test_the_sentence_names_area_paris_times_mw_and_share():
    (episode,) = episodes_of([anomaly(number, value=150 if number == 50 else 300) for number in range(96)])
    assert episode.explanation == (
        "Load in Bretagne was up to 92% below what is expected from Saturday 30 September 2017 00:00 to 24:00 "
        "(Paris time): at worst 150 MW at 12:30, where 2,000 MW are expected on a Saturday at that time "
        "(-1,850 MW, z = -18.5; 96 points flagged)."
    )


def test_the_sentence_of_an_open_episode_has_no_end_and_one_that_crosses_midnight_names_both_days():
    (ongoing,) = episodes_of([anomaly(0, value=3900, direction="high")], newest=START)
    assert "Load in Bretagne is up to 95% above what is expected since Saturday 30 September 2017 00:00" in (
        ongoing.explanation
    )
    (crossing,) = episodes_of([anomaly(number) for number in range(94, 100)])
    assert "from Saturday 30 September 2017 23:30 to 01:00 on 1 October" in crossing.explanation


def test_a_public_holiday_is_named_as_such():
    bastille = replace(anomaly(0), observed_at=datetime(2017, 7, 14, 10, tzinfo=UTC))
    assert "expected on a public holiday at that time" in episodes_of([bastille])[0].explanation


@given(st.floats(0.001, 1000))
def test_severity_does_not_depend_on_the_unit(factor: float):
    scaled = replace(anomaly(0), value_mw=200 * factor, expected_mw=2000 * factor)
    assert episodes_of([scaled])[0].severity == "critical"
    mild = replace(anomaly(0), value_mw=1400 * factor, expected_mw=2000 * factor)
    assert episodes_of([mild])[0].severity == "warning"
