"""Reading back what the stream published: it becomes rows, all else is told why not, nothing raises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.contracts import QuarantineReason
from powersense.settings import Settings
from powersense.streaming.delivery import headers_of
from powersense.streaming.landing_records import Rejected, read_dead_letter, read_result
from powersense.streaming.scoring import score_records
from powersense.warehouse.stream.rows import DeadLetter, StreamResult
from tests.services.stream_data import START, body, dead_letter, foreign, headers, result

NOW = datetime(2018, 3, 20, 13, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(changed: dict[str, Any]) -> StreamResult | Rejected:
    return read_result(json.dumps(body(1) | changed).encode(), headers(1), published_at=NOW)


def test_a_result_is_read_whole() -> None:
    value, named = result(3, partition=2, is_anomaly=True, notes=["unknown feature x: ignored"])
    found = read_result(value, named, published_at=NOW)
    assert isinstance(found, StreamResult)
    assert (found.topic, found.partition, found.offset) == ("extracted-features", 2, 3)
    assert (found.observed_at, found.scored_at) == (START.replace(minute=3), NOW)
    assert (found.model_names, found.flags) == (["isolation_forest", "one_class_svm"], [True, False])
    assert (found.scores, found.thresholds) == ([0.9, 0.25], [0.5, 0.75])
    assert (found.notes, found.metadata) == (["unknown feature x: ignored"], '{"plant":"Chooz"}')


def test_a_message_that_was_passed_on_unscored_is_a_result() -> None:
    found = read({"scores": [], "final_score": 0.0, "model_id": "", "sensor_id": ""})
    assert isinstance(found, StreamResult)
    assert (found.model_names, found.final_score, found.model_id) == ([], 0, "")


def test_an_instant_comes_in_utc() -> None:
    found = read({"timestamp": "2018-03-25T03:00:00+02:00"})
    assert isinstance(found, StreamResult)
    assert found.observed_at == datetime(2018, 3, 25, 1, tzinfo=UTC)


@pytest.mark.parametrize("message", foreign(), ids=lambda message: message[0][:40].decode() or "empty")
def test_what_another_producer_wrote_is_rejected(message: tuple[bytes, list[tuple[str, bytes]]]) -> None:
    assert isinstance(read_result(*message, published_at=NOW), Rejected)


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"asset_id": 7}, QuarantineReason.MISSING_KEY, "asset_id=7"),
        ({"asset_id": ""}, QuarantineReason.MISSING_KEY, "asset_id=''"),
        ({"timestamp": "2018-03-25T03:00:00"}, QuarantineReason.BAD_INSTANT, "needs a zone"),
        ({"timestamp": "0004-01-01T00:00:00+00:00"}, QuarantineReason.BAD_INSTANT, "0004"),
        ({"final_score": None}, QuarantineReason.NOT_A_NUMBER, "final_score=None"),
        ({"final_score": True}, QuarantineReason.NOT_A_NUMBER, "final_score=True"),
        ({"final_score": -0.1}, QuarantineReason.OUT_OF_RANGE, "final_score=-0.1"),
        ({"scores": [1]}, QuarantineReason.MALFORMED_RECORD, "scores holds 1"),
        ({"is_anomaly": "yes"}, QuarantineReason.MALFORMED_RECORD, "is_anomaly='yes'"),
        ({"metadata": [1]}, QuarantineReason.MALFORMED_RECORD, "metadata=[1]"),
    ],
)
def test_the_reason_names_field_and_value(changed: dict[str, Any], reason: QuarantineReason, words: str) -> None:
    found = read(changed)
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert words in found.detail


def test_metadata_too_deep_to_be_written_is_rejected() -> None:
    value = json.dumps(body(1)).replace('{"plant": "Chooz"}', '{"a":' * 600 + "1" + "}" * 600)
    assert isinstance(read_result(value.encode(), headers(1), published_at=NOW), Rejected)


def test_a_dead_letter_gives_the_bytes_back_as_they_were() -> None:
    found = read_dead_letter(*dead_letter(5, b"\x00\xff", reason="too_large"), published_at=NOW)
    assert found == DeadLetter("extracted-features", 0, 5, "too_large", "unexpected character at 0", b"\x00\xff", START)


def test_a_dead_letter_that_is_not_base64_is_rejected() -> None:
    found = read_dead_letter(b'{"reason": "x", "original_base64": "?"}', headers(1), published_at=NOW)
    assert isinstance(found, Rejected)
    assert "base64" in found.detail


@dataclass(frozen=True)
class Record:
    """A message as the broker gives it."""

    content: bytes | None
    place: int = 7

    def topic(self) -> str:
        return "extracted-features"

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self.content

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_521_547_200_000


@given(st.one_of(st.binary(max_size=40), st.none(), ANYTHING.map(lambda value: json.dumps(value).encode())))
def test_whatever_the_worker_publishes_of_a_message_is_read_back(value: bytes | None) -> None:
    wanted = json.dumps({"asset_id": "pump", "features": {"x": 1}, "metadata": {"given": str(value)}}).encode()
    records = [Record(value), Record(wanted, place=8)]
    for output in score_records(records, None, settings=Settings()).outputs:
        named = [(name, text.encode()) for name, text in headers_of(output, "extracted-features")]
        is_letter = output.topic == Settings().kafka_topic_dead_letter
        found = (read_dead_letter if is_letter else read_result)(output.value, named, published_at=NOW)
        assert not isinstance(found, Rejected), found
        assert (found.topic, found.partition, found.offset) == ("extracted-features", 2, output.offset)
        if isinstance(found, DeadLetter):
            assert found.original == (value or b"")


@given(st.dictionaries(st.sampled_from([*body(1), "notes"]), ANYTHING, max_size=3))
def test_whatever_a_field_holds_the_row_can_be_stored_or_says_why_not(changed: dict[str, Any]) -> None:
    found = read(changed)
    if isinstance(found, StreamResult):
        pa.array([found.asset_id, found.metadata, found.model_id, *found.notes, *found.features, *found.model_names])
        pa.array([found.final_score, *found.scores, *found.thresholds, *found.features.values()], type=pa.float64())
        pa.array([found.observed_at], type=pa.timestamp("ms", tz="UTC"))


@given(st.binary(max_size=40), st.lists(st.tuples(st.sampled_from([name for name, _ in headers(1)]), st.binary())))
def test_whatever_bytes_come_nothing_raises(value: bytes, named: list[tuple[str, bytes]]) -> None:
    for read_any in (read_result, read_dead_letter):
        assert isinstance(read_any(value, named, published_at=NOW), Rejected | DeadLetter | StreamResult)
