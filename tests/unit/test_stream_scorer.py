"""The scorer: the same verdicts however a stream is cut, rules for odd features, nothing that poison values break."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powersense.detection.stream.ensemble import ALL
from powersense.detection.stream.interface import CRITICALITIES, Criticality, FeatureMessage
from powersense.detection.stream.scorer import StreamScorer
from powersense.detection.stream.sequences import SequenceState
from powersense.errors import MessageNotScorableError
from tests.unit.stream_ensembles import NAMES, ensemble, messages, usual_rows

CLASSICAL = ("isolation_forest", "one_class_svm")
FRESH = usual_rows(60, seed=9)


def scorer(models: tuple[str, ...] = ALL, *, max_series: int = 100) -> StreamScorer:
    return StreamScorer({"": ensemble(models)}, SequenceState(max_series))


def changed(message: FeatureMessage, **features: float) -> FeatureMessage:
    kept = {**message.features, **features}
    return FeatureMessage(message.asset_id, message.sensor_id, kept, message.timestamp, message.metadata)


def without(message: FeatureMessage, *names: str) -> FeatureMessage:
    kept = {name: value for name, value in message.features.items() if name not in names}
    return FeatureMessage(message.asset_id, message.sensor_id, kept, message.timestamp, message.metadata)


@pytest.fixture(scope="module")
def stream():
    """Messages of three sensors, one after another in turn."""
    each = [messages(usual_rows(40, seed=number), asset=asset) for number, asset in enumerate("abc")]
    return [message for turn in zip(*each, strict=True) for message in turn]


@pytest.fixture(scope="module")
def in_one_batch(stream):
    return scorer().score_batch(stream)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 119), max_size=12))
def test_scores_do_not_depend_on_how_the_stream_is_cut(stream, in_one_batch, cuts):
    cutting = scorer()
    edges = [0, *sorted(set(cuts)), len(stream)]
    parts = [cutting.score_batch(stream[first:last]) for first, last in pairwise(edges)]
    scores = np.concatenate([part.scores for part in parts])
    assert np.allclose(scores, in_one_batch.scores, atol=1e-4, equal_nan=True)
    final = np.concatenate([part.final_scores for part in parts])
    assert np.allclose(final, in_one_batch.final_scores, atol=1e-4)


def test_observing_feeds_the_sequences_as_scoring_does(stream, in_one_batch):
    rebuilt = scorer()
    rebuilt.observe(stream[:90])
    assert np.allclose(rebuilt.score_batch(stream[90:]).scores, in_one_batch.scores[90:], atol=1e-4)


def test_a_model_with_memory_is_silent_until_its_window_is_full_and_says_so():
    first, *_, last = scorer().score(messages(FRESH[:12]))
    assert [score.model_name for score in first.scores] == list(CLASSICAL)
    assert first.notes[0] == "lstm_autoencoder cannot say yet: it needs 12 messages of a sensor and has 1"
    assert [score.model_name for score in last.scores] == list(ALL)
    assert last.notes == ()


def test_a_collapse_is_an_anomaly_for_each_model_and_critical():
    usual = messages(FRESH)
    *_, before, after = scorer().score([*usual[:-1], changed(usual[-1], load=5.0, ramp=-95.0)])
    assert not before.is_anomaly
    assert before.criticality is Criticality.LOW
    assert after.is_anomaly
    assert after.criticality is Criticality.CRITICAL
    assert all(
        score.score > before_score.score for score, before_score in zip(after.scores, before.scores, strict=True)
    )
    assert sum(score.is_anomaly for score in after.scores) >= 3


def test_verdicts_say_what_the_columns_say():
    batch = scorer(CLASSICAL).score_batch(messages(FRESH))
    for row, verdict in enumerate(batch.verdicts()):
        assert verdict.final_score == batch.final_scores[row]
        assert verdict.criticality is CRITICALITIES[batch.criticality[row]]
        assert verdict.is_anomaly == (verdict.criticality is not Criticality.LOW)
        assert verdict.model_id == "small"
        for score, raw, threshold in zip(verdict.scores, batch.scores[row], batch.thresholds[row], strict=True):
            assert (score.score, score.is_anomaly) == (raw, raw >= threshold)
    assert len(batch) == len(FRESH)


def test_missing_features_are_replaced_by_their_median_and_unknown_ones_ignored_and_both_are_said():
    message = messages([[100.0, 0.0, 6.0]])[0]
    median = float(ensemble(CLASSICAL).scaling.median[1])
    odd = changed(without(message, "ramp"), x=3.0)
    verdicts = scorer(CLASSICAL).score([odd, changed(message, ramp=median)])
    assert verdicts[0].scores == verdicts[1].scores
    assert verdicts[0].notes == ("missing feature ramp: its median was used", "unknown feature x: ignored")
    assert verdicts[1].notes == ()


def test_fewer_than_half_of_the_features_are_refused_before_anything_is_remembered():
    one, other = messages(FRESH[:2])
    scoring = scorer()
    batch = [one, without(other, "ramp", "hour")]
    reason = "features has 1 of the model's 3 features, it needs 2; missing: ramp, hour"
    assert scoring.refusals(batch) == {1: reason}
    with pytest.raises(MessageNotScorableError, match=f"message 1: {reason}"):
        scoring.score(batch)
    assert len(scoring.state) == 0
    scoring.observe(batch)
    assert scoring.score([other])[0].notes[0].endswith("has 2")


def test_an_asset_is_scored_by_its_own_ensemble_and_others_by_the_pooled_one():
    own = ensemble(CLASSICAL, "own", ("hour", "load", "ramp"))
    scoring = StreamScorer({"": ensemble(ALL), "a": own}, SequenceState(10))
    batch = [*messages(FRESH[:1], asset="a"), *messages(FRESH[:1], asset="b")]
    mine, theirs = scoring.score(batch)
    assert (mine.model_id, theirs.model_id) == ("own", "small")
    alone = StreamScorer({"": own}, SequenceState(10)).score(batch[:1])[0]
    assert [score.score for score in mine.scores] == pytest.approx([score.score for score in alone.scores])


def test_an_asset_without_any_ensemble_is_refused_by_name():
    scoring = StreamScorer({"a": ensemble(CLASSICAL)}, SequenceState(10))
    assert scoring.has_model("a")
    assert not scoring.has_model("b")
    with pytest.raises(MessageNotScorableError, match="asset_id 'b' has no model"):
        scoring.score(messages(FRESH[:1], asset="b"))


def test_new_models_go_on_with_the_sequences_that_the_earlier_ones_kept():
    earlier = scorer()
    earlier.observe(messages(FRESH[:20]))
    later = StreamScorer({"": ensemble(ALL, "newer")}, earlier.state)
    verdict = later.score(messages(FRESH[20:21]))[0]
    assert verdict.model_id == "newer"
    assert [score.model_name for score in verdict.scores] == list(ALL)


def test_a_forgotten_series_begins_anew():
    scoring = scorer()
    scoring.observe(messages(FRESH[:20]))
    scoring.forget([("a", "s")])
    assert scoring.score(messages(FRESH[20:21]))[0].notes[0].endswith("has 1")


def test_a_failure_leaves_the_sequences_as_they_were(monkeypatch):
    scoring = scorer()
    scoring.observe(messages(FRESH[:3]))
    unusable = FeatureMessage("a", "s", {**messages(FRESH[:1])[0].features, "load": "x"}, None, {})  # type: ignore[dict-item,arg-type]
    with pytest.raises(ValueError, match="could not convert"):
        scoring.score([*messages(FRESH[3:5]), unusable])
    assert scoring.score(messages(FRESH[5:6]))[0].notes[0].endswith("has 4")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1, max_size=15))
def test_whatever_finite_numbers_come_scores_are_between_0_and_1(rows):
    batch = scorer().score_batch(messages(rows))
    said = batch.scores[~np.isnan(batch.scores)]
    assert ((said >= 0) & (said <= 1)).all()
    assert ((batch.final_scores >= 0) & (batch.final_scores <= 1)).all()
    far = [at for at, row in enumerate(rows) if abs(row[0]) > 1e6]
    assert batch.is_anomaly[far].all()


def test_an_empty_batch_has_no_verdicts():
    assert scorer().score([]) == []


def test_thousands_of_unknown_features_make_a_short_note():
    message = changed(messages(FRESH[:1])[0], **{f"x{number}" * 50: 1.0 for number in range(1000)})
    note = scorer(CLASSICAL).score([message])[0].notes[0]
    assert note.endswith("and 995 more: ignored")
    assert len(note) < 500


def test_warming_up_changes_nothing(stream, in_one_batch):
    scoring = scorer()
    scoring.warm_up()
    assert len(scoring.state) == 0
    assert np.array_equal(scoring.score_batch(stream).scores, in_one_batch.scores, equal_nan=True)
    assert scoring.model_names == ALL
    assert scoring.ensembles[""].feature_names == NAMES
