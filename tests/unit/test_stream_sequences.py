"""The sequences that the stream keeps: same windows however it is cut, bounded, forgotten on demand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.detection.stream.sequences import SequenceState

WINDOW = 3


def state(max_series: int = 10, window: int = WINDOW) -> SequenceState:
    made = SequenceState(max_series)
    made.prepare(window=window, feature_names=("x",))
    return made


def feed(sequences: SequenceState, names: list[str], values: list[float]) -> list[list[float]]:
    """Give a batch to the state; return the known rows of each message's window."""
    extension = sequences.extend([(name, "") for name in names], np.array(values, dtype=float).reshape(-1, 1))
    sequences.commit(extension)
    return [
        window[len(window) - length :, 0].tolist()
        for window, length in zip(extension.windows, extension.lengths, strict=True)
    ]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 4)), max_size=60))
def test_windows_are_the_last_rows_of_each_series_however_the_stream_is_cut(stream):
    names, values = [name for name, _ in stream], [float(at) for at in range(len(stream))]
    seen: dict[str, list[float]] = {}
    expected = []
    for name, value in zip(names, values, strict=True):
        seen.setdefault(name, []).append(value)
        expected.append(seen[name][-WINDOW:])
    cut, found, at = state(), [], 0
    for _, size in stream:
        found += feed(cut, names[at : at + size], values[at : at + size])
        at += size
    assert found == expected
    assert feed(state(), names, values) == expected


def test_the_series_that_was_silent_longest_makes_way():
    sequences = state(max_series=2)
    feed(sequences, ["a", "b"], [1, 2])
    feed(sequences, ["a", "c"], [3, 4])
    assert len(sequences) == 2
    assert feed(sequences, ["a"], [5]) == [[1, 3, 5]]
    assert feed(sequences, ["b"], [6]) == [[6]]


def test_a_batch_of_more_series_than_fit_keeps_the_last_ones():
    sequences = state(max_series=2)
    assert feed(sequences, ["a", "b", "c", "d"], [1, 2, 3, 4]) == [[1], [2], [3], [4]]
    assert feed(sequences, ["c", "d"], [5, 6]) == [[3, 5], [4, 6]]
    assert len(sequences) == 2


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=12), max_size=12))
def test_it_never_holds_more_series_than_allowed(batches):
    sequences = state(max_series=5)
    for batch in batches:
        feed(sequences, [str(name) for name in batch], [0.0] * len(batch))
        assert len(sequences) <= 5


def test_a_forgotten_series_begins_anew_and_its_room_is_used_again():
    sequences = state(max_series=1)
    feed(sequences, ["a", "a"], [1, 2])
    sequences.forget([("a", ""), ("unknown", "")])
    assert len(sequences) == 0
    assert feed(sequences, ["a"], [3]) == [[3]]


def test_what_is_not_committed_changes_nothing():
    sequences = state()
    feed(sequences, ["a"], [1])
    sequences.extend([("a", ""), ("b", "")], np.array([[2.0], [3.0]]))
    assert len(sequences) == 1
    assert feed(sequences, ["a"], [4]) == [[1, 4]]


def test_sensors_of_one_asset_are_series_of_their_own():
    sequences = state()
    extension = sequences.extend([("a", "x"), ("a", "y")], np.array([[1.0], [2.0]]))
    assert extension.lengths.tolist() == [1, 1]


def test_an_empty_batch_is_no_trouble():
    assert feed(state(), [], []) == []


@pytest.mark.parametrize(
    ("window", "names", "expected"),
    [
        (3, ("x",), [1, 2, 9]),
        (2, ("x",), [2, 9]),
        (4, ("x",), [1, 2, 9]),
    ],
    ids=["the same", "a shorter window", "a longer window"],
)
def test_new_models_find_what_is_remembered(window, names, expected):
    sequences = state()
    feed(sequences, ["a", "a"], [1, 2])
    sequences.prepare(window=window, feature_names=names)
    assert feed(sequences, ["a"], [9]) == [expected]


def test_a_new_feature_is_not_known_of_earlier_rows_and_known_ones_stay():
    sequences = state()
    feed(sequences, ["a"], [1])
    sequences.prepare(window=WINDOW, feature_names=("y", "x"))
    extension = sequences.extend([("a", "")], np.array([[5.0, 6.0]]))
    assert extension.lengths.tolist() == [2]
    assert extension.windows[0, 1:, 1].tolist() == [1.0, 6.0]
    assert np.isnan(extension.windows[0, 1, 0])


def test_models_of_other_features_begin_anew():
    sequences = state()
    feed(sequences, ["a"], [1])
    sequences.prepare(window=WINDOW, feature_names=("other",))
    assert feed(sequences, ["a"], [2]) == [[2]]
