"""The stream in micro-batches, for the DAG `score_features`: what waits is scored and landed, then everyone leaves."""

from __future__ import annotations

from datetime import UTC, datetime

from powersense.errors import StreamError
from powersense.settings import get_settings
from powersense.streaming.presence import NOT_SET_UP, is_set_up, live_workers

# What one run scored is landed within seconds; a longer wait is ClickHouse's or the broker's.
_LANDING_SECONDS = 120.0


def why_not_now() -> str:
    """Tell why a micro-batch has nothing to do at present; empty where it shall run.

    Raises:
        WarehouseError: ClickHouse failed.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.stream_models import newest

    settings = get_settings()
    if not is_set_up():
        return NOT_SET_UP
    if settings.stream_micro_batches == "off":
        return "STREAM_MICRO_BATCHES is off: the stream is left to the workers"
    with connect("reader") as client:
        workers = live_workers(client, now=datetime.now(UTC))
        has_model = bool(newest(client))
    if workers and settings.stream_micro_batches == "auto":
        return f"{workers[0].worker_id} scores the stream; STREAM_MICRO_BATCHES=always would score beside it"
    if not has_model and settings.stream_untrained == "hold":
        return "no ensemble is trained, messages wait: run train_models, or POST …/anomalies/train"
    return ""


def score_waiting() -> dict[str, int]:
    """Score what waits in the input topic, as a member of the workers' group.

    Returns:
        `messages` taken, `results`, `anomalies` and `dead_letters` published, and `lag`: messages that still wait.

    Raises:
        StreamError: the broker does not answer; a worker would wait for it without a word.
        WarehouseError: ClickHouse failed.
    """
    from confluent_kafka import KafkaException

    from powersense.streaming.client import ensure_topics
    from powersense.streaming.worker import drain

    settings = get_settings()
    try:
        ensure_topics(settings)
    except KafkaException as error:
        servers = settings.kafka_bootstrap_servers
        raise StreamError(f"the broker at KAFKA_BOOTSTRAP_SERVERS={servers!r} does not answer: {error}") from error
    return drain(settings.stream_micro_batch_seconds)


def land_waiting() -> dict[str, int]:
    """Write the results and dead letters that wait to ClickHouse; returns the counts."""
    from powersense.streaming.landing import Landing

    return Landing(get_settings()).drain(_LANDING_SECONDS)
