"""Answers of the Data API as bytes of the format asked for: the server makes them, and nobody holds a whole one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from powersense.errors import WarehouseError
from powersense.settings import get_settings
from powersense.warehouse.reader_pool import ReaderPool
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# More rows than any range holds: a stream has no other end than its range.
WITHOUT_LIMIT = 10**15

_CHUNK_BYTES = 524_288
# The server ends an answer that broke off with its message, of 16 KiB at most: so much is looked at before it is sent.
_HELD_BYTES = 32_768
_MISSING = {"UNKNOWN_TABLE", "UNKNOWN_DATABASE"}
_TOO_LONG = {"TIMEOUT_EXCEEDED", "TOO_SLOW"}
_TOO_LARGE = {"MEMORY_LIMIT_EXCEEDED"}
_SETTINGS: dict[str, Any] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "format_csv_null_representation": "",
    "output_format_arrow_string_as_string": 1,
    "output_format_parquet_string_as_string": 1,
    "cancel_http_readonly_queries_on_client_close": 1,
    "max_threads": 2,
    "max_memory_usage": 2_000_000_000,
    "max_bytes_before_external_sort": 300_000_000,
    "max_bytes_before_external_group_by": 300_000_000,
}
# A day of an area costs planning rather than reading: the server finds its granules by the key either way.
_SHORT_SETTINGS: dict[str, Any] = {
    "max_threads": 1,
    "query_plan_enable_optimizations": 0,
    "optimize_move_to_prewhere": 0,
    "query_plan_optimize_prewhere": 0,
    "output_format_parallel_formatting": 0,
}


class NotBuiltError(WarehouseError):
    """A mart is asked for that dbt has not built yet."""


class TooMuchError(WarehouseError):
    """A question takes longer, or more memory, than one may."""


@dataclass(frozen=True)
class Question:
    """One statement and its parameters.

    Attributes:
        name: of the file of the statement.
        key: the columns of the answer by which it is ordered, and from which the next page goes on.
        parameters: all but `after` and `limit`.
        is_short: it reads a few thousand rows of a range of the primary key, so that planning is what it costs.
    """

    name: str
    key: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_short: bool = False


def page(pool: ReaderPool, question: Question, *, after: tuple[str, ...], limit: int) -> list[bytes]:
    """Return the rows of a page, and one more where there is a next one, each a JSON object.

    Args:
        pool: clients of the reader.
        question: what is asked.
        after: the key of the last row of the page before; empty for the first.
        limit: rows of the page.

    Raises:
        NotBuiltError: dbt has not built the mart.
        TooMuchError: it takes longer than API_QUERY_SECONDS, or too much memory.
        WarehouseError: see `connect`.
    """
    settings = _SETTINGS | {"max_execution_time": get_settings().api_query_seconds}
    if question.is_short:
        settings |= _SHORT_SETTINGS
    with _asked(pool) as client:
        body: bytes = client.raw_query(
            statement(question.name, is_first_page=not after),
            parameters=dict(question.parameters) | {"after": list(after), "limit": limit + 1},
            settings=settings,
            fmt="JSONEachRow",
        )
    return body.splitlines()


def first_rows(pool: ReaderPool, question: Question, *, limit: int) -> list[dict[str, Any]]:
    """Return the first rows of an answer, at most `limit`.

    Raises:
        NotBuiltError, TooMuchError, WarehouseError: see `page`.
    """
    import orjson

    return [orjson.loads(row) for row in page(pool, question, after=(), limit=limit)[:limit]]


@dataclass
class Download:
    """A running answer; whoever opened it closes it.

    Attributes:
        chunks: its bytes; ends with `WarehouseError` where the server broke off.
    """

    chunks: Iterator[bytes]
    exits: ExitStack

    def close(self) -> None:
        """Let the server stop, and the client go."""
        self.exits.close()


def download(pool: ReaderPool, question: Question, *, fmt: str) -> Download:
    """Start an answer of all rows; it begins only when the server has found the first.

    Args:
        pool: clients of the reader.
        question: what is asked.
        fmt: ClickHouse's name of the format.

    Raises:
        NotBuiltError: see `page`.
        TooMuchError: it takes longer than API_STREAM_SECONDS, or too much memory.
        WarehouseError: see `connect`.
    """
    settings = _SETTINGS | {"max_execution_time": get_settings().api_stream_seconds}
    with ExitStack() as exits:
        client = exits.enter_context(_asked(pool))
        source: Any = client.raw_stream(
            statement(question.name, is_first_page=True),
            parameters=dict(question.parameters) | {"after": [], "limit": WITHOUT_LIMIT},
            settings=settings,
            fmt=fmt,
        )
        exits.callback(source.close)
        chunks = _checked(source)
        first = next(chunks, b"")
        return Download(_with_first(first, chunks), exits.pop_all())


def stored_metrics(pool: ReaderPool) -> list[str]:
    """Return the metrics that any measurement has, by name."""
    with pool.lease() as client:
        return [str(metric) for (metric,) in client.query(statement("stored_metrics")).result_rows]


def _with_first(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _checked(source: Any) -> Iterator[bytes]:
    """Yield a response's bytes, and raise the server's error where they end with one.

    Raises:
        WarehouseError: the server broke off.
    """
    from urllib3.exceptions import HTTPError

    tag = source.headers.get("x-clickhouse-exception-tag", "")
    marker = b"__exception__\r\n" + tag.encode()
    held = b""
    try:
        while chunk := source.read(_CHUNK_BYTES, decode_content=True):
            held += chunk
            if len(held) > _HELD_BYTES:
                yield held[:-_HELD_BYTES]
                held = held[-_HELD_BYTES:]
    except HTTPError as error:
        raise WarehouseError(f"the answer broke off: {error}") from error
    if tag and marker in held:
        raise WarehouseError(f"the answer broke off: {held[held.rindex(marker) :][:500].decode(errors='replace')}")
    yield held


@contextmanager
def _asked(pool: ReaderPool) -> Iterator[Client]:
    from clickhouse_connect.driver.exceptions import DatabaseError

    with pool.lease() as client:
        try:
            yield client
        except DatabaseError as error:
            if error.name in _MISSING:
                raise NotBuiltError(f"not built yet: {error}") from error
            if error.name in _TOO_LONG | _TOO_LARGE:
                raise TooMuchError(f"the question asks too much: {error}") from error
            raise
