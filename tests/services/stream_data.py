"""What the stream's worker publishes, made by hand: results and dead letters with their headers, and where they lie."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2018, 3, 20, 12, tzinfo=UTC)
TOPIC = "extracted-features"

Published = tuple[bytes, list[tuple[str, bytes]]]


def headers(offset: int, *, partition: int = 0) -> list[tuple[str, bytes]]:
    """Return the headers that name the input's position."""
    place = {"topic": TOPIC, "partition": str(partition), "offset": str(offset)}
    named = [(f"source-{name}", text.encode()) for name, text in place.items()]
    return [*named, ("message-id", "/".join(place.values()).encode())]


def body(offset: int, *, is_anomaly: bool = False, **changed: Any) -> dict[str, Any]:
    """Return a result of two models, one message a minute, of seven assets in turn."""
    score = 0.9 if is_anomaly else 0.125
    return {
        "asset_id": f"asset {offset % 7}",
        "sensor_id": "meter",
        "timestamp": (START + timedelta(minutes=offset)).isoformat(),
        "scores": [
            {"model_name": "isolation_forest", "score": score, "threshold": 0.5, "is_anomaly": is_anomaly},
            {"model_name": "one_class_svm", "score": 0.25, "threshold": 0.75, "is_anomaly": False},
        ],
        "final_score": score,
        "is_anomaly": is_anomaly,
        "criticality": "high" if is_anomaly else "low",
        "features": {"load_mw_ratio": 1.5, "ramp_ratio": -0.25},
        "metadata": {"plant": "Chooz"},
        "model_id": "pooled-1",
    } | changed


def result(offset: int, *, partition: int = 0, **changed: Any) -> Published:
    return json.dumps(body(offset, **changed)).encode(), headers(offset, partition=partition)


def dead_letter(
    offset: int, original: bytes = b"\xff{", *, reason: str = "invalid_json", partition: int = 0
) -> Published:
    value = {
        "reason": reason,
        "detail": "unexpected character at 0",
        "original_base64": base64.b64encode(original).decode(),
        "source": {"topic": TOPIC, "partition": partition, "offset": offset},
        "failed_at": START.isoformat(),
    }
    return json.dumps(value).encode(), headers(offset, partition=partition)


def foreign() -> Sequence[Published]:
    """Return messages that are none of the stream's, each wrong in another way."""
    good = body(1)
    without = {name: value for name, value in good.items() if name != "asset_id"}
    named = headers(1)
    return [
        (b"", named),
        (b"hello", named),
        (b"[1]", named),
        (json.dumps(without).encode(), named),
        (json.dumps(good).encode(), []),
        (json.dumps(good).encode(), [*headers(1)[:2], ("source-offset", b"-1")]),
        (json.dumps(good | {"final_score": 3}).encode(), named),
        (json.dumps(good | {"timestamp": "yesterday"}).encode(), named),
        (json.dumps(good | {"features": {"load": "high"}}).encode(), named),
        (json.dumps(good | {"criticality": "dire"}).encode(), named),
    ]
