"""Compressed files as streams of their content, with limits on what they may unpack to. Pure but for a spool file.

Whatever a file claims about itself is only a claim: what counts is the bytes that come out, counted as they come.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from powersense.errors import FileContentError, StoreError
from powersense.files.declaration import Limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Compression = Literal["none", "gz", "xz", "zst", "zip"]

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gz"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
MAGIC_BYTES = 8
_ENDINGS: dict[str, Compression] = {
    ".gz": "gz",
    ".gzip": "gz",
    ".xz": "xz",
    ".zst": "zst",
    ".zstd": "zst",
    ".zip": "zip",
}
# Below so much content no ratio is suspicious: a few repeated lines pack very well.
RATIO_FREE_BYTES = 1 << 20
# A zip is read from its end, so it is kept at hand: in memory up to here, beyond in a file without a name.
_SPOOL_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
_BUFFER_BYTES = 256 << 10
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


def compression_of(first: bytes, *, name: str, declared: str) -> Compression:
    """Return how a file is compressed.

    Args:
        first: its first `MAGIC_BYTES` bytes, fewer only where it is shorter.
        name: its path; the ending counts where the declaration says `auto`.
        declared: an Ingestion's `compression`.

    Raises:
        FileContentError: name or declaration promise a compression that the bytes do not have.

    >>> compression_of(b"a,b", name="x.csv", declared="auto")
    'none'
    >>> compression_of(bytes([31, 139, 8]), name="x.csv", declared="auto")
    'gz'
    """
    seen: Compression = next((kind for magic, kind in _MAGIC if first.startswith(magic)), "none")
    if declared == "none":
        return "none"
    ending = next((kind for end, kind in _ENDINGS.items() if name.lower().endswith(end)), "none")
    promised = ending if declared == "auto" else declared
    if promised not in ("none", seen):
        source = f"its name ends in {name.rsplit('.', 1)[-1]!r}" if declared == "auto" else f"declared as {declared!r}"
        raise FileContentError(
            f"{name}: {source}, but its first bytes {first!r} are not; "
            "deliver it compressed, or correct `compression` of the ingestion",
            first_bad_line=first.decode("utf-8", "replace"),
        )
    return seen


@contextmanager
def open_content(stream: BinaryIO, *, name: str, compression: str, limits: Limits, size: int = 0) -> Iterator[BinaryIO]:
    """Give the content of a file that holds exactly one, unpacked.

    Args:
        stream: the file as stored; read once, forwards.
        name: its path, for messages and its ending.
        compression: an Ingestion's `compression`.
        limits: what it may cost.
        size: bytes as stored, where known; the ratio is then judged by the whole file.

    Raises:
        FileContentError: cut, damaged, beyond a limit, or an archive of none or several files; also while reading.
    """
    content = members(stream, name=name, compression=compression, limits=limits, size=size, only_one=True)
    yield next(content)[1]


def members(  # noqa: PLR0913 - keyword-only
    stream: BinaryIO, *, name: str, compression: str, limits: Limits, size: int = 0, only_one: bool = False
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name, content) of each file in an archive, or the one content of any other file.

    Each content must be read before the next is asked for. See `open_content` for the arguments.

    Raises:
        FileContentError: cut, damaged or beyond a limit; also while a content is read.
    """
    packed = _Packed(stream, name=name, limits=limits, size=size)
    first = packed.peek_magic()
    kind = compression_of(first, name=name, declared=compression)
    meter = _Meter(name, limits, packed)
    if kind == "zip":
        yield from _zip_members(packed, name=name, meter=meter, limits=limits, only_one=only_one)
        return
    plain = name if kind == "none" else name.rsplit(".", 1)[0]
    yield plain, _buffered(_opened(packed, kind), meter, is_packed=kind != "none")


def _opened(packed: _Packed, kind: Compression) -> BinaryIO:
    source = cast("BinaryIO", io.BufferedReader(packed, _BUFFER_BYTES))
    if kind == "gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=source))
    if kind == "xz":
        return cast("BinaryIO", lzma.LZMAFile(source))
    if kind == "zst":
        return _zstandard(source)
    return source


def _zip_members(
    packed: _Packed, *, name: str, meter: _Meter, limits: Limits, only_one: bool
) -> Iterator[tuple[str, BinaryIO]]:
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        while chunk := packed.read(_CHUNK_BYTES):
            spool.write(chunk)
        try:
            archive = zipfile.ZipFile(cast("BinaryIO", spool))
        except _DAMAGED as error:
            raise _damaged(name, error) from error
        with archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_clutter(entry.filename)]
            allowed = 1 if only_one else limits.archive_members
            if not 1 <= len(files) <= allowed:
                listed = ", ".join(entry.filename for entry in files[:5])
                raise FileContentError(
                    f"{name}: the archive holds {len(files)} files ({listed}), between 1 and {allowed} are taken; "
                    "deliver them apart, or raise `limits.archive_members` of the ingestion"
                )
            meter.announce(sum(entry.file_size for entry in files))
            for entry in files:
                try:
                    content = archive.open(entry)
                except _DAMAGED as error:
                    raise _damaged(f"{name}: {entry.filename}", error) from error
                with content:
                    yield f"{name}/{entry.filename}", _buffered(cast("BinaryIO", content), meter, is_packed=True)


def _is_clutter(member: str) -> bool:
    """Tell whether an archiver added a member by itself."""
    return member.startswith("__MACOSX/") or member.rsplit("/", 1)[-1] == ".DS_Store"


def _buffered(stream: BinaryIO, meter: _Meter, *, is_packed: bool) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Counted(stream, meter, is_packed=is_packed), _BUFFER_BYTES))


def _damaged(name: str, error: BaseException) -> FileContentError:
    return FileContentError(f"{name}: the compressed file is cut or damaged ({error}); deliver it again")


class _Packed(io.RawIOBase):
    """The file as stored, counted against `limits.file_bytes`; its first bytes can be looked at before."""

    def __init__(self, stream: BinaryIO, *, name: str, limits: Limits, size: int) -> None:
        self._stream = stream
        self._name = name
        self._limit = limits.file_bytes
        self._ahead = b""
        self._known_size = size
        self.count = 0
        self._check(size)

    @property
    def size(self) -> int:
        """Bytes of the whole file where known, else of what was read so far."""
        return max(self._known_size, self.count)

    def peek_magic(self) -> bytes:
        while len(self._ahead) < MAGIC_BYTES:
            more = self._stream.read(MAGIC_BYTES - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            chunk = self._ahead[: len(view)] or self._stream.read(len(view))
        except OSError as error:
            # Told apart here from the decoders' own, which mean damage.
            raise StoreError(f"{self._name}: reading it broke off ({error})") from error
        self._ahead = self._ahead[len(chunk) :]
        view[: len(chunk)] = chunk
        self.count += len(chunk)
        self._check(self.count)
        return len(chunk)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FileContentError(
                f"{self._name}: {size:,} bytes exceed the limit of {self._limit:,}; "
                "deliver it in parts, or raise `limits.file_bytes` of the ingestion"
            )


class _Meter:
    """What came out of a file, all members together, against the limits."""

    def __init__(self, name: str, limits: Limits, packed: _Packed) -> None:
        self._name = name
        self._limits = limits
        self._packed = packed
        self._count = 0

    def announce(self, unpacked: int) -> None:
        """Refuse an archive that says itself that it holds too much."""
        self._check(unpacked, is_packed=True)

    def add(self, count: int, *, is_packed: bool) -> None:
        self._count += count
        self._check(self._count, is_packed=is_packed)

    def _check(self, unpacked: int, *, is_packed: bool) -> None:
        limits = self._limits
        if unpacked > limits.unpacked_bytes:
            raise FileContentError(
                f"{self._name}: its content exceeds the limit of {limits.unpacked_bytes:,} bytes; "
                "deliver it in parts, or raise `limits.unpacked_bytes` of the ingestion"
            )
        if is_packed and unpacked > RATIO_FREE_BYTES and unpacked > limits.unpack_ratio * self._packed.size:
            raise FileContentError(
                f"{self._name}: {self._packed.size:,} bytes unpack to more than {limits.unpack_ratio:g} times as much, "
                "as a bomb does; raise `limits.unpack_ratio` of the ingestion if it is sound"
            )


class _Counted(io.RawIOBase):
    """A decoder's output: counted, its failures told as the file's."""

    def __init__(self, stream: BinaryIO, meter: _Meter, *, is_packed: bool) -> None:
        self._stream = stream
        self._meter = meter
        self._is_packed = is_packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        # A stored file that needs no decoder fails only as its store does.
        damaged = _DAMAGED if self._is_packed else ()
        try:
            chunk = self._stream.read(len(view))
        except damaged as error:
            raise _damaged(self._meter._name, error) from error
        view[: len(chunk)] = chunk
        self._meter.add(len(chunk), is_packed=self._is_packed)
        return len(chunk)


def _zstandard(stream: BinaryIO) -> BinaryIO:
    """Return a zstd stream by Arrow's decoder, which the standard library of this Python lacks."""
    import pyarrow as pa

    return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))
