"""Training an ensemble: what it refuses, what it leaves out, and that its files are the whole of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from powersense.detection.stream.calibration import threshold_at
from powersense.detection.stream.ensemble import ALL, FALSE_ALARM_RATE, TrainedEnsemble
from powersense.detection.stream.model_arrays import pack, unpack
from powersense.detection.stream.training_rows import FOLDS, LEAST_BLOCK_ROWS, TrainingRows
from powersense.errors import ModelFileError, TrainingDataError
from tests.unit.stream_ensembles import NAMES, SEED, ensemble, usual_rows

CLASSICAL = ("isolation_forest", "one_class_svm")
DATA = usual_rows()


def train(data=DATA, names=NAMES, *, series=None, models=CLASSICAL):
    return TrainedEnsemble.train(data, names, series=series, models=models, seed=SEED, model_id="m")


def damaged(value: float) -> np.ndarray:
    data = DATA.copy()
    data[3, 1] = value
    return data


def mostly_missing() -> np.ndarray:
    data = DATA.copy()
    data[: len(data) * 3 // 4, 2] = np.nan
    return data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": DATA[:99]}, "data has 99 rows; give at least 100"),
        ({"names": ("a", "b")}, "shape .400, 3. for 2 feature_names"),
        ({"data": DATA[:, 0]}, "shape .400,. for 3"),
        ({"data": np.empty((400, 0)), "names": ()}, "shape .400, 0."),
        ({"names": ("a", "b", "a")}, "feature_names holds 'a' twice"),
        ({"data": damaged(np.inf)}, r"data\[3\]\[1\] .ramp. is inf"),
        ({"data": damaged(-1e200)}, r"data\[3\]\[1\] .ramp. is -1e\+200"),
        ({"data": mostly_missing()}, "data lacks hour in 75% of its rows"),
        ({"series": ["a"]}, "series has 1 entries for 400 rows"),
        ({"models": ("forest",)}, "models=.'forest'.: name one or more of isolation_forest"),
        ({"models": ()}, "name one or more of isolation_forest"),
        (
            {"series": [str(at // 5) for at in range(400)], "models": ("nearest_windows",)},
            "series: of 80 none is long enough for nearest_windows",
        ),
    ],
    ids=[
        "too few rows",
        "other names",
        "one column",
        "no column",
        "a name twice",
        "infinity",
        "a number too large",
        "a feature that is mostly missing",
        "too few series",
        "an unknown model",
        "no model",
        "series too short for the only model",
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused_by_name(arguments, message):
    with pytest.raises(TrainingDataError, match=message):
        train(**arguments)


def test_a_model_whose_window_no_series_fills_is_left_out_and_said():
    trained = train(series=[str(at // 5) for at in range(400)], models=(*CLASSICAL, "nearest_windows"))
    assert trained.model_names == CLASSICAL
    assert trained.metrics["left_out"] == {"nearest_windows": "the series are too short for its window"}
    assert trained.metrics["series"] == 80


def test_models_flag_about_the_stated_share_of_usual_rows():
    trained = train(usual_rows(20_000), models=CLASSICAL)
    judged = trained.judge(usual_rows(20_000, seed=77)[:, None], np.ones(20_000, dtype=int))
    assert judged.is_anomaly.mean() < 4 * FALSE_ALARM_RATE
    # The forest that serves is not one of those that were held out: its share is right within a factor of two.
    shares = [*(judged.scores >= threshold_at(0.01)).mean(axis=0), (judged.final_scores >= threshold_at(0.01)).mean()]
    assert shares == pytest.approx([0.01] * 3, rel=0.6)
    assert trained.metrics["held_out_rows"] == {"isolation_forest": 20_000, "one_class_svm": 20_000}
    for flagged in trained.metrics["held_out_flagged"].values():
        assert flagged < 4 * FALSE_ALARM_RATE * 20_000


def test_rows_of_series_may_stand_mixed():
    mixed = np.stack([DATA, DATA + 1], axis=1).reshape(-1, 3)
    apart = np.concatenate([DATA, DATA + 1])
    one = train(mixed, series=["a", "b"] * 400, models=("nearest_windows",))
    other = train(apart, series=["a"] * 400 + ["b"] * 400, models=("nearest_windows",))
    assert one.to_files() == other.to_files()


def test_missing_features_in_training_do_no_harm():
    data = DATA.copy()
    data[::7, 1] = np.nan
    judged = train(data).judge(DATA[:, None], np.ones(len(DATA), dtype=int))
    assert np.isfinite(judged.scores).all()


def test_a_constant_feature_is_unusual_once_it_changes():
    data = np.column_stack([DATA, np.full(len(DATA), 3.0)])
    trained = train(data, (*NAMES, "constant"))
    rows = np.stack([data[:1], data[:1] * [1, 1, 1, 20]])
    usual, changed = trained.judge(rows, np.ones(2, dtype=int)).final_scores
    assert changed > usual


def test_folds_hold_each_row_out_once_and_learn_from_none_of_its_fold():
    training = TrainingRows.of(usual_rows(1000), NAMES, ["a"] * 600 + ["b"] * 400)
    windows = training.windows(12)
    held = []
    for learnt, held_out in training.folds(windows):
        assert not set(learnt.ravel()) & set(held_out.ravel())
        held += held_out[:, -1].tolist()
    assert len(held) == len(set(held))
    assert len(held) > len(windows) * (1 - 12 / LEAST_BLOCK_ROWS)
    whole = [held_out[:, -1] for _, held_out in training.folds(training.windows(1))]
    assert sorted(np.concatenate(whole).tolist()) == list(range(1000))
    assert len(whole) == FOLDS


def test_the_same_data_and_seed_give_the_same_files():
    trained = ensemble()
    again = TrainedEnsemble.train(usual_rows(), NAMES, series=None, seed=SEED, model_id="small")
    assert again.to_files() == trained.to_files()


def test_files_hold_the_whole_ensemble_in_formats_that_execute_nothing():
    trained = ensemble()
    files = trained.to_files()
    assert {name.rsplit(".", 1)[1] for name in files} == {"json", "npz"}
    again = TrainedEnsemble.from_files(files)
    windows = usual_rows(300, seed=3).reshape(-1, trained.window, 3)
    lengths = np.full(len(windows), trained.window)
    assert np.array_equal(again.judge(windows, lengths).scores, trained.judge(windows, lengths).scores)
    assert np.array_equal(again.judge(windows, lengths).final_scores, trained.judge(windows, lengths).final_scores)
    for field in ("model_id", "feature_names", "model_names", "metrics", "seed", "window"):
        assert getattr(again, field) == getattr(trained, field)
    assert again.model_names == ALL


def test_a_missing_file_is_refused_by_name():
    files = ensemble().to_files()
    for missing in files:
        with pytest.raises(ModelFileError, match=f"{missing}: the file is missing"):
            TrainedEnsemble.from_files({name: files[name] for name in files if name != missing})


def test_a_damaged_file_is_refused():
    files = ensemble().to_files()
    for name, content in files.items():
        with pytest.raises(ModelFileError):
            TrainedEnsemble.from_files({**files, name: content[: len(content) // 2]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "another"}, "its format is 'another'"),
        ({"model_names": ["os.system"]}, "none of this release's"),
        ({"model_names": []}, "none of this release's"),
        ({"feature_names": "load"}, "field 'feature_names' is 'load'"),
        ({"feature_names": ["load"]}, "feature_names do not fit"),
        ({"levels": [1, 5]}, "final_5.calibration.npz: the file is missing"),
        ({"levels": [1]}, "levels do not fit"),
    ],
    ids=["another format", "a foreign model", "no model", "names no list", "other features", "a level", "one level"],
)
def test_a_foreign_manifest_is_refused(change, message):
    files = ensemble().to_files()
    manifest = json.loads(files["ensemble.json"]) | change
    with pytest.raises(ModelFileError, match=message):
        TrainedEnsemble.from_files({**files, "ensemble.json": json.dumps(manifest).encode()})


@pytest.mark.parametrize("content", [b"no json", b"[]"], ids=["text", "a list"])
def test_a_manifest_that_is_none_is_refused(content):
    with pytest.raises(ModelFileError, match=r"ensemble\.json"):
        TrainedEnsemble.from_files({**ensemble().to_files(), "ensemble.json": content})


@pytest.mark.parametrize(
    ("file", "array", "value"),
    [
        ("isolation_forest.npz", "left", 10**8),
        ("isolation_forest.npz", "feature", -(10**8)),
        ("scaling.npz", "deviation", 0.0),
        ("scaling.npz", "median", float("nan")),
        ("one_class_svm.npz", "gamma", float("nan")),
    ],
    ids=["a tree that leads nowhere", "a feature that is none", "no deviation", "no median", "no width"],
)
def test_arrays_with_impossible_values_are_refused(file, array, value):
    files = ensemble().to_files()
    stored = unpack(files[file], name=file)
    stored[array] = np.full_like(stored[array], value)
    with pytest.raises(ModelFileError):
        TrainedEnsemble.from_files({**files, file: pack(stored)})
