"""Heartbeats: what the worker says of itself in ClickHouse, from a thread of its own that no outage disturbs."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from powersense import __version__
from powersense.errors import PowerSenseError
from powersense.streaming.metrics import Metrics
from powersense.warehouse.stream.rows import Beat, WorkerState, beat

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0


def heartbeat(metrics: Metrics, *, worker_id: str, now: datetime) -> Beat:
    """Return what the worker's figures say at an instant, UTC."""
    return Beat(
        worker_id=worker_id,
        beat_at=now,
        state=WorkerState(metrics.state),
        model_id=metrics.model_id,
        messages=metrics.messages,
        anomalies=metrics.anomalies.total(),
        dead_letters=metrics.dead_letters.total(),
        batch_p50_ms=metrics.batch_milliseconds(0.5),
        batch_p99_ms=metrics.batch_milliseconds(0.99),
        lag=metrics.lag,
        partitions=metrics.partitions,
        version=__version__,
    )


def beat_until(stop: threading.Event, metrics: Metrics, *, worker_id: str) -> None:
    """Store heartbeats until told to stop, and a last one then; a warehouse that is away is said once."""
    was_stored = True
    while True:
        is_last = stop.wait(BEAT_SECONDS)
        was_stored = store(heartbeat(metrics, worker_id=worker_id, now=datetime.now(UTC)), was_stored)
        if is_last:
            return


def store(one: Beat, was_stored: bool = True) -> bool:
    """Store a heartbeat; return whether that went. It is said where the one before was stored and this one is not."""
    from powersense.warehouse.client import connect

    try:
        with connect("writer") as client:
            beat(client, one)
    except PowerSenseError as error:
        if was_stored:
            logger.warning("heartbeats are not stored: %s", error)
        return False
    return True
