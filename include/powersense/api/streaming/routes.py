"""Streaming detection: how it goes, and training from rows that a caller sends."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Json

from powersense.api.auth import Access, Caller
from powersense.api.beside import run_beside
from powersense.api.problems import ProblemError, answers
from powersense.api.streaming.training_request import SCHEMA, read_training_request
from powersense.streaming.presence import NOT_SET_UP, is_alive, is_set_up
from powersense.streaming.training import Rows, Trained, train_rows

if TYPE_CHECKING:
    from powersense.warehouse.stream.rows import Beat

StreamingState = Literal["not set up", "untrained", "no worker", "running"]

# A training of the largest request takes some minutes on two cores.
_TRAINING_SECONDS = 900.0
_REFUSALS = (
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_LAST_DAY = timedelta(days=1)


class EnsembleStatus(BaseModel):
    """What serves one scope; the pooled one's is empty."""

    scope: str
    model_id: str
    model_names: list[str]
    feature_names: list[str]
    trained_at: datetime
    data_from: datetime | None
    data_until: datetime | None
    rows_trained: int
    metrics: Json[dict[str, Any]]
    source: str
    run_id: str


class WorkerStatus(BaseModel):
    """The newest heartbeat of a worker of the last day; counts are since it started."""

    worker_id: str
    beat_at: datetime
    is_alive: bool
    state: str
    model_id: str
    messages: int
    anomalies: int
    dead_letters: int
    batch_p50_ms: float
    batch_p99_ms: float
    lag: int
    partitions: int
    version: str


class Landed(BaseModel):
    """What landed in ClickHouse."""

    messages: int
    anomalies: int
    dead_letters: int
    last_scored_at: datetime | None
    last_failed_at: datetime | None


class Status(BaseModel):
    """The state of streaming detection; `lag` is that of the living workers."""

    streaming: StreamingState
    detail: str
    models: list[EnsembleStatus]
    workers: list[WorkerStatus]
    lag: int | None
    last_day: Landed


def streaming_routes(access: Access) -> APIRouter:
    """Return the routes below `/anomalies`; who may read them is for the app to say."""
    routes = APIRouter(prefix="/anomalies", tags=["streaming"])
    # One at a time: a training takes all cores.
    training = asyncio.Lock()

    @routes.get("/status")
    def status() -> Status:
        """Tell which ensembles serve, which workers live, how far they lag, and what landed."""
        return read_status(now=datetime.now(UTC))

    @routes.post(
        "/train",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(access.write)],
        responses=answers(*_REFUSALS),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}},
    )
    async def train(rows: Rows = Depends(read_training_request), caller: Caller = Depends(access.write)) -> Trained:
        """Train an ensemble on the rows that are sent, store it, and let it serve its scope from now on."""
        if training.locked():
            detail = "Another training runs; try again when it is done."
            raise ProblemError(HTTPStatus.CONFLICT, detail, headers={"Retry-After": "30"})
        async with training:
            return await _train_beside(rows, caller)

    return routes


def read_status(*, now: datetime) -> Status:
    """Return the state of streaming detection.

    Args:
        now: the wall clock, UTC; by it heartbeats are old.

    Raises:
        WarehouseError: ClickHouse does not answer, or lacks the tables.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.stream.models import serving
    from powersense.warehouse.stream.rows import counts, workers

    with connect("reader") as client:
        models = [EnsembleStatus(**asdict(ensemble)) for ensemble in serving(client)]
        beats = workers(client, since=now - _LAST_DAY)
        landed = Landed(**asdict(counts(client, since=now - _LAST_DAY)))
    alive = [beat for beat in beats if is_alive(beat, now=now)]
    state, detail = _state(has_models=bool(models), alive=alive)
    return Status(
        streaming=state,
        detail=detail,
        models=models,
        workers=[WorkerStatus(**asdict(beat), is_alive=beat in alive) for beat in beats],
        lag=sum(beat.lag for beat in alive) if alive else None,
        last_day=landed,
    )


def _state(*, has_models: bool, alive: list[Beat]) -> tuple[StreamingState, str]:
    if not is_set_up():
        return "not set up", f"{NOT_SET_UP}. Training works without."
    if not has_models:
        return "untrained", "No ensemble is trained: run the DAG train_models, or POST /anomalies/train."
    if not alive:
        return "no worker", "No worker lives: start `python -m powersense.streaming`, or leave it to score_features."
    return "running", f"{len(alive)} workers live."


async def _train_beside(rows: Rows, caller: Caller) -> Trained:
    """Train in a process of its own.

    Raises:
        ProblemError: it took too long, or too much memory.
    """
    run_id, now = f"api:{caller.name}", datetime.now(UTC)
    try:
        return await run_beside(train_rows, rows, run_id, now, timeout_seconds=_TRAINING_SECONDS)
    except (TimeoutError, ChildProcessError) as error:
        detail = f"Training was ended ({error}): send fewer rows, features or models."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from error
