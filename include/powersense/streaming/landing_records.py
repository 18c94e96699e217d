"""What the stream published, read back as rows: pure, and strict, since anybody may write to a topic."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from powersense.contracts import QuarantineReason
from powersense.warehouse.stream.rows import DeadLetter, StreamResult

Headers = Sequence[tuple[str, bytes | None]]
Row = TypeVar("Row", StreamResult, DeadLetter)

CRITICALITIES = ("low", "medium", "high", "critical")
# What ClickHouse's DateTime64 and Float32 hold, and a position in Kafka.
_FIRST_YEAR, _LAST_YEAR = 1900, 2299
_MAX_FLOAT32 = 3.4e38
_MAX_PARTITION, _MAX_OFFSET = 2**31, 2**63
_POSITION = ("topic", "partition", "offset")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a message of a topic is none of the stream's."""

    reason: QuarantineReason
    detail: str


class _RefusedError(ValueError):
    def __init__(self, reason: QuarantineReason, detail: str) -> None:
        super().__init__(detail)
        self.rejected = Rejected(reason, detail)


def read_result(value: bytes | None, headers: Headers, *, published_at: datetime) -> StreamResult | Rejected:
    """Read a scored message.

    Args:
        value: its JSON.
        headers: `source-topic`, `source-partition`, `source-offset` are the position of the input.
        published_at: when the broker took it, UTC.
    """
    return _read(_result, value, headers, published_at)


def read_dead_letter(value: bytes | None, headers: Headers, *, published_at: datetime) -> DeadLetter | Rejected:
    """Read a dead letter; arguments as of `read_result`."""
    return _read(_dead_letter, value, headers, published_at)


def _read(
    make: Callable[[Mapping[str, Any], tuple[str, int, int], datetime], Row],
    value: bytes | None,
    headers: Headers,
    published_at: datetime,
) -> Row | Rejected:
    try:
        return make(_object(value), _position(dict(headers)), published_at)
    except _RefusedError as refused:
        return refused.rejected


def _result(body: Mapping[str, Any], position: tuple[str, int, int], published_at: datetime) -> StreamResult:
    scores = [_score(entry) for entry in _list(body, "scores")]
    criticality = body.get("criticality")
    if criticality not in CRITICALITIES:
        raise _malformed(f"criticality={criticality!r} is none of {', '.join(CRITICALITIES)}")
    return StreamResult(
        *position,
        asset_id=_text(body, "asset_id"),
        sensor_id=_text(body, "sensor_id", default=""),
        observed_at=_instant(body, "timestamp"),
        final_score=_share(body.get("final_score"), "final_score"),
        is_anomaly=_flag(body, "is_anomaly"),
        criticality=criticality,
        model_id=_text(body, "model_id", default=""),
        model_names=[name for name, _, _, _ in scores],
        scores=[score for _, score, _, _ in scores],
        thresholds=[threshold for _, _, threshold, _ in scores],
        flags=[flag for _, _, _, flag in scores],
        features=_features(body),
        metadata=_json(body, "metadata"),
        notes=[str(note) for note in _list(body, "notes")],
        scored_at=published_at,
    )


def _score(entry: Any) -> tuple[str, float, float, bool]:
    if not isinstance(entry, dict):
        raise _malformed(f"scores holds {entry!r}, not an object")
    score, threshold = _share(entry.get("score"), "score"), _number(entry.get("threshold"), "threshold")
    if abs(threshold) > _MAX_FLOAT32:
        raise _RefusedError(QuarantineReason.OUT_OF_RANGE, f"threshold={threshold!r}")
    return _text(entry, "model_name"), score, threshold, _flag(entry, "is_anomaly")


def _dead_letter(body: Mapping[str, Any], position: tuple[str, int, int], published_at: datetime) -> DeadLetter:
    try:
        original = base64.b64decode(_text(body, "original_base64", default=""), validate=True)
    except binascii.Error as error:
        raise _malformed(f"original_base64 is not base64: {error}") from error
    return DeadLetter(
        *position,
        reason=_text(body, "reason"),
        detail=_text(body, "detail", default=""),
        original=original,
        failed_at=_instant(body, "failed_at") if body.get("failed_at") else published_at,
    )


def _object(value: bytes | None) -> Mapping[str, Any]:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise _malformed(f"the message is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _malformed(f"the message is a JSON {type(body).__name__}, not an object")
    return body


def _position(headers: Mapping[str, bytes | None]) -> tuple[str, int, int]:
    try:
        topic, partition, offset = ((headers[f"source-{name}"] or b"").decode() for name in _POSITION)
        position = topic, int(partition), int(offset)
    except (KeyError, ValueError) as error:
        names = ", ".join(f"source-{name}" for name in _POSITION)
        raise _RefusedError(QuarantineReason.MISSING_KEY, f"the headers {names} do not name a position") from error
    if not topic or not 0 <= position[1] < _MAX_PARTITION or not 0 <= position[2] < _MAX_OFFSET:
        raise _RefusedError(QuarantineReason.MISSING_KEY, f"{'/'.join(map(str, position))} is no position")
    return position


def _text(body: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (not value and default is None):
        raise _RefusedError(QuarantineReason.MISSING_KEY, f"{name}={value!r} is not a text")
    return value


def _instant(body: Mapping[str, Any], name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(body, name))
        if instant.tzinfo is None or not _FIRST_YEAR < instant.year < _LAST_YEAR:
            raise ValueError("it needs a zone, and a year that can be stored")
    except ValueError as error:
        raise _RefusedError(QuarantineReason.BAD_INSTANT, f"{name}={body.get(name)!r}: {error}") from error
    return instant.astimezone(UTC)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _RefusedError(QuarantineReason.NOT_A_NUMBER, f"{name}={value!r} is not a finite number")
    return float(value)


def _features(body: Mapping[str, Any]) -> dict[str, float]:
    features = _object_in(body, "features")
    for name, value in features.items():
        # Nearly all are floats: a call for each would cost as much as reading the message.
        if type(value) is not float or not -math.inf < value < math.inf:
            features[name] = _number(value, f"features.{name}")
    return features


def _share(value: Any, name: str) -> float:
    number = _number(value, name)
    if not 0 <= number <= 1:
        raise _RefusedError(QuarantineReason.OUT_OF_RANGE, f"{name}={value!r} is not from 0 to 1")
    return number


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise _malformed(f"{name}={value!r} is not true or false")
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, list):
        raise _malformed(f"{name}={value!r} is not a list")
    return value or []


def _object_in(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise _malformed(f"{name}={value!r} is not an object")
    return value or {}


def _json(body: Mapping[str, Any], name: str) -> str:
    try:
        return orjson.dumps(_object_in(body, name)).decode()
    except orjson.JSONEncodeError as error:
        raise _malformed(f"{name} cannot be written as JSON: {error}") from error


def _malformed(detail: str) -> _RefusedError:
    return _RefusedError(QuarantineReason.MALFORMED_RECORD, detail)
