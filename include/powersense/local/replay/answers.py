"""Answers that misbehave: over quota, broken, hanging, slow, cut short, or not what they claim to be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from powersense.local.replay.faults import Fault, FaultKind, Faults
from powersense.local.replay.refusals import MAX_WINDOW, interruption, window_too_deep

CALL_LIMIT = 50_000
_POLL_S = 0.05
_QUOTA_ERRORS = {
    10002: "Too many requests on the domain. Please contact the domain administrator.",
    10005: "You have exceeded the requests limit for anonymous users.",
}
MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>The portal is under maintenance</h1><p>Please come back later.</p></body></html>"
)


def quota_headers(*, used: int, limit: int = CALL_LIMIT, reset_time: str | None = None) -> dict[str, str]:
    """Return the portal's quota headers."""
    reset = reset_time or _next_midnight().strftime("%Y-%m-%d %H:%M:%S+00:00")
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(0, limit - used)),
        "X-RateLimit-Reset": reset,
    }


def _next_midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def rate_limited(options: dict[str, Any]) -> Response:
    """Return 429 with the portal's body, its quota headers and Retry-After."""
    limit, reset = int(options["call_limit"]), options["reset_time"]
    body = {
        "errorcode": options["errorcode"],
        "reset_time": reset or _next_midnight().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "limit_time_unit": "day",
        "call_limit": limit,
        "error": _QUOTA_ERRORS.get(options["errorcode"], "Too many requests."),
    }
    headers = quota_headers(used=limit, limit=limit, reset_time=reset)
    if options["retry_after"] is not None:
        headers["Retry-After"] = str(options["retry_after"])
    return JSONResponse(body, status_code=429, headers=headers)


async def early_answer(fault: Fault, faults: Faults, request: Request) -> Response | None:
    """Return the answer of a fault that needs no data, or None if the fault spoils a real body."""
    match fault.kind:
        case FaultKind.RATE_LIMIT:
            return rate_limited(fault.options)
        case FaultKind.SERVER_ERROR:
            body = {"error_code": "InternalError", "message": "An internal error occurred."}
            return JSONResponse(body, status_code=int(fault.options["status"]))
        case FaultKind.HTML:
            return HTMLResponse(MAINTENANCE_PAGE, status_code=int(fault.options["status"]))
        case FaultKind.TIMEOUT:
            await _hang(float(fault.options["seconds"]), faults, request)
            return HTMLResponse("<html><body>504 Gateway Time-out</body></html>", status_code=504)
        case _:
            return None


async def _hang(seconds: float, faults: Faults, request: Request) -> None:
    """Wait until the time is over, the client has gone, or the faults are cleared."""
    generation, end = faults.generation, time.monotonic() + seconds
    while time.monotonic() < end and faults.generation == generation and not await request.is_disconnected():
        await asyncio.sleep(_POLL_S)


class CutResponse(Response):
    """An answer whose connection closes before its body has ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body that there is and return without ending it: uvicorn then closes the connection."""
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})


def spoiled_answer(fault: Fault, faults: Faults, body: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Return a real body spoiled: slow, truncated, or malformed."""
    if fault.kind is FaultKind.SLOW_STREAM:
        chunk, delay = int(fault.options["chunk_bytes"]), float(fault.options["delay"])
        stream = _slowly(body, chunk, delay, faults)
        return StreamingResponse(stream, media_type=media_type, headers=headers)
    if fault.kind is FaultKind.MALFORMED_JSON:
        # A lost comma and a lost end, as a broken proxy leaves them.
        return Response(body[: len(body) // 2] + b'}{"', media_type=media_type, headers=headers)
    part = body[: int(len(body) * float(fault.options["at"]))]
    if fault.options["mode"] == "cut":
        return CutResponse(part, media_type=media_type, headers=headers)
    if fault.options["mode"] == "interrupted":
        part += interruption(window_too_deep(MAX_WINDOW + 1))
    return Response(part, media_type=media_type, headers=headers)


async def _slowly(body: bytes, chunk: int, delay: float, faults: Faults) -> AsyncIterator[bytes]:
    generation = faults.generation
    for start in range(0, len(body), chunk):
        yield body[start : start + chunk]
        if faults.generation == generation:
            await asyncio.sleep(delay)
