"""Discovery: what a store holds now, listed page by page into `file_listings`; no file is read."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from powersense.sources.file_patterns import FilePattern, pattern_of
from powersense.warehouse.files import states as file_states

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.files.declaration import Ingestion
    from powersense.sources.object_stores.opening import FileStore

logger = logging.getLogger(__name__)

# Rows of one insert: enough that ClickHouse makes few parts, few enough that a page stays small.
_ROWS_PER_INSERT = 100_000
# Clocks of stores and producers run ahead a little.
_AHEAD = timedelta(hours=1)


def needs_full_listing(ingestion: Ingestion, *, last_full: datetime | None, now: datetime) -> bool:
    """Tell whether a run has to list everything, not only the newest dated folders.

    Args:
        ingestion: the declaration.
        last_full: start of the newest run that did; None before the first.
        now: the run's beginning, UTC.
    """
    if not pattern_of(ingestion.uri).is_dated or not ingestion.partition_lookback_hours or last_full is None:
        return True
    return now - last_full >= timedelta(hours=ingestion.full_listing_every_hours)


def list_files(
    client: Client, store: FileStore, ingestion: Ingestion, *, is_full: bool, now: datetime
) -> tuple[str, int]:
    """List what the ingestion means into `file_listings`, in bounded memory.

    Args:
        client: a writer's client.
        store: of the ingestion.
        ingestion: the declaration.
        is_full: list everything; else only folders of the last `partition_lookback_hours`.
        now: the run's beginning, UTC.

    Returns:
        The listing's id and how many files it holds.

    Raises:
        StoreError: the store did not answer, or refused.
        WarehouseError: ClickHouse failed.
    """
    pattern = pattern_of(ingestion.uri)
    since = None if is_full else now - timedelta(hours=ingestion.partition_lookback_hours)
    listing_id = uuid.uuid4().hex
    listed = 0
    for table in _gathered(_matching(store, pattern, since=since, until=now + _AHEAD)):
        named = _named(table, ingestion=ingestion.name, listing_id=listing_id)
        file_states.insert_listing(client, named)
        listed += named.num_rows
    logger.info("%s: %d files in %s", ingestion.name, listed, store.base)
    return listing_id, listed


def _matching(store: FileStore, pattern: FilePattern, *, since: datetime | None, until: datetime) -> Iterator[pa.Table]:
    """Yield what is listed and matches the pattern."""
    for prefix in pattern.prefixes(since, until):
        for page in store.list_pages(prefix):
            yield page.filter(pc.match_substring_regex(page["path"], pattern.regex))


def _gathered(pages: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield pages put together, so that each is worth an insert."""
    waiting: list[pa.Table] = []
    rows = 0
    for page in pages:
        waiting.append(page)
        rows += page.num_rows
        if rows >= _ROWS_PER_INSERT:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.concat_tables(waiting)


def _named(table: pa.Table, **constants: str) -> pa.Table:
    """Return the table with text columns that hold one value each, at the cost of an index of zeros."""
    zeros = pa.repeat(pa.scalar(0, pa.int32()), table.num_rows)
    for name, text in constants.items():
        table = table.append_column(name, pa.DictionaryArray.from_arrays(zeros, pa.array([text])))
    return table
