"""The environment that leads the stream's steps to a broker, with topics and a group that no other test has."""

from __future__ import annotations

import secrets
from pathlib import Path


def stream_environment(servers: str, *, models: Path) -> dict[str, str]:
    """Return the variables by name: a day is published, and the cheapest of the models is trained on a week."""
    name = secrets.token_hex(4)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "KAFKA_CONSUMER_GROUP": f"group-{name}",
        "KAFKA_TOPIC_INPUT_FEATURES": f"in-{name}",
        "KAFKA_TOPIC_OUTPUT_ANOMALIES": f"out-{name}",
        "KAFKA_TOPIC_DEAD_LETTER": f"dead-{name}",
        "KAFKA_TOPIC_PARTITIONS": "2",
        "MODEL_STORE_URL": f"file://{models}",
        "STREAM_DELIVERY": "at_least_once",
        "STREAM_MODELS": "isolation_forest",
        "STREAM_PUBLISH_HOURS": "24",
        "STREAM_TRAIN_WEEKS": "1",
    }
