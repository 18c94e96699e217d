"""Measurements that callers push: their own series, versioned like every write, each request once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from powersense.api.auth import Access, Caller
from powersense.api.json_body import read_json_body
from powersense.api.limits import Gate
from powersense.api.model_body import body_of, checked, invalid, parsed_object
from powersense.api.problems import ProblemError, answers
from powersense.contracts import QuarantineReason
from powersense.ingest.pushing import KeyTakenError, Pushed, PushRequest, push
from powersense.settings import get_settings

# A record takes some 120 bytes; what is longer says more than a measurement.
_BYTES_PER_ROW = 512
_SOURCE = r"^[A-Za-z0-9][A-Za-z0-9_.@+\-]{0,99}$"
# Pushes that run at a time: each takes some ten statements.
_AT_A_TIME = 4
_REFUSALS = (
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="names this request; sent again with it, the request is not done again",
    ),
]


class PushedRecord(BaseModel):
    """One measurement; null where it was withdrawn."""

    model_config = ConfigDict(extra="forbid")

    area: str
    metric: str = Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")
    observed_at: str = Field(description="whole seconds with a zone, such as 2018-01-01T00:00:00Z")
    value: float | None
    vintage: Literal["realtime", "consolidated", "definitive"] = "realtime"


class _Envelope(BaseModel):
    """What is refused as a whole; single records are set aside instead."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str | None = Field(None, pattern=_SOURCE, description="who answers for the values; default: the caller")
    measurements: list[Any] = Field(min_length=1)


class PushBody(_Envelope):
    """What `POST /measurements` takes."""

    measurements: list[PushedRecord] = Field(min_length=1)


class PushProblem(BaseModel):
    """Why a record was set aside."""

    field: str
    value: Any
    remedy: str
    reason: QuarantineReason


class PushAnswer(BaseModel):
    """What became of a request; `problems` are the first hundred."""

    batch_id: str
    received: int
    new_versions: int
    unchanged: int
    quarantined: int
    problems: list[PushProblem]


def push_routes(access: Access) -> APIRouter:
    """Return the route; who may read is for the app to say."""
    routes = APIRouter(tags=["push"])
    gate = Gate("pushes", lambda: _AT_A_TIME)

    @routes.post(
        "/measurements",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(access.push)],
        responses={200: {"model": PushAnswer, "description": "Answered before, with this"}, **answers(*_REFUSALS)},
        openapi_extra=body_of(PushBody),
    )
    async def push_measurements(
        request: Request, response: Response, key: Key, caller: Caller = Depends(access.push)
    ) -> PushAnswer:
        """Store measurements of the caller's own series; records that break the contract are set aside by name."""
        body = await read_json_body(request, limit=_limit(), remedy="(API_PUSH_MAX_ROWS). Send it in pieces.")
        async with gate.passed():
            pushed, was_answered = await to_thread.run_sync(_push, body, caller, key)
        if was_answered:
            response.status_code = HTTPStatus.OK
        return PushAnswer.model_validate(asdict(pushed))

    return routes


def _limit() -> int:
    return get_settings().api_push_max_rows * _BYTES_PER_ROW


def _push(body: bytes, caller: Caller, key: str) -> tuple[Pushed, bool]:
    """Check a body and store it.

    Raises:
        ProblemError: 409, the key stands for another body; 413, too many rows; 422, the body is not as described.
        WarehouseError: see `push`.
    """
    from powersense.warehouse.client import connect

    source, records = read_push(body, caller=caller)
    request = PushRequest(
        caller=caller.name, key=key, source=source, records=records, body_sha256=hashlib.sha256(body).hexdigest()
    )
    try:
        with connect("writer") as client:
            return push(client, request)
    except KeyTakenError as error:
        raise ProblemError(HTTPStatus.CONFLICT, f"{error}.") from error


def read_push(body: bytes, *, caller: Caller) -> tuple[str, list[Any]]:
    """Return the source and the records of a body.

    Raises:
        ProblemError: 413, too many records; 422, the body is no such object, or has no source and the caller's name is
            none.
    """
    envelope = checked(_Envelope, parsed_object(body))
    limit = get_settings().api_push_max_rows
    if len(envelope.measurements) > limit:
        detail = (
            f"measurements has {len(envelope.measurements)} records; at most {limit} are taken (API_PUSH_MAX_ROWS). "
            "Send them in pieces, each with a key of its own."
        )
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    for index, record in enumerate(envelope.measurements):
        if not _can_be_kept(record):
            raise invalid([{"field": f"measurements[{index}]", "value": None, "remedy": "it nests too deeply"}])
    source = envelope.source or checked(_Envelope, {"source": caller.name, "measurements": [0]}).source
    return str(source), envelope.measurements


def _can_be_kept(record: Any) -> bool:
    """Tell whether a record can be written into the quarantine, which a flat one always can."""
    parts = record.values() if isinstance(record, dict) else record if isinstance(record, list) else ()
    if not any(isinstance(part, dict | list) for part in parts):
        return True
    try:
        json.dumps(record)
    except RecursionError:
        return False
    return True
