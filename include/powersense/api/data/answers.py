"""One way to answer every question about data: a page of JSON, or the whole range streamed as CSV, Parquet or Arrow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from anyio import to_thread
from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from powersense.api.data.cursors import decode_cursor, encode_cursor
from powersense.api.data.parameters import among, refused
from powersense.api.limits import Gate
from powersense.api.problems import ProblemError, answers
from powersense.contracts import LOAD_METRIC
from powersense.settings import get_settings
from powersense.warehouse.data_reads import (
    Download,
    NotBuiltError,
    Question,
    TooMuchError,
    download,
    page,
    stored_metrics,
)
from powersense.warehouse.reader_pool import ReaderPool

Row = TypeVar("Row", bound=BaseModel)

JSON = "application/json"
DEFAULT_ROWS = 1_000


@dataclass(frozen=True)
class Format:
    """A format of streamed answers: ClickHouse's name, and the ending of files of it."""

    name: str
    suffix: str


FORMATS = {
    "text/csv": Format("CSVWithNames", "csv"),
    "application/vnd.apache.parquet": Format("Parquet", "parquet"),
    "application/vnd.apache.arrow.stream": Format("ArrowStream", "arrows"),
}


class Page(BaseModel, Generic[Row]):
    """A page of rows, and the `after` of the next page: null on the last."""

    items: list[Row]
    next: str | None


def data_answers(row: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return how a route's documentation describes its answers: rows in four formats, and its problems."""
    content: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS}
    ok: dict[str, Any] = {"model": Page[row], "description": "A page of JSON, or all rows", "content": content}  # type: ignore[valid-type] # made at run time
    return {200: ok, **answers(HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.UNPROCESSABLE_ENTITY)}


class DataAnswers:
    """What the routes of one app share: clients of the reader, and how many questions run at a time.

    Pages and streams pass different gates, so that slow takers of streams never keep pages waiting.
    """

    def __init__(self) -> None:
        self.pool = ReaderPool()
        self._pages = Gate("questions", lambda: get_settings().api_concurrent_queries)
        self._streams = Gate("streamed answers", lambda: get_settings().api_concurrent_streams)
        self._metrics: list[str] = []

    async def answer(
        self,
        request: Request,
        question: Question,
        *,
        after: str = "",
        limit: int | None = None,
        default_rows: int = DEFAULT_ROWS,
    ) -> Response:
        """Answer in the format that `Accept` asks for.

        Args:
            request: with its `Accept`.
            question: what is asked.
            after: JSON: the cursor of the page before.
            limit: JSON: rows of a page.
            default_rows: JSON: the same, where the caller does not say.

        Raises:
            ProblemError: 406, no such format; 422, a cursor that no answer gave, or a page of a format without pages;
                503, dbt has not built the mart, the question takes too long, or the server is busy.
            WarehouseError: see `connect`.
        """
        kind = media_type(request.headers.get("accept", ""))
        if kind == JSON:
            return await self._page(question, after=after, limit=limit or default_rows)
        if after or limit is not None:
            field, value = ("after", after) if after else ("limit", str(limit))
            raise refused(field, value, f"pages are for JSON; {kind} has all rows in one answer, leave it out")
        return await self._stream(question, kind)

    async def known_metrics(self, given: Sequence[str] | None) -> list[str]:
        """Return metrics that are stored, each once; load alone where none is given.

        Raises:
            ProblemError: 422, one was never stored; lists those that were.
        """
        wanted = list(dict.fromkeys(given or [LOAD_METRIC]))
        if not set(wanted) <= {LOAD_METRIC, *self._metrics}:
            async with self._pages.passed():
                self._metrics = await to_thread.run_sync(stored_metrics, self.pool)
            among("metrics", wanted, list(dict.fromkeys([LOAD_METRIC, *self._metrics])), where=" stored")
        return wanted

    async def _page(self, question: Question, *, after: str, limit: int) -> Response:
        import orjson

        behind = decode_cursor(after, length=len(question.key)) if after else ()
        async with self._pages.passed():
            with _told():
                rows = await to_thread.run_sync(lambda: page(self.pool, question, after=behind, limit=limit))
        following = None
        if len(rows) > limit:
            rows = rows[:limit]
            last = orjson.loads(rows[-1])
            following = encode_cursor(*(str(last[column]) for column in question.key))
        tail = orjson.dumps(following)
        return Response(b'{"items":[' + b",".join(rows) + b'],"next":' + tail + b"}", media_type=JSON)

    async def _stream(self, question: Question, kind: str) -> Response:
        chosen = FORMATS[kind]
        await self._streams.enter()
        try:
            with _told():
                running = await to_thread.run_sync(lambda: download(self.pool, question, fmt=chosen.name))
        except BaseException:
            self._streams.leave()
            raise
        name = question.name.removeprefix("api_")
        headers = {"Content-Disposition": f'attachment; filename="{name}.{chosen.suffix}"'}
        return DownloadResponse(running, gate=self._streams, media_type=kind, headers=headers)


class DownloadResponse(Response):
    """A running answer on its way to a caller; one who takes nothing for API_STALLED_SECONDS is cut off.

    Args:
        running: the answer; is closed at the end, however that comes.
        gate: is left then.
        media_type: its content type.
        headers: of the response.
    """

    def __init__(self, running: Download, *, gate: Gate, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(media_type=media_type, headers=dict(headers))
        # How long it becomes is not known.
        del self.headers["content-length"]
        self._running, self._gate = running, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, unless the caller goes away."""
        gone = asyncio.ensure_future(_gone(receive))
        patience = get_settings().api_stalled_seconds
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            while not gone.done():
                chunk = await to_thread.run_sync(next, self._running.chunks, None)
                if chunk is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                message = {"type": "http.response.body", "body": chunk, "more_body": True}
                await asyncio.wait_for(send(message), patience)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            self._running.close()
            self._gate.leave()


def media_type(accept: str) -> str:
    """Return the format that an `Accept` header prefers among ours; JSON where it leaves the choice to us.

    >>> media_type("text/html, application/xml;q=0.9, */*;q=0.8")
    'application/json'
    >>> media_type("application/json;q=0.5, text/csv")
    'text/csv'

    Raises:
        ProblemError: 406, it wants none of ours.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in accept.split(","))):
        kind, *options = (piece.strip().lower() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            weights[kind] = float(weight)
        except ValueError:
            weights[kind] = 0.0
    best, best_weight = JSON, 0.0 if weights else 1.0
    for kind in (JSON, *FORMATS):
        weight_of = weights.get(kind, weights.get(f"{kind.partition('/')[0]}/*", weights.get("*/*", 0.0)))
        if weight_of > best_weight:
            best, best_weight = kind, weight_of
    if not best_weight:
        known = ", ".join((JSON, *FORMATS))
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, f"Accept is {accept[:200]!r}; there are {known}.")
    return best


@contextmanager
def _told() -> Iterator[None]:
    """Turn what a question can fail for into problems that tell what to do."""
    try:
        yield
    except NotBuiltError as error:
        detail = "Not built yet: dbt makes what is asked for. Run the DAG transform_warehouse, then ask again."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "300"}) from error
    except TooMuchError as error:
        detail = "The question takes longer, or more memory, than one may: ask for fewer series or a shorter range."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "60"}) from error


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
