"""The load of the areas goes to the stream: a message of features per half-hour, and another when it is revised."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from powersense.contracts import AREAS
from powersense.errors import StreamError
from powersense.settings import Settings, get_settings
from powersense.streaming.area_features import SENSOR, UNIT, AreaFeatures, read_features
from powersense.warehouse.client import connect
from powersense.warehouse.stream.published import Published, published, record

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 60.0
# Without the usual load of its time there is nothing to tell a half-hour's load by.
_REQUIRED = "load_mw_ratio"


class _Message(NamedTuple):
    state: Published
    value: bytes


def publish_due(now: datetime, run_id: str) -> dict[str, int]:
    """Publish the half-hours before `now` that are new or were revised since they were published.

    A message says the same however often it is published: a run that died before it could record what it sent sends
    that again, under the same header `message-key`.

    Args:
        now: UTC; half-hours that ended by then count, back to `STREAM_PUBLISH_HOURS` before.
        run_id: of the Airflow run; stands in the messages' metadata.

    Returns:
        `messages` published, of how many `areas`; `without_baseline`: half-hours that wait for weeks of load to be
        compared with.

    Raises:
        StreamError: the broker did not take them.
        WarehouseError: ClickHouse failed.
    """
    from powersense.forecasting.inputs import half_hour_of

    settings = get_settings()
    end = half_hour_of(now)
    start = end - timedelta(hours=settings.stream_publish_hours)
    with connect("writer") as client:
        messages, waiting = _due(client, start=start, end=end, run_id=run_id)
        if messages:
            _send(messages, settings)
            record(client, [message.state for message in messages], run_id=run_id)
    counts = {
        "messages": len(messages),
        "areas": len({message.state.area for message in messages}),
        "without_baseline": waiting,
    }
    logger.info("published %s", counts)
    return counts


def _due(client: Client, *, start: datetime, end: datetime, run_id: str) -> tuple[list[_Message], int]:
    """Return the messages to publish, each area's in order of time, and how many half-hours have no baseline yet."""
    areas = [area.name for area in AREAS]
    done = published(client, areas=areas, start=start, end=end)
    messages, waiting = [], 0
    for found in read_features(client, areas, start=start, end=end):
        for state, load_mw, features in _states(found):
            if state in done:
                continue
            if _REQUIRED not in features:
                waiting += 1
                continue
            messages.append(_Message(state, _encode(state, load_mw=load_mw, features=features, run_id=run_id)))
    return messages, waiting


def _states(found: AreaFeatures) -> Iterator[tuple[Published, float, dict[str, float]]]:
    """Yield each half-hour with a load: its state, its load in MW, and those of its features that can be told."""
    known = found.load[found.load["value"].notna()]
    features = found.features.loc[known.index]
    for row, values in zip(
        known.reset_index(names="half_hour").to_dict("records"), features.to_dict("records"), strict=True
    ):
        state = Published(found.area, row["half_hour"].to_pydatetime(), str(row["vintage"]), int(row["versions"]))
        # A feature that cannot be told is NaN, which equals nothing.
        yield state, float(row["value"]), {str(name): value for name, value in values.items() if value == value}  # noqa: PLR0124


def _encode(state: Published, *, load_mw: float, features: Mapping[str, float], run_id: str) -> bytes:
    import orjson

    metadata = {
        "unit": UNIT,
        "load_mw": load_mw,
        "vintage": state.vintage,
        "version": state.versions,
        "run_id": run_id,
    }
    content: dict[str, Any] = {
        "asset_id": state.area,
        "sensor_id": SENSOR,
        "features": features,
        "timestamp": state.observed_at,
        "metadata": metadata,
    }
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def _send(messages: list[_Message], settings: Settings) -> None:
    """Send the messages, keyed by area, and wait until the broker has all.

    Raises:
        StreamError: it has not.
    """
    from confluent_kafka import KafkaException, Producer

    from powersense.streaming.client import ensure_topics, producer_properties

    topic = settings.kafka_topic_input_features
    failures: list[str] = []
    try:
        ensure_topics(settings)
        producer = Producer(producer_properties(settings), logger=logger)
        for message in messages:
            state = message.state
            key = f"{state.area}/{state.observed_at:%Y%m%dT%H%M}/{state.vintage}/{state.versions}"
            producer.produce(
                topic,
                key=state.area,
                value=message.value,
                headers={"message-key": key},
                on_delivery=lambda error, _: failures.append(str(error)),
            )
        undelivered = producer.flush(_FLUSH_SECONDS)
    except (KafkaException, BufferError) as error:
        raise _refused(settings, f"{error}") from error
    if failures or undelivered:
        raise _refused(
            settings, failures[0] if failures else f"{undelivered} of {len(messages)} messages are not taken"
        )


def _refused(settings: Settings, why: str) -> StreamError:
    servers = settings.kafka_bootstrap_servers
    return StreamError(f"topic {settings.kafka_topic_input_features} at KAFKA_BOOTSTRAP_SERVERS={servers!r}: {why}")
