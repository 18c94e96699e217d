"""What the autoloader asks of a place where files are: a bucket, a container, a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from powersense.files.stored_file import StoredFile

# What ClickHouse takes in a name for wildcards, or for a file inside an archive.
_SPECIAL = re.compile(r"[*?{}\[\]\\]|::|!/")


def is_plain(path: str) -> bool:
    """Tell whether ClickHouse's table functions read this very file under its name, and no other."""
    return _SPECIAL.search(path) is None


@dataclass(frozen=True)
class EngineSource:
    """How ClickHouse reads one file by itself.

    Attributes:
        function: the table function, `file`, `s3`, `azureBlobStorage` or `gcs`.
        arguments: the address and the login, as placeholders of query parameters, so that no secret stands in a
            statement; format, structure and compression come after them, in the function's own order.
        parameters: their values; never logged.
    """

    function: str
    arguments: str
    parameters: Mapping[str, Any] = field(repr=False)


class FileStore(Protocol):
    """Files under one root: a bucket, a container, or `/` of this machine. Usable by one thread at a time."""

    @property
    def base(self) -> str:
        """The root for people, `s3://bucket`; no secret."""

    def list_pages(self, prefix: str) -> Iterator[pa.Table]:
        """Yield the files below a folder, in pages of bounded size, asking the store only as pages are taken.

        Args:
            prefix: folders with their closing slash (`""`: everything), or the path of one file, which is then looked
                up; as `FilePattern.prefixes` gives them.

        Returns:
            Tables of path (string), size (uint64), modified_at (timestamp[us, UTC]) and etag (string, without
            quotes, empty where the store has none). A dated folder or a file that is not there yields nothing.

        Raises:
            StoreAccessError: the store refuses the credentials, or the bucket is not there.
            StoreError: no usable answer after all retries.
        """

    def stat(self, path: str) -> StoredFile:
        """Return a file as it is now.

        Raises:
            FileChangedError: it is gone.
            StoreAccessError: the store refuses the credentials.
            StoreError: no usable answer after all retries.
        """

    def open(self, file: StoredFile) -> AbstractContextManager[BinaryIO]:
        """Open a listed file for reading, seekable, in bounded memory.

        Raises:
            FileChangedError: on opening, on any read, or at the end: it is gone, or no longer what was listed.
            StoreAccessError: the store refuses the credentials.
            StoreError: no usable answer after all retries.
        """

    def first_bytes(self, file: StoredFile, count: int) -> bytes:
        """Return up to `count` bytes of a listed file's beginning.

        Raises:
            FileChangedError: it is gone, or no longer what was listed.
            StoreAccessError: the store refuses the credentials.
            StoreError: no usable answer after all retries.
        """

    def engine_source(self, file: StoredFile) -> EngineSource | None:
        """Return how ClickHouse reads the file by itself; None where it cannot, and the worker has to.

        What the engine read is the listed content only if `stat` still gives the listed version afterwards.
        """
