"""Calibration: what a score of 0.6 means, and that it means it for any model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from powersense.detection.stream.calibration import Calibration, calibrated, threshold_at
from powersense.errors import ModelFileError

FINITE = st.floats(-1e12, 1e12)
HELD_OUT = arrays.arrays(np.float64, st.integers(20, 300), elements=FINITE)


@given(HELD_OUT, arrays.arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e300, 1e300)))
def test_scores_rise_with_the_raw_score_and_stay_between_0_and_1(held_out, raw):
    raw = np.sort(np.concatenate([raw, held_out]))
    scores = Calibration.fit(held_out)(raw)
    assert np.isfinite(scores).all()
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert (np.diff(scores) >= -1e-12).all()


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_t"], ids=lambda name: f"{name} scores")
def test_a_threshold_is_reached_by_its_share_of_usual_rows(draw):
    rng = np.random.default_rng(5)
    shape = (3,) if draw == "standard_t" else ()
    calibration = Calibration.fit(getattr(rng, draw)(*shape, size=20_000))
    fresh = calibration(getattr(rng, draw)(*shape, size=400_000))
    for rate in (0.1, 0.01, 0.001):
        assert (fresh >= threshold_at(rate)).mean() == pytest.approx(rate, rel=0.35)


def test_scores_beyond_all_held_out_ones_still_rank():
    calibration = Calibration.fit(np.random.default_rng(1).normal(size=1000))
    scores = calibration(np.array([5.0, 10.0, 100.0, 1e6, 1e9]))
    assert (np.diff(scores) > 0).all()
    assert scores[0] > threshold_at(1e-4)


def test_what_is_below_all_held_out_scores_is_not_unusual_at_all():
    assert Calibration.fit(np.linspace(10, 20, 100))(np.array([9.0, -1e9])).tolist() == [0.0, 0.0]


def test_scores_that_are_all_the_same_are_not_unusual_and_anything_above_is():
    calibration = Calibration.fit(np.full(50, 3.0))
    usual, above = calibration(np.array([3.0, 3.1]))
    assert usual < threshold_at(0.01) < above


@given(HELD_OUT)
def test_a_stored_calibration_is_the_same(held_out):
    calibration = Calibration.fit(held_out)
    again = Calibration.from_arrays(calibration.to_arrays())
    assert np.array_equal(again(held_out), calibration(held_out))


def test_a_stored_calibration_without_its_tail_is_refused():
    stored = Calibration.fit(np.arange(30.0)).to_arrays()
    del stored["tail"]
    with pytest.raises(ModelFileError, match="'tail' is missing"):
        Calibration.from_arrays(stored)


def test_decades_of_rarity_become_scores():
    assert calibrated(np.array([0.0, 2.0, 3.0])).tolist() == [0.0, 0.5, 0.6]
