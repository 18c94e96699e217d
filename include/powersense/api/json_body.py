"""A request's JSON body as bytes, read only once it is known who sends it, and never beyond a limit."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request

from powersense.api.problems import ProblemError


async def read_json_body(request: Request, *, limit: int, remedy: str) -> bytes:
    """Return the body, for routes that do not let FastAPI read it: FastAPI would do so before it asks who is calling.

    Another type than JSON is refused also because a foreign site's form could send it with a session's cookie.

    Args:
        request: the request.
        limit: bytes that are taken at most.
        remedy: what to do about a larger one; ends the sentence "The body is larger than … bytes".

    Raises:
        ProblemError: 413 for too many bytes, 415 for another type than JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {kind or 'missing'!r}; send application/json."
        )
    too_large = ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {limit} bytes {remedy}",
        headers={"Connection": "close"},
    )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)
