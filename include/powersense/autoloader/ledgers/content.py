"""The stored bytes of a file, kept at hand, and what they unpack to."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from powersense.errors import FileContentError, StoreError

if TYPE_CHECKING:
    from powersense.files.declaration import Ingestion
    from powersense.files.stored_file import StoredFile
    from powersense.sources.object_stores.opening import FileStore

# Formats that only a whole file tells (a closing sentence, a JSON array) are read up to here; a year of RTE's is 7 MB.
WHOLE_BYTES = 256 << 20
_SPOOL_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
_WORKBOOKS = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04")


def base_name(path: str) -> str:
    """Return a path's last part, the `source` of its rows."""
    return path.rsplit("/", 1)[-1]


def check_deadline(deadline: datetime, *, name: str) -> None:
    """Stop where the time of a batch is used up: the lease on its files ends with it.

    Raises:
        StoreError: names the file and the setting; the next attempt may be faster.
    """
    if datetime.now(UTC) >= deadline:
        raise StoreError(
            f"{name}: time-out, not loaded by its batch's deadline, {deadline:%Y-%m-%d %H:%M:%S} UTC; "
            "raise `timeout_minutes` of the ingestion, or lower its `batch_files`"
        )


@contextmanager
def kept(store: FileStore, file: StoredFile, ingestion: Ingestion, *, deadline: datetime) -> Iterator[BinaryIO]:
    """Give a file's stored bytes, seekable and proven to be one version of it from first to last byte.

    They are read once and kept in memory, beyond some MB on disk, since nothing of a file may reach a ledger before all
    of it is known to be sound, which takes a second reading.

    Raises:
        FileContentError: larger than the ingestion's limit, or a spreadsheet of Excel's.
        FileChangedError: replaced or deleted since it was listed.
        StoreError: the store does not give it, or the deadline passed.
    """
    limit = ingestion.limits.file_bytes
    if file.size > limit:
        raise FileContentError(
            f"{file.path}: {file.size:,} bytes exceed the limit of {limit:,}; "
            "deliver it in parts, or raise `limits.file_bytes` of the ingestion"
        )
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        with store.open(file) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                check_deadline(deadline, name=file.path)
                spool.write(chunk)
        spool.seek(0)
        _refuse_workbook(spool.read(4096), file)
        yield cast("BinaryIO", spool)


def contents(spool: BinaryIO, file: StoredFile, ingestion: Ingestion) -> Iterator[BinaryIO]:
    """Yield what the stored bytes unpack to: one stream, or one for each member of an archive; none where it is empty.

    Raises:
        FileContentError: cut, damaged or beyond a limit; also while a stream is read.
    """
    from powersense.autoloader.unpacking import members

    spool.seek(0)
    unpacked = members(
        spool, name=file.path, compression=ingestion.compression, limits=ingestion.limits, size=file.size
    )
    for _, content in unpacked:
        if cast("io.BufferedReader", content).peek(1):
            yield content


def whole(content: BinaryIO, file: StoredFile) -> bytes:
    """Read a content to its end.

    Raises:
        FileContentError: it is larger than a format that is read whole may be.
    """
    parts: list[bytes] = []
    room = WHOLE_BYTES
    while chunk := content.read(_CHUNK_BYTES):
        parts.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise FileContentError(
                f"{file.path}: its content exceeds the {WHOLE_BYTES:,} bytes that a file of its format may have; "
                "deliver it in parts"
            )
    return b"".join(parts)


def _refuse_workbook(head: bytes, file: StoredFile) -> None:
    """Tell Excel's own formats, which no publisher here uses, from the texts that are named like them."""
    old, new = _WORKBOOKS
    if head.startswith(old) or (head.startswith(new) and b"[Content_Types].xml" in head):
        raise FileContentError(
            f"{file.path}: it is an Excel workbook, not a published text or archive; "
            "load the publisher's own file instead of an analyst's spreadsheet"
        )
