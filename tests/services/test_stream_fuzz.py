"""Ten thousand malformed messages end in the dead letters, each with a reason and its bytes, and the worker goes on."""

from __future__ import annotations

import base64
import json
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from powersense.streaming.messages import Reason
from tests.services.stream_stack import message, produce, read_all, running, stream_settings, wait_for_messages

MALFORMED = 10_000
SEED = 20_171_201
GOOD = {"asset_id": "a", "sensor_id": "s", "features": {"x": 1.0}, "timestamp": "2026-01-01T00:00:00Z", "metadata": {}}

text = st.text(max_size=12)
not_text = st.none() | st.booleans() | st.integers() | st.lists(st.integers(), max_size=2)
not_number = (
    st.none() | st.booleans() | text | st.lists(st.floats(), max_size=2) | st.dictionaries(text, text, max_size=2)
)
unwanted = {
    "asset_id": not_text | st.sampled_from(["", " ", "\t\n"]) | st.text(min_size=513, max_size=520),
    "sensor_id": st.booleans() | st.integers() | st.floats() | st.lists(text, max_size=2),
    "features": st.none() | text | st.integers() | st.lists(text, max_size=2) | st.just({}),
    "timestamp": st.integers()
    | st.booleans()
    | st.sampled_from(["", "now", "2026-13-01", "1969-12-31T23:59:59Z", "2200-01-01"]),
    "metadata": text | st.integers() | st.lists(text, max_size=2) | st.booleans(),
}


def encoded(content):
    return json.dumps(content).encode()


def changed(field):
    return unwanted[field].map(lambda value: encoded({**GOOD, field: value}))


def nested(depth):
    return b'{"asset_id": "a", "features": {"x": 1}, "metadata": {"m": ' + b"[" * depth + b"]" * depth + b"}}"


whole = encoded(GOOD)
malformed = st.one_of(
    st.none(),
    st.binary(max_size=60).filter(lambda value: not value.startswith(b"{")),
    st.integers(0, len(whole) - 1).map(lambda length: whole[:length]),
    st.tuples(st.integers(0, len(whole)), st.sampled_from([b"\x00", b"\xff", b"\xc3\x28"])).map(
        lambda cut: whole[: cut[0]] + cut[1] + whole[cut[0] :]
    ),
    (st.none() | st.booleans() | st.integers() | text | st.lists(st.integers(), max_size=3)).map(encoded),
    st.sampled_from(sorted(GOOD.keys() & {"asset_id", "features"})).map(
        lambda field: encoded({name: value for name, value in GOOD.items() if name != field})
    ),
    *map(changed, unwanted),
    st.tuples(text, not_number).map(lambda pair: encoded({**GOOD, "features": {"x": 1.0, pair[0]: pair[1]}})),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x1", "1.", "+1", "01"]).map(
        lambda number: whole.replace(b"1.0", number.encode())
    ),
    st.integers(260, 3_000).map(nested),
    st.integers(262_145, 262_200).map(lambda size: whole[:-1] + b" " * (size - len(whole)) + b"}"),
)


def corpus(count):
    """Return malformed messages, at least a fifth of them different, the same each time."""
    found: dict[bytes | None, None] = {}
    for block in range(60):
        # Hypothesis stops to look for variety before ten thousand calls: a call makes a block, each run has its seed.
        @seed(SEED + block)
        @hypothesis_settings(
            max_examples=500,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(malformed, min_size=10, max_size=30))
        def collect(some):
            found.update(dict.fromkeys(some))

        collect()
        if len(found) >= count / 5:
            break
    different = list(found)
    return [different[number % len(different)] for number in range(count)]


def test_every_malformed_message_is_a_dead_letter_with_its_bytes(kafka_broker):
    options = stream_settings(kafka_broker.servers, partitions=4)
    bad = corpus(MALFORMED)
    assert len(set(bad)) >= MALFORMED // 5
    pairs = [(f"k{number % 50}" if number % 7 else None, value) for number, value in enumerate(bad)]
    pairs[::100] = [(key, message("a", float(number))) for number, (key, _) in enumerate(pairs[::100])]
    produce(options, pairs)
    with running(options) as run:
        letters = wait_for_messages(options, options.kafka_topic_dead_letter, MALFORMED * 99 // 100, seconds=60)
        good = wait_for_messages(options, options.kafka_topic_output_anomalies, MALFORMED // 100)
        assert run.thread.is_alive()
    originals = {(one.partition(), one.offset()): one for one in read_all(options, options.kafka_topic_input_features)}
    reasons = Counter()
    for letter in letters:
        content = json.loads(letter.value())
        original = originals.pop((content["source"]["partition"], content["source"]["offset"]))
        assert base64.b64decode(content["original_base64"]) == (original.value() or b"")
        assert letter.key() == original.key()
        assert content["detail"]
        reasons[Reason(content["reason"])] += 1
    assert len(good) == len(originals) == MALFORMED // 100
    assert set(reasons) >= {
        Reason.TOMBSTONE, Reason.TOO_LARGE, Reason.INVALID_JSON, Reason.NOT_AN_OBJECT, Reason.MISSING_ASSET_ID,
        Reason.INVALID_ASSET_ID, Reason.INVALID_SENSOR_ID, Reason.MISSING_FEATURES, Reason.INVALID_FEATURES,
        Reason.INVALID_FEATURE, Reason.INVALID_TIMESTAMP, Reason.INVALID_METADATA,
    }  # fmt: skip
