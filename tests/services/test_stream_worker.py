"""The worker against a real broker: results, dead letters, models that come and change, restarts, broker failures."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict

import pytest
from confluent_kafka.admin import AdminClient

from powersense.local.kafka import EmbeddedKafka
from powersense.streaming.worker import drain
from tests.services.stream_stack import (
    GivenModels,
    PlainScorer,
    message,
    produce,
    read_all,
    running,
    stream_settings,
    until,
    wait_for_messages,
    watch,
)


def results(settings):
    return read_all(settings, settings.kafka_topic_output_anomalies)


def topics_of(settings):
    return AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers}).list_topics(timeout=5).topics


def message_id(one):
    return dict(one.headers())["message-id"].decode()


def expected_scores(values):
    """Return what one scorer says that sees every message once, in order."""
    from datetime import UTC, datetime

    from powersense.detection.stream.interface import FeatureMessage

    scorer = PlainScorer()
    messages = [FeatureMessage(asset, "s", {"x": x}, datetime.now(UTC), {}) for asset, x in values]
    return scorer.score_batch(messages).scores[:, 0].round(6).tolist()


def test_each_message_becomes_a_result_or_a_dead_letter_that_names_its_input(kafka_broker):
    settings = stream_settings(kafka_broker.servers)
    produce(settings, [("a", message("a", 1.0)), ("a", b"{"), ("a", message("a", 2.0, metadata={"line": 4}))])
    with running(settings):
        wait_for_messages(settings, settings.kafka_topic_output_anomalies, 2)
        [letter] = wait_for_messages(settings, settings.kafka_topic_dead_letter, 1)
    first, second = (json.loads(one.value()) for one in results(settings))
    assert [first["features"], second["features"]] == [{"x": 1.0}, {"x": 2.0}]
    assert second["metadata"] == {"line": 4}
    assert {one.key() for one in results(settings)} == {b"a"}
    assert letter.key() == b"a"
    position = json.loads(letter.value())["source"]
    assert message_id(letter) == f"{position['topic']}/{position['partition']}/{position['offset']}"
    assert position["offset"] == 1


def test_the_messages_of_an_asset_are_scored_in_their_order_each_once(kafka_broker):
    settings = stream_settings(kafka_broker.servers, partitions=3, stream_batch_messages=100)
    values = [(f"a{number % 7}", float(number)) for number in range(3_000)]
    produce(settings, ((asset, message(asset, x)) for asset, x in values))
    with running(settings):
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, len(values))
    published = defaultdict(list)
    for one in found:
        content = json.loads(one.value())
        published[content["asset_id"]].append((content["features"]["x"], content["final_score"]))
    expected = defaultdict(list)
    for (asset, x), score in zip(values, expected_scores(values), strict=True):
        expected[asset].append((x, score))
    assert published == expected


def test_without_a_model_messages_wait_for_it(kafka_broker, caplog):
    settings = stream_settings(kafka_broker.servers)
    produce(settings, [("a", message("a", float(x))) for x in range(10)])
    with running(settings, model=None) as run:
        until(lambda: run.worker.metrics.partitions == 0 and run.worker.metrics.state == "waiting_for_model")
        time.sleep(settings.kafka_session_timeout_ms / 1000 + 1)
        assert results(settings) == []
        run.source.stored = GivenModels("late").stored
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, 10)
        # The membership lived on while messages were held: nothing was assigned a second time.
        assert run.worker._member.rebalances == 1
    assert {json.loads(one.value())["model_id"] for one in found} == {"late"}


def test_without_a_model_messages_pass_unscored_where_that_is_set(kafka_broker):
    settings = stream_settings(kafka_broker.servers, stream_untrained="pass")
    produce(settings, [("a", message("a", 1.0)), ("a", b"nonsense")])
    with running(settings, model=None):
        [found] = wait_for_messages(settings, settings.kafka_topic_output_anomalies, 1)
        wait_for_messages(settings, settings.kafka_topic_dead_letter, 1)
    content = json.loads(found.value())
    assert content["scores"] == []
    assert content["is_anomaly"] is False
    assert "no trained model" in content["notes"][0]


def test_a_newer_model_takes_over_between_batches_without_a_lost_message(kafka_broker):
    settings = stream_settings(kafka_broker.servers, partitions=1, stream_batch_messages=50)
    values = [("a", float(number)) for number in range(200_000)]
    sent = 0
    with running(settings) as run:
        while run.worker.metrics.model_id != "plain-2":
            sent += produce(settings, ((asset, message(asset, x)) for asset, x in values[sent : sent + 500]))
            time.sleep(0.02)
            if run.worker.metrics.messages:
                run.source.stored = GivenModels("plain-2").stored
        sent += produce(settings, ((asset, message(asset, x)) for asset, x in values[sent : sent + 500]))
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, sent)
    found = [json.loads(one.value()) for one in found]
    models = [content["model_id"] for content in found]
    assert models == sorted(models)
    assert set(models) == {"plain-1", "plain-2"}
    # The sequences went on across the change: the scores are those of one scorer that saw everything.
    assert [content["final_score"] for content in found] == expected_scores(values[:sent])


def test_a_restarted_worker_scores_as_if_it_had_never_stopped(kafka_broker):
    settings = stream_settings(kafka_broker.servers, partitions=1)
    values = [(f"a{number % 3}", float(number)) for number in range(60)]
    pairs = [(asset, message(asset, x)) for asset, x in values]
    produce(settings, pairs[:31])
    with running(settings):
        wait_for_messages(settings, settings.kafka_topic_output_anomalies, 31)
    produce(settings, pairs[31:])
    with running(settings):
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, 60)
    assert [json.loads(one.value())["final_score"] for one in found] == expected_scores(values)
    assert len({message_id(one) for one in found}) == len(found) == 60


def test_one_message_that_no_model_can_bear_is_set_aside_alone(kafka_broker):
    settings = stream_settings(kafka_broker.servers, partitions=1)
    pairs = [("a", message("a", float(number))) for number in range(40)]
    pairs[17] = ("a", message("a", 0.0, features={"x": 0.0, "poison": 1.0}))
    pairs[23] = ("a", message("a", 0.0, features={"y": 0.0}))
    produce(settings, pairs)
    with running(settings):
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, 38)
        letters = [json.loads(one.value()) for one in wait_for_messages(settings, settings.kafka_topic_dead_letter, 2)]
    assert {(letter["reason"], letter["source"]["offset"]) for letter in letters} == {
        ("scoring_failed", 17),
        ("too_few_features", 23),
    }
    kept = [("a", float(number)) for number in range(40) if number not in {17, 23}]
    assert [json.loads(one.value())["final_score"] for one in found] == expected_scores(kept)


def test_models_that_fail_altogether_hold_the_messages_until_they_work(kafka_broker):
    class Broken(PlainScorer):
        def score_batch(self, messages):
            if self.model_id == "broken":
                raise RuntimeError("weights are gone")
            return super().score_batch(messages)

    settings = stream_settings(kafka_broker.servers, partitions=1)
    values = [("a", float(number)) for number in range(40)]
    produce(settings, ((asset, message(asset, x)) for asset, x in values))
    with running(settings, model="broken", make=Broken) as run:
        until(lambda: run.worker.metrics.state == "paused")
        assert results(settings) == []
        assert read_all(settings, settings.kafka_topic_dead_letter) == []
        run.source.stored = GivenModels("mended").stored
        found = wait_for_messages(settings, settings.kafka_topic_output_anomalies, 40)
    assert [json.loads(one.value())["final_score"] for one in found] == expected_scores(values)


def test_a_micro_batch_takes_what_stands_in_the_topic_and_leaves(kafka_broker):
    settings = stream_settings(kafka_broker.servers)
    produce(settings, [("a", message("a", float(number))) for number in range(500)] + [("b", b"[]")])
    models = watch(GivenModels("plain-1"))
    assert drain(60, settings=settings, models=models) == {
        "messages": 501,
        "results": 500,
        "anomalies": pytest.approx(25, abs=25),
        "dead_letters": 1,
        "lag": 0,
    }
    assert drain(60, settings=settings, models=models)["messages"] == 0
    assert len(results(settings)) == 500


def test_a_micro_batch_without_a_model_takes_nothing(kafka_broker):
    settings = stream_settings(kafka_broker.servers)
    produce(settings, [("a", message("a", 1.0))])
    assert drain(60, settings=settings, models=watch(GivenModels()))["messages"] == 0


def test_transactions_commit_results_and_offsets_together(kafka_broker):
    settings = stream_settings(kafka_broker.servers, stream_delivery="transactions", stream_batch_messages=100)
    produce(settings, [(f"a{number % 5}", message(f"a{number % 5}", float(number))) for number in range(1_000)])
    for _ in range(2):
        drain(60, settings=settings, models=watch(GivenModels("plain-1")))
        found = read_all(settings, settings.kafka_topic_output_anomalies, isolation="read_committed")
        assert len({message_id(one) for one in found}) == len(found) == 1_000


def test_a_broker_that_starts_anew_and_empty_is_worked_with_again(tmp_path):
    broker = EmbeddedKafka(tmp_path / "broker.log")
    with broker:
        settings = stream_settings(broker.servers, kafka_session_timeout_ms=3_000)
        produce(settings, [("a", message("a", 1.0))])
        with running(settings) as run:
            wait_for_messages(settings, settings.kafka_topic_output_anomalies, 1)
            broker.stop()
            time.sleep(1)
            broker.start()
            # The worker makes the topics that went with the broker.
            until(lambda: settings.kafka_topic_output_anomalies in topics_of(settings), seconds=60)
            produce(settings, [("a", message("a", float(x))) for x in range(5)])
            wait_for_messages(settings, settings.kafka_topic_output_anomalies, 5, seconds=60)
            assert run.worker.metrics.results >= 6


def test_a_broker_that_shows_aborted_messages_is_given_at_least_once(kafka_broker, caplog):
    settings = stream_settings(kafka_broker.servers, stream_delivery="auto")
    produce(settings, [("a", message("a", 1.0))])
    with caplog.at_level(logging.INFO, logger="powersense"), running(settings) as run:
        wait_for_messages(settings, settings.kafka_topic_output_anomalies, 1)
        assert run.worker.metrics.guarantee == "at_least_once"
    assert "shows aborted messages" in caplog.text
