"""What a message must be, what it becomes, and that nothing malformed gets through or breaks the reader."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.errors import ConfigurationError, ModelFileError
from powersense.logs import JsonLines
from powersense.settings import Settings
from powersense.streaming.client import client_properties
from powersense.streaming.logs import ANOMALIES_A_SECOND, AnomalyLog
from powersense.streaming.messages import LARGEST_ORIGINAL_BYTES, BadMessageError, Reason, parse
from powersense.streaming.metrics import Metrics
from powersense.streaming.outputs import Anomaly
from powersense.streaming.scoring import ScoringUnavailableError, score_records
from tests.services.stream_stack import PlainScorer

GOOD = {
    "asset_id": "turbine-7",
    "sensor_id": "nacelle",
    "features": {"x": 1, "y": -2.5},
    "timestamp": "2026-03-29T02:30:00+02:00",
    "metadata": {"line": 4},
}
RECEIVED_MS = 1_767_225_600_123
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Record:
    """A message as the broker gives it."""

    content: bytes | None
    at: int = 0

    def topic(self):
        return "in"

    def partition(self):
        return 3

    def offset(self):
        return self.at

    def key(self):
        return b"key"

    def value(self):
        return self.content

    def timestamp(self):
        return 1, RECEIVED_MS


def read(value, largest_bytes=10_000):
    return parse(value, received_ms=RECEIVED_MS, largest_bytes=largest_bytes)


def changed(**fields):
    return json.dumps(GOOD | fields).encode()


def scored(*values, scorer=None, **settings):
    records = [Record(value, at) for at, value in enumerate(values)]
    return score_records(records, scorer or PlainScorer(), settings=Settings(**settings), now=lambda: NOW)


def test_a_message_is_read_as_it_says():
    message = read(changed())
    assert (message.asset_id, message.sensor_id) == ("turbine-7", "nacelle")
    assert message.features == {"x": 1, "y": -2.5}
    assert message.timestamp == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert message.metadata == {"line": 4}


def test_only_asset_and_features_are_required():
    message = read(b'{"asset_id": "a", "features": {"x": 1e-300}}')
    assert (message.sensor_id, message.metadata) == ("", {})
    assert message.timestamp == datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def test_an_instant_without_a_zone_is_utc():
    assert read(changed(timestamp="2026-01-01T12:00:00")).timestamp == datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.TOMBSTONE),
        (b"", Reason.INVALID_JSON),
        (b"\xff\xfe{}", Reason.INVALID_JSON),
        (b"[" * 300_000, Reason.TOO_LARGE),
        (b"[" * 2_000 + b"]" * 2_000, Reason.INVALID_JSON),
        (b'{"asset_id": "a", "features": {"x": NaN}}', Reason.INVALID_JSON),
        (b'{"asset_id": "a", "features": {"x": 1e999}}', Reason.INVALID_JSON),
        (b'{"asset_id": "\\ud800", "features": {"x": 1}}', Reason.INVALID_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_ASSET_ID),
        (changed(asset_id=" "), Reason.MISSING_ASSET_ID),
        (changed(asset_id=7), Reason.INVALID_ASSET_ID),
        (changed(asset_id="a" * 513), Reason.INVALID_ASSET_ID),
        (changed(sensor_id=7), Reason.INVALID_SENSOR_ID),
        (changed(features=None), Reason.MISSING_FEATURES),
        (changed(features={}), Reason.MISSING_FEATURES),
        (changed(features=[1.0]), Reason.INVALID_FEATURES),
        (changed(features={"x": "1.0"}), Reason.INVALID_FEATURE),
        (changed(features={"x": True}), Reason.INVALID_FEATURE),
        (changed(features={"x": None}), Reason.INVALID_FEATURE),
        (changed(features={"x": {"y": 1}}), Reason.INVALID_FEATURE),
        (changed(timestamp="yesterday"), Reason.INVALID_TIMESTAMP),
        (changed(timestamp=1_767_225_600), Reason.INVALID_TIMESTAMP),
        (changed(timestamp="0001-01-01T00:00:00+14:00"), Reason.INVALID_TIMESTAMP),
        (changed(timestamp="9999-12-31T23:59:59-14:00"), Reason.INVALID_TIMESTAMP),
        (changed(metadata="none"), Reason.INVALID_METADATA),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_message_that_breaks_the_contract_is_a_dead_letter_with_its_reason_and_bytes(value, reason):
    done = scored(value)
    [letter] = done.outputs
    content = json.loads(letter.value)
    assert content["reason"] == reason
    assert content["detail"]
    assert base64.b64decode(content["original_base64"]) == (value or b"")
    assert content["source"] == {"topic": "in", "partition": 3, "offset": 0}
    assert letter.key == b"key"
    assert done.dead_letters == {reason: 1}


def test_of_a_name_that_comes_twice_the_last_counts():
    assert read(b'{"asset_id": "a", "asset_id": "b", "features": {"x": 1, "x": 2}}').features == {"x": 2}


def test_metadata_too_deep_to_be_written_again_is_a_dead_letter():
    deep = b'{"asset_id": "a", "features": {"x": 1}, "metadata": {"m": ' + b"[" * 300 + b"]" * 300 + b"}}"
    assert scored(deep).dead_letters == {Reason.INVALID_METADATA: 1}
    assert scored(deep, scorer=None).dead_letters == {Reason.INVALID_METADATA: 1}


def test_a_dead_letter_fits_into_what_brokers_take():
    done = scored(b"x" * 3_000_000)
    assert len(done.outputs[0].value) < 1_000_000
    assert f"the first {LARGEST_ORIGINAL_BYTES} of 3000000 bytes" in json.loads(done.outputs[0].value)["detail"]


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_no_bytes_break_the_reader(value):
    with contextlib.suppress(BadMessageError):
        read(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["asset_id", "sensor_id", "features", "timestamp", "metadata"]), _JSON).map(
        lambda content: json.dumps(content).encode()
    )
)
def test_whatever_json_comes_becomes_one_output(value):
    assert len(scored(value).outputs) == 1


def test_a_result_says_what_the_contract_says():
    [output] = scored(changed()).outputs
    content = json.loads(output.value)
    promised = "asset_id sensor_id timestamp scores final_score is_anomaly criticality features metadata model_id"
    assert list(content) == promised.split()
    [score] = content["scores"]
    assert set(score) == {"score", "model_name", "threshold", "is_anomaly"}
    assert content["timestamp"] == "2026-03-29T00:30:00Z"
    assert content["final_score"] == score["score"]
    assert (output.key, output.partition, output.offset) == (b"turbine-7", 3, 0)


def test_outputs_keep_the_order_of_their_inputs():
    done = scored(changed(), b"{", changed(asset_id="b"), None, changed(asset_id="unknown-1"))
    assert [output.offset for output in done.outputs] == [0, 1, 2, 3, 4]
    assert done.unscored == 1
    assert "no trained model" in json.loads(done.outputs[4].value)["notes"][0]


def test_a_model_file_that_fails_holds_the_batch():
    class Lost(PlainScorer):
        def score_batch(self, messages):
            raise ModelFileError("gone")

    with pytest.raises(ScoringUnavailableError, match="gone"):
        scored(changed(), scorer=Lost())


def test_a_few_messages_that_fail_alone_are_not_held_for_ever():
    poison = changed(features={"x": 1, "poison": 1})
    assert scored(*[poison] * 7).dead_letters == {Reason.SCORING_FAILED: 7}
    with pytest.raises(ScoringUnavailableError):
        scored(*[poison] * 8)
    assert scored(*[poison] * 8, changed()).dead_letters == {Reason.SCORING_FAILED: 8}


def test_security_settings_reach_the_client_under_its_names():
    environment = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SSL_CA_LOCATION": "/ca.pem",
        "KAFKA_SASL_PASSWORD": "",
        "KAFKA_CONSUMER_GROUP": "not security",
    }
    assert client_properties(Settings(kafka_bootstrap_servers="b:9092"), environment) == {
        "bootstrap.servers": "b:9092",
        "client.id": "powersense",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "ssl.ca.location": "/ca.pem",
    }


def test_without_a_broker_the_remedy_is_named():
    with pytest.raises(ConfigurationError, match="KAFKA_BOOTSTRAP_SERVERS is empty"):
        client_properties(Settings(kafka_bootstrap_servers=""))


def test_a_flood_of_anomalies_is_a_few_lines_and_a_summary(caplog):
    clock = iter([0.0, 0.5, 1.0])
    log = AnomalyLog(clock=lambda: next(clock))
    flood = [Anomaly("a", "", "critical", 0.99, NOW)] * 500
    for anomalies in (flood, flood, ()):
        log.write(anomalies)
    assert len(caplog.records) == ANOMALIES_A_SECOND + 1
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert caplog.records[-1].getMessage() == "anomalies: 980 more in a second: critical 980"


def test_json_lines_carry_the_anomaly_as_fields(caplog):
    AnomalyLog(clock=lambda: 0.0).write([Anomaly("a", "s", "high", 0.97, NOW)])
    line = json.loads(JsonLines().format(caplog.records[0]))
    assert line["level"] == "WARNING"
    assert (line["asset_id"], line["criticality"], line["final_score"]) == ("a", "high", 0.97)


def test_prometheus_is_told_the_figures():
    metrics = Metrics(state="running", model_id="m-1", model_trained_at=datetime(2026, 1, 1, tzinfo=UTC), lag=12)
    metrics.count(scored(changed(), changed(asset_id="b"), b"{"), messages=3)
    metrics.batch_seconds.extend([0.1, 0.2, 0.3])
    lines = metrics.exposition(NOW).splitlines()
    assert "powersense_stream_messages_total 3" in lines
    assert "powersense_stream_results_total 2" in lines
    assert 'powersense_stream_dead_letters_total{reason="invalid_json"} 1' in lines
    assert "powersense_stream_lag_messages 12" in lines
    assert "powersense_stream_model_age_seconds 86400" in lines
    assert 'powersense_stream_batch_seconds{quantile="0.99"} 0.3' in lines
    assert "powersense_stream_final_score_count 2" in lines
    assert 'powersense_stream_final_score_bucket{le="+Inf"} 2' in lines


def test_the_level_of_the_log_is_a_setting(monkeypatch):
    from powersense.logs import set_up

    root, package = logging.getLogger(), logging.getLogger("powersense")
    before = root.handlers[:], root.level, package.level
    try:
        set_up(Settings(log_level="DEBUG", log_format="json"))
        assert package.isEnabledFor(logging.DEBUG)
        assert isinstance(root.handlers[0].formatter, JsonLines)
    finally:
        root.handlers[:], level, package_level = before
        root.setLevel(level)
        package.setLevel(package_level)
