"""Errors as people and programs read them: RFC 9457 problem documents (`application/problem+json`).

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from powersense.errors import (
    ConfigurationError,
    DetectionError,
    PowerSenseError,
    WarehouseError,
    WarehouseUnavailableError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "value", "remedy"],
                "properties": {"field": {"type": "string"}, "value": {}, "remedy": {"type": "string"}},
            },
        },
    },
}
_RETRY_SECONDS = "10"


class FieldProblem(TypedDict):
    """What is wrong with one field of a request.

    Attributes:
        field: where, such as `data[3][1]`.
        value: what stands there.
        remedy: what to do.
    """

    field: str
    value: Any
    remedy: str


class ProblemError(Exception):
    """A request that is answered with a problem document.

    Args:
        status: the answer's status.
        detail: for people.
        fields: what is wrong with single fields.
        headers: of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.fields, self.headers = status, detail, fields, headers


def problem(
    status: int,
    detail: str,
    *,
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem document as an answer."""
    content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    if fields:
        content["errors"] = jsonable_encoder(list(fields))
    return JSONResponse(content, status_code=int(status), media_type=MEDIA_TYPE, headers=dict(headers or {}))


def answers(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return how a route's documentation describes its problems."""
    return {
        status.value: {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses
    }


def describe_problems(app: FastAPI) -> None:
    """Let every error of an app be answered with a problem document that tells nothing of our insides."""

    @app.exception_handler(ProblemError)
    async def told(_: Request, error: ProblemError) -> JSONResponse:
        return problem(error.status, error.detail, fields=error.fields, headers=error.headers)

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names those of the first route of an address; each of our routes has one method.
            headers["Allow"] = ", ".join(sorted(_methods_of(request)))
        return problem(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        fields: list[FieldProblem] = [
            {"field": ".".join(map(str, item["loc"])), "value": item.get("input"), "remedy": item["msg"]}
            for item in error.errors()
        ]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not as described in /docs.", fields=fields)

    @app.exception_handler(PowerSenseError)
    async def failed(_: Request, error: PowerSenseError) -> JSONResponse:
        return _answer(error)

    @app.exception_handler(Exception)
    async def broke(_: Request, error: Exception) -> JSONResponse:
        # Starlette logs it with its traceback once this has answered.
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its log says why.")


def _methods_of(request: Request) -> set[str]:
    """Return the methods of all routes at a request's address."""
    here = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in here for method in getattr(route, "methods", None) or ()}


def _answer(error: PowerSenseError) -> JSONResponse:
    """Answer one of our errors; addresses and statements of the warehouse stay in the log."""
    if isinstance(error, DetectionError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    logger.error("request failed: %s", error)
    if isinstance(error, WarehouseUnavailableError):
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The warehouse does not answer; try again in a while.",
            headers={"Retry-After": _RETRY_SECONDS},
        )
    if isinstance(error, WarehouseError):
        detail = "The warehouse refused the statement; are its migrations applied? The server's log says why."
    elif isinstance(error, ConfigurationError):
        detail = "This installation is not configured as it should be; the server's log says what to correct."
    else:
        detail = "The server failed; its log says why."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
