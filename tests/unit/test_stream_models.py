"""The stream's models, each alone: they tell the strange from the usual, and survive being stored."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.svm import OneClassSVM

from powersense.detection.stream.isolation_forest import IsolationForest
from powersense.detection.stream.lstm_autoencoder import BUCKETS, LstmAutoencoder
from powersense.detection.stream.members import ALL, create, read
from powersense.detection.stream.model_arrays import pack, unpack
from powersense.detection.stream.nearest_windows import NearestWindows
from powersense.detection.stream.one_class_svm import OneClassSvm
from powersense.errors import ModelFileError


def rows(count: int = 600, *, seed: int = 1) -> np.ndarray:
    """Return a wave with some noise, in two scaled features."""
    rng = np.random.default_rng(seed)
    angle = np.arange(count) / 24 * 2 * np.pi
    return np.column_stack([np.sin(angle), np.cos(angle)]) * 1.4 + rng.normal(0, 0.1, (count, 2))


def windows(data: np.ndarray, length: int) -> np.ndarray:
    return np.arange(length - 1, len(data))[:, None] + np.arange(1 - length, 1)


@pytest.fixture(scope="module")
def trained():
    models = {}
    for name in ALL:
        model = create(name)
        model.fit(rows(), windows(rows(), model.window), seed=3)
        models[name] = model
    return models


@pytest.mark.parametrize("name", ALL)
def test_a_strange_row_is_told_from_usual_ones(trained, name):
    model, fresh = trained[name], rows(seed=2)
    usual = model.raw_scores(fresh[windows(fresh, model.window)])
    strange = fresh[windows(fresh, model.window)[:50]].copy()
    strange[:, -1] = [4.0, -4.0]
    assert np.median(model.raw_scores(strange)) > np.quantile(usual, 0.99)


@pytest.mark.parametrize("name", ["lstm_autoencoder", "nearest_windows"])
def test_a_usual_row_at_the_wrong_time_is_strange_to_those_that_know_the_sequence(trained, name):
    model, fresh = trained[name], rows(seed=2)
    usual = fresh[windows(fresh, model.window)]
    late = usual.copy()
    late[:, -1] = -late[:, -1]
    assert np.median(model.raw_scores(late)) > np.quantile(model.raw_scores(usual), 0.99)


@pytest.mark.parametrize("name", ALL)
def test_scores_do_not_depend_on_what_else_is_in_the_batch(trained, name):
    model = trained[name]
    some = rows(seed=4)[windows(rows(seed=4), model.window)]
    together = model.raw_scores(some)
    alone = np.concatenate([model.raw_scores(one[None]) for one in some[:40]])
    assert together[:40] == pytest.approx(alone, abs=1e-4)
    assert model.raw_scores(some[:0]).shape == (0,)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("far", [1e3, -1e6, 709.0], ids=lambda value: f"{value:g}")
def test_far_rows_have_finite_scores_above_all_usual_ones(trained, name, far):
    model = trained[name]
    usual = rows()[windows(rows(), model.window)]
    strange = usual[:3].copy()
    strange[:, -1] = far
    scores = model.raw_scores(strange)
    assert np.isfinite(scores).all()
    assert scores.min() > np.quantile(model.raw_scores(usual), 0.995)


@pytest.mark.parametrize("name", ALL)
def test_a_stored_model_gives_the_same_scores(trained, name):
    model = trained[name]
    again = read(name, unpack(pack(model.to_arrays()), name=name))
    some = rows(seed=5)[windows(rows(seed=5), model.window)]
    assert again.window == model.window
    assert np.array_equal(again.raw_scores(some), model.raw_scores(some))


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_model_and_another_seed_another_one(trained, name):
    same, other = create(name), create(name)
    same.fit(rows(), windows(rows(), same.window), seed=3)
    assert pack(same.to_arrays()) == pack(trained[name].to_arrays())
    if name in ("isolation_forest", "lstm_autoencoder"):
        other.fit(rows(), windows(rows(), other.window), seed=4)
        assert pack(other.to_arrays()) != pack(same.to_arrays())


@pytest.mark.parametrize("name", ALL)
def test_a_model_without_one_of_its_arrays_is_refused_by_name(trained, name):
    stored = trained[name].to_arrays()
    for missing in stored:
        with pytest.raises(ModelFileError, match=f"'{missing}' is missing"):
            read(name, {key: array for key, array in stored.items() if key != missing})


@pytest.mark.parametrize("name", ALL)
def test_an_array_of_another_kind_is_refused(trained, name):
    stored = trained[name].to_arrays()
    first = next(iter(stored))
    with pytest.raises(ModelFileError, match=f"'{first}' is"):
        read(name, {**stored, first: stored[first].astype("U8")})


def test_the_forest_scores_as_scikit_learn_does():
    data = rows().astype(np.float32)
    model = IsolationForest()
    model.fit(data.astype(float), windows(data, 1), seed=5)
    reference = SklearnForest(n_estimators=100, max_samples=256, random_state=5).fit(data)
    fresh = rows(seed=6).astype(np.float32) * 2
    assert model.raw_scores(fresh[:, None].astype(float)) == pytest.approx(-reference.score_samples(fresh), abs=1e-9)


def test_the_machine_orders_rows_as_scikit_learn_does():
    data = rows()
    model = OneClassSvm()
    model.fit(data, windows(data, 1), seed=5)
    gamma = 1 / (data.shape[1] * data.var())
    reference = OneClassSVM(gamma=gamma, nu=0.05).fit(data)
    fresh = rows(seed=6) * 2
    total = reference.decision_function(fresh) + reference.offset_[0]
    assert model.raw_scores(fresh[:, None]) == pytest.approx(-np.log(total), abs=1e-3)


def test_the_machine_learns_from_a_sample_of_many_rows():
    model = OneClassSvm(most_rows=100)
    model.fit(rows(), windows(rows(), 1), seed=5)
    assert len(model.to_arrays()["support"]) <= 20


def test_the_sample_of_windows_is_bounded():
    model = NearestWindows(window=2, most_windows=50)
    model.fit(rows(), windows(rows(), 2), seed=5)
    assert model.to_arrays()["sample"].shape == (50, 4)


def test_the_network_fills_batches_up_to_few_sizes(trained):
    model = trained["lstm_autoencoder"]
    assert isinstance(model, LstmAutoencoder)
    some = np.resize(rows(), (BUCKETS[-1] + 5, model.window, 2))
    assert model.raw_scores(some).shape == (BUCKETS[-1] + 5,)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"], ids=["empty", "text", "cut"])
def test_a_file_that_is_no_npz_is_refused_by_name(content):
    with pytest.raises(ModelFileError, match=r"x\.npz: it is no npz file"):
        unpack(content, name="x.npz")


def test_an_npz_with_pickled_objects_is_refused():
    import io

    buffer = io.BytesIO()
    np.savez(buffer, weights=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelFileError, match="no npz file"):
        unpack(buffer.getvalue(), name="x.npz")
