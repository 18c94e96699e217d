"""The tables of the stream: results and dead letters by the position of their input, and the workers' heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client


class WorkerState(StrEnum):
    """What a worker of the stream does."""

    WAITING_FOR_MODEL = "waiting_for_model"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One scored message.

    Attributes:
        topic: with `partition` and `offset` the position of the input: the key, by which a repeat replaces its row.
        observed_at: the message's instant, UTC.
        final_score: calibrated, 0 to 1.
        criticality: `low`, `medium`, `high` or `critical`.
        model_names: with `scores`, `thresholds` and `flags` (is it an anomaly) one entry per model that could say.
        metadata: JSON text.
        scored_at: when the result was published, UTC.
    """

    topic: str
    partition: int
    offset: int
    asset_id: str
    sensor_id: str
    observed_at: datetime
    final_score: float
    is_anomaly: bool
    criticality: str
    model_id: str
    model_names: Sequence[str]
    scores: Sequence[float]
    thresholds: Sequence[float]
    flags: Sequence[bool]
    features: Mapping[str, float]
    metadata: str
    notes: Sequence[str]
    scored_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that could not be scored: its position, why, its bytes as they were, and when that was, UTC."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    original: bytes
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker says of itself every few seconds.

    Attributes:
        worker_id: one process of one start; its counts begin at 0.
        beat_at: UTC.
        model_id: the pooled ensemble in use; empty while there is none.
        messages: scored since the start; `anomalies` among them, `dead_letters` beside them.
        batch_p50_ms: from the first message taken to the batch's acknowledgement, over the last batches.
        lag: messages of its partitions that wait.
        partitions: how many it holds.
        version: of the package.
    """

    worker_id: str
    beat_at: datetime
    state: WorkerState
    model_id: str = ""
    messages: int = 0
    anomalies: int = 0
    dead_letters: int = 0
    batch_p50_ms: float = 0.0
    batch_p99_ms: float = 0.0
    lag: int = 0
    partitions: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What became of the stream since an instant; the last instants are None where nothing came."""

    messages: int
    anomalies: int
    dead_letters: int
    last_scored_at: datetime | None
    last_failed_at: datetime | None


def insert_results(client: Client, results: Sequence[StreamResult]) -> int:
    """Insert scored messages in one block; those that are there already are replaced. Return how many were given."""
    return _insert(client, "stream_results", results, StreamResult)


def insert_dead_letters(client: Client, letters: Sequence[DeadLetter]) -> int:
    """Insert dead letters in one block; those that are there already are replaced. Return how many were given."""
    return _insert(client, "stream_dead_letters", letters, DeadLetter)


def beat(client: Client, heartbeat: Beat) -> None:
    """Store one heartbeat."""
    row = asdict(heartbeat)
    client.insert("stream_workers", [list(row.values())], column_names=list(row))


def workers(client: Client, *, since: datetime) -> list[Beat]:
    """Return the newest heartbeat of each worker that beat after `since` (UTC), the latest first."""
    found = client.query(statement("stream_workers_newest"), parameters={"since": since}).named_results()
    return [Beat(**{**row, "beat_at": utc(row["beat_at"]), "state": WorkerState(row["state"])}) for row in found]


def counts(client: Client, *, since: datetime) -> StreamCounts:
    """Return how many messages were scored and failed after `since` (UTC), and when the last was."""
    [row] = client.query(statement("stream_counts"), parameters={"since": since}).named_results()
    instants = {name: row[name] and utc(row[name]) for name in ("last_scored_at", "last_failed_at")}
    return StreamCounts(**{**row, **instants})


def _insert(client: Client, table: str, rows: Sequence[Any], kind: type[StreamResult | DeadLetter]) -> int:
    import pyarrow as pa

    if not rows:
        return 0
    types = _arrow_types()
    columns = {
        field.name: pa.array([_plain(getattr(row, field.name)) for row in rows], type=types[field.name])
        for field in fields(kind)
    }
    client.insert_arrow(table, pa.table(columns))
    return len(rows)


def _plain(value: Any) -> Any:
    # Arrow reads a map from its pairs.
    return list(value.items()) if isinstance(value, Mapping) else value


def _arrow_types() -> dict[str, pa.DataType]:
    """Return the Arrow type of each column; texts that repeat are sent as dictionaries."""
    import pyarrow as pa

    instant, number = pa.timestamp("ms", tz="UTC"), pa.float32()
    repeated = pa.dictionary(pa.int32(), pa.string())
    return {
        "topic": repeated,
        "partition": pa.uint32(),
        "offset": pa.uint64(),
        "asset_id": repeated,
        "sensor_id": repeated,
        "observed_at": instant,
        "final_score": number,
        "is_anomaly": pa.bool_(),
        "criticality": repeated,
        "model_id": repeated,
        "model_names": pa.list_(pa.string()),
        "scores": pa.list_(number),
        "thresholds": pa.list_(number),
        "flags": pa.list_(pa.bool_()),
        "features": pa.map_(pa.string(), pa.float64()),
        "metadata": pa.string(),
        "notes": pa.list_(pa.string()),
        "scored_at": instant,
        "reason": repeated,
        "detail": pa.string(),
        "original": pa.binary(),
        "failed_at": instant,
    }
