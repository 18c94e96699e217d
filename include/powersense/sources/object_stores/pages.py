"""Listings as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from powersense.files.stored_file import StoredFile

PAGE_ROWS = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LISTING = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("size", pa.uint64(), nullable=False),
        pa.field("modified_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
    ]
)


def page_of(files: Sequence[StoredFile]) -> pa.Table:
    """Return files as one page of a listing."""
    microseconds = [(file.modified_at - _EPOCH) // timedelta(microseconds=1) for file in files]
    page = page_of_columns([file.path for file in files], [file.size for file in files], microseconds)
    return page.set_column(3, LISTING.field("etag"), pa.array([file.etag for file in files], pa.string()))


def page_of_columns(paths: Sequence[str], sizes: Sequence[int], modified_at: Sequence[int]) -> pa.Table:
    """Return files without etags as one page of a listing.

    Args:
        paths: below the store's root.
        sizes: bytes.
        modified_at: microseconds since 1970, UTC.
    """
    return pa.Table.from_arrays(
        [
            pa.array(paths, pa.string()),
            pa.array(sizes, pa.uint64()),
            pa.array(modified_at, pa.int64()).cast(pa.timestamp("us", "UTC")),
            pa.array([""] * len(paths), pa.string()),
        ],
        schema=LISTING,
    )
