"""An object as a seekable file that is read in blocks, each of them of the listed version."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from powersense.errors import FileChangedError, StoreError
from powersense.files.stored_file import StoredFile

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# A request is worth its round trip, and this and the next block are all that is held.
BLOCK_BYTES = 8 << 20


def read_range(store: ObjectStore, file: StoredFile, *, start: int, end: int) -> bytes:
    """Return bytes `start` to `end` (excluded) of an object.

    Raises:
        FileChangedError: the answer is of another version than the listed one.
        StoreError: the answer ends early.
    """
    import obstore

    options: dict[str, Any] = {"range": (start, end)}
    if file.etag and not file.etag.startswith("W/"):
        options["if_match"] = f'"{file.etag}"'
    answer = obstore.get(store, file.path, options=options)  # type: ignore[arg-type]
    meta = answer.meta
    etag = (meta["e_tag"] or "").replace('"', "")
    now = StoredFile(file.path, meta["size"], meta["last_modified"], etag)
    if now.version != file.version or now.size != file.size:
        raise FileChangedError(
            f"file {file.path!r} changed since it was listed ({file.version} → {now.version}); the next run loads it"
        )
    content = answer.bytes().to_bytes()
    if len(content) != end - start:
        raise StoreError(f"file {file.path!r}: {len(content)} of {end - start} bytes came; it is tried again later")
    return content


class BlockReader(io.RawIOBase):
    """A seekable raw file over one object; the block after the one being read is fetched meanwhile.

    Args:
        store: where it is.
        file: as listed.
        answering: turns obstore's errors into ours, given the path.
        block_bytes: read by one request.
    """

    def __init__(
        self,
        store: ObjectStore,
        file: StoredFile,
        *,
        answering: Callable[[str], AbstractContextManager[None]],
        block_bytes: int,
    ) -> None:
        super().__init__()
        self._store = store
        self._file = file
        self._answering = answering
        self._block_bytes = block_bytes
        self._at = 0
        self._number = -1
        self._block = memoryview(b"")
        self._next: tuple[int, Future[bytes]] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return the position in the object."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a position in the object."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise ValueError(f"position {base + offset} lies before the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer from the block at the position, and return how many bytes were read."""
        if self._at >= self._file.size:
            return 0
        number, offset = divmod(self._at, self._block_bytes)
        if number != self._number:
            self._load(number)
        piece = self._block[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """Let go of what is held; a block that is still on its way is not waited for."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._block, self._next = memoryview(b""), None
        super().close()

    def _load(self, number: int) -> None:
        is_sequential = number == self._number + 1
        self._block = memoryview(b"")
        with self._answering(self._file.path):
            if self._next is not None and self._next[0] == number:
                content = self._next[1].result()
            else:
                content = self._fetch(number)
        self._next = None
        self._number, self._block = number, memoryview(content)
        if is_sequential and (number + 1) * self._block_bytes < self._file.size:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="object-store")
            self._next = (number + 1, self._pool.submit(self._fetch, number + 1))

    def _fetch(self, number: int) -> bytes:
        start = number * self._block_bytes
        end = min(start + self._block_bytes, self._file.size)
        return read_range(self._store, self._file, start=start, end=end)
