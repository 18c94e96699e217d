"""The real ensemble, LSTM included, through a real broker: a restart changes no score."""

from __future__ import annotations

import json

import numpy as np
import pytest

from powersense.detection.stream.ensemble import TrainedEnsemble
from powersense.detection.stream.scorer import StreamScorer
from powersense.detection.stream.sequences import SequenceState
from powersense.streaming.models import ModelWatch
from powersense.streaming.worker import drain
from tests.services.stream_stack import GivenModels, produce, read_all, stream_settings

NAMES = ("load_mw", "ramp_mw", "temperature_celsius")
ASSETS = 3
MESSAGES = 90


@pytest.fixture(scope="module")
def ensemble():
    rows = np.random.default_rng(7).normal(size=(300, len(NAMES)))
    models = ("isolation_forest", "lstm_autoencoder")
    return TrainedEnsemble.train(rows, NAMES, series=None, models=models, seed=7, model_id="pooled-1")


def watch_of(ensemble):
    """Return a watch as a worker that has just started has it: its sequences are empty."""
    state = SequenceState(100)
    return ModelWatch(
        GivenModels("pooled-1"),
        load=lambda _: ensemble,
        assemble=lambda ensembles: lambda: StreamScorer(ensembles, state),
        poll_seconds=60,
    )


def corpus():
    rows = np.random.default_rng(8).normal(size=(MESSAGES, len(NAMES))).tolist()
    for number, row in enumerate(rows):
        asset = f"a{number % ASSETS}"
        features = dict(zip(NAMES, row, strict=True))
        yield asset, json.dumps({"asset_id": asset, "features": features, "metadata": {"number": number}}).encode()


def by_number(settings):
    found = [json.loads(one.value()) for one in read_all(settings, settings.kafka_topic_output_anomalies)]
    assert len(found) == MESSAGES
    return [content for _, content in sorted((content["metadata"]["number"], content) for content in found)]


def test_a_restart_in_the_middle_changes_no_score(kafka_broker, ensemble):
    whole, halved = (stream_settings(kafka_broker.servers) for _ in range(2))
    messages = list(corpus())
    produce(whole, messages)
    drain(60, settings=whole, models=watch_of(ensemble))
    for part in (messages[:50], messages[50:]):
        produce(halved, part)
        drain(60, settings=halved, models=watch_of(ensemble))
    expected, found = by_number(whole), by_number(halved)
    assert [content["final_score"] for content in found] == pytest.approx(
        [content["final_score"] for content in expected], abs=1e-4
    )
    # Once its window is full the LSTM says something on every message, before the restart and after it.
    speaking = [{score["model_name"] for score in content["scores"]} for content in found]
    assert speaking == [{score["model_name"] for score in content["scores"]} for content in expected]
    assert speaking[-1] == {"isolation_forest", "lstm_autoencoder"}
    assert speaking[0] == {"isolation_forest"}
