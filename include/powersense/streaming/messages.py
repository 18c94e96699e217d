"""What a message must be, and why one that is not goes to the dead letters; nothing here knows of Kafka."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from math import inf, isfinite
from typing import Any

import orjson

from powersense.detection.stream.interface import FeatureMessage

# What ClickHouse's instants with milliseconds hold, with room.
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
# A dead letter has to fit into a broker's usual limit of 1 MB once its original is in base64.
LARGEST_ORIGINAL_BYTES = 600_000
_LONGEST_NAME = 512
_LONGEST_DETAIL = 500
# True and false are of a type of their own.
_NUMBERS = frozenset((float, int))
_NOTHING: Mapping[str, Any] = {}


class Reason(StrEnum):
    """Why a message is a dead letter."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_ASSET_ID = "missing_asset_id"
    INVALID_ASSET_ID = "invalid_asset_id"
    INVALID_SENSOR_ID = "invalid_sensor_id"
    MISSING_FEATURES = "missing_features"
    INVALID_FEATURES = "invalid_features"
    INVALID_FEATURE = "invalid_feature"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_METADATA = "invalid_metadata"
    TOO_FEW_FEATURES = "too_few_features"
    SCORING_FAILED = "scoring_failed"


class BadMessageError(Exception):
    """A message cannot be scored as it is.

    Attributes:
        reason: its kind, for counting.
        detail: the field and the value, for people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:_LONGEST_DETAIL]


def parse(value: bytes | None, *, received_ms: int, largest_bytes: int) -> FeatureMessage:
    """Read one message.

    Args:
        value: its bytes; None is a tombstone.
        received_ms: the broker's timestamp, milliseconds since 1970 UTC; serves where the message has none.
        largest_bytes: a longer one is not read.

    Raises:
        BadMessageError: it is not as the contract says; names field and value.
    """
    if value is None:
        raise BadMessageError(Reason.TOMBSTONE, "the message has no value")
    if len(value) > largest_bytes:
        raise BadMessageError(Reason.TOO_LARGE, f"{len(value)} bytes; at most {largest_bytes} are read")
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadMessageError(Reason.INVALID_JSON, str(error)) from None
    if type(content) is not dict:
        raise BadMessageError(Reason.NOT_AN_OBJECT, f"the JSON is a {type(content).__name__}, not an object")
    get = content.get
    asset_id, sensor_id, metadata, timestamp = get("asset_id"), get("sensor_id"), get("metadata"), get("timestamp")
    if type(asset_id) is not str or not 0 < len(asset_id) <= _LONGEST_NAME or asset_id.isspace():
        raise _bad_asset_id(asset_id)
    if sensor_id is None:
        sensor_id = ""
    elif type(sensor_id) is not str or len(sensor_id) > _LONGEST_NAME:
        raise BadMessageError(Reason.INVALID_SENSOR_ID, f"sensor_id={_shown(sensor_id)} is not a text")
    if metadata is None:
        metadata = _NOTHING
    elif type(metadata) is not dict:
        raise BadMessageError(Reason.INVALID_METADATA, f"metadata={_shown(metadata)} is not an object")
    features = _features(get("features"))
    return FeatureMessage(asset_id, sensor_id, features, _instant(timestamp, received_ms), metadata)


def _bad_asset_id(value: Any) -> BadMessageError:
    if value is None or (type(value) is str and not value.strip()):
        return BadMessageError(Reason.MISSING_ASSET_ID, f"asset_id={_shown(value)}")
    return BadMessageError(
        Reason.INVALID_ASSET_ID, f"asset_id={_shown(value)} is not a text of at most {_LONGEST_NAME} characters"
    )


def _features(features: Any) -> Mapping[str, float]:
    if features is None or features == {}:
        raise BadMessageError(Reason.MISSING_FEATURES, f"features={_shown(features)}")
    if type(features) is not dict:
        raise BadMessageError(Reason.INVALID_FEATURES, f"features={_shown(features)} is not an object")
    values = features.values()
    if _NUMBERS.issuperset(map(type, values)) and isfinite(sum(values)):
        return features
    for name, value in features.items():
        kind = type(value)
        # The reader refuses infinite numbers and NaN by itself; this holds should another one be less strict.
        if (kind is not float and kind is not int) or not -inf < value < inf:
            raise BadMessageError(
                Reason.INVALID_FEATURE, f"features.{name[:80]}={_shown(value)} is not a finite number"
            )
    return features


def _instant(value: Any, received_ms: int) -> datetime:
    if value is None:
        return datetime.fromtimestamp(received_ms / 1000, UTC)
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadMessageError(
            Reason.INVALID_TIMESTAMP, f"timestamp={_shown(value)} is not an ISO 8601 instant"
        ) from None
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise BadMessageError(
            Reason.INVALID_TIMESTAMP, f"timestamp={_shown(value)} is not within {_FIRST_YEAR} to {_LAST_YEAR}"
        )
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _shown(value: Any) -> str:
    """Return a value for people, never longer than a line, never failing on what is nested deep."""
    if isinstance(value, (dict, list)):
        return f"{type(value).__name__} of {len(value)}"
    return repr(value)[:120]


def dead_letter(
    error: BadMessageError, value: bytes | None, *, source: tuple[str, int, int], failed_at: datetime
) -> bytes:
    """Return the dead letter of a message: reason, original bytes in base64 and position.

    Args:
        error: what is wrong with it.
        value: its bytes as they came; None for a tombstone.
        source: topic, partition and offset that it came from.
        failed_at: now, UTC.
    """
    original, detail = value or b"", error.detail
    letter: dict[str, Any] = {"reason": error.reason.value, "detail": detail}
    if len(original) > LARGEST_ORIGINAL_BYTES:
        letter["detail"] = f"{detail}; the first {LARGEST_ORIGINAL_BYTES} of {len(original)} bytes are kept"
        original = original[:LARGEST_ORIGINAL_BYTES]
    topic, partition, offset = source
    letter["original_base64"] = base64.b64encode(original).decode("ascii")
    letter["source"] = {"topic": topic, "partition": partition, "offset": offset}
    letter["failed_at"] = failed_at
    return orjson.dumps(letter, option=orjson.OPT_UTC_Z)
