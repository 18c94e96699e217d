"""Whether streaming is set up here, and whether a worker lives; what the API tells and the DAGs decide by."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense.settings import get_settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.warehouse.stream.rows import Beat

# The worker_id of the DAG that scores in micro-batches: it leaves the group with its heartbeat, so it is no worker.
MICRO_BATCHES = "score_features"
NOT_SET_UP = "streaming is not set up: KAFKA_BOOTSTRAP_SERVERS is empty, name the broker there"
# Workers beat every few seconds; one that was killed is taken for gone after this long.
_GONE_AFTER = timedelta(seconds=60)
_STOPPED = "stopped"


def is_set_up() -> bool:
    """Tell whether a broker is configured."""
    return bool(get_settings().kafka_bootstrap_servers)


def is_alive(beat: Beat, *, now: datetime) -> bool:
    """Tell whether a worker still runs, by its newest heartbeat; `now` is the wall clock, UTC.

    A run of `score_features` has ended when it beats, and its next one must not take it for a worker.
    """
    return beat.worker_id != MICRO_BATCHES and beat.state != _STOPPED and now - beat.beat_at <= _GONE_AFTER


def live_workers(client: Client, *, now: datetime) -> list[Beat]:
    """Return the newest heartbeats of the workers that run; `now` is the wall clock, UTC."""
    from powersense.warehouse.stream.rows import workers

    return [beat for beat in workers(client, since=now - _GONE_AFTER) if is_alive(beat, now=now)]
