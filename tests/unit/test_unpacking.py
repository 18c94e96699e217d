"""Packed files as streams: what comes out, what is refused, and that limits count what really comes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.autoloader.unpacking import members, open_content
from powersense.errors import FileContentError, StoreError
from powersense.files.declaration import Limits

CONTENT = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7919) for number in range(20_000))


def _zip(*files: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return sink.getvalue()


PACKERS = {
    "none": lambda content: content,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
    "zip": lambda content: _zip(("in.csv", content)),
}
ENDINGS = {"none": "", "gz": ".gz", "xz": ".xz", "zst": ".zst", "zip": ".zip"}


class OnlyForwards(io.RawIOBase):
    """A stream as a socket gives it: short reads, no way back."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self._rest = io.BytesIO(content)
        self._error = error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer):
        chunk = self._rest.read(min(len(buffer), 1000))
        if not chunk and self._error:
            raise self._error
        buffer[: len(chunk)] = chunk
        return len(chunk)


def unpack(packed: bytes, name: str = "a.csv", *, compression: str = "auto", size: int = 0, **limits) -> bytes:
    stream = OnlyForwards(packed)
    with open_content(stream, name=name, compression=compression, limits=Limits(**limits), size=size) as content:
        return content.read()


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("is_named", [True, False], ids=["named so", "told by its bytes"])
def test_the_content_comes_out_as_it_went_in(kind, is_named):
    packed = PACKERS[kind](CONTENT)
    assert unpack(packed, f"a.csv{ENDINGS[kind] if is_named else ''}") == CONTENT


@given(st.binary(max_size=3000), st.sampled_from(sorted(PACKERS)))
def test_any_content_comes_out_as_it_went_in(content, kind):
    assert unpack(PACKERS[kind](content), compression=kind) == content


@pytest.mark.parametrize("kind", ["gz", "xz", "zst", "zip"])
@pytest.mark.parametrize("cut", [3, 20, len(CONTENT)], ids=["at once", "in its header", "at its end"])
def test_a_cut_file_is_refused(kind, cut):
    packed = PACKERS[kind](CONTENT)
    with pytest.raises(FileContentError, match=r"a\.csv"):
        unpack(packed[: min(cut, len(packed) - 1)], f"a.csv{ENDINGS[kind]}")


@pytest.mark.parametrize("kind", ["gz", "xz", "zip"])
def test_a_damaged_file_is_refused(kind):
    packed = bytearray(PACKERS[kind](CONTENT))
    middle = len(packed) // 2
    packed[middle : middle + 8] = b"\x00" * 8
    with pytest.raises(FileContentError, match="cut or damaged"):
        unpack(bytes(packed), f"a.csv{ENDINGS[kind]}")


@pytest.mark.parametrize("kind", ["gz", "xz", "zst", "zip"])
def test_a_file_that_is_not_what_its_name_says_is_refused(kind):
    with pytest.raises(FileContentError, match=f"its name ends in '{kind}'"):
        unpack(b"<html>no file today</html>", f"a.csv{ENDINGS[kind]}")
    with pytest.raises(FileContentError, match=f"declared as '{kind}'"):
        unpack(CONTENT, compression=kind)


def test_what_is_declared_as_plain_is_not_unpacked():
    packed = gzip.compress(CONTENT)
    assert unpack(packed, "a.csv.gz", compression="none") == packed
    assert unpack(bz2.compress(CONTENT)) == bz2.compress(CONTENT)


@pytest.mark.parametrize("kind", ["gz", "xz", "zst", "zip"])
@pytest.mark.parametrize("is_size_known", [True, False])
def test_a_bomb_is_refused_long_before_it_is_unpacked(kind, is_size_known):
    packed = PACKERS[kind](bytes(16 << 20))
    size = len(packed) if is_size_known else 0
    limits, taken = Limits(unpack_ratio=50), 0
    with (  # noqa: PT012 - it comes while reading
        pytest.raises(FileContentError, match="unpack to more than 50 times as much, as a bomb does"),
        open_content(OnlyForwards(packed), name="a", compression="auto", limits=limits, size=size) as content,
    ):
        while chunk := content.read(1 << 16):
            taken += len(chunk)
    assert taken <= max(50 * len(packed), 1 << 20)


def test_the_limits_of_sizes_count_what_comes():
    with pytest.raises(FileContentError, match="exceed the limit of 1,000"):
        unpack(CONTENT, file_bytes=1000)
    with pytest.raises(FileContentError, match="exceeds the limit of 5,000 bytes"):
        unpack(gzip.compress(CONTENT), unpacked_bytes=5000)
    with pytest.raises(FileContentError, match="exceeds the limit of 5,000 bytes"):
        unpack(_zip(("a.csv", CONTENT)), unpacked_bytes=5000)
    assert unpack(gzip.compress(CONTENT), unpacked_bytes=len(CONTENT)) == CONTENT


def test_an_archive_that_lies_about_its_sizes_is_counted_all_the_same():
    packed = bytearray(_zip(("a.csv", bytes(3 << 20))))
    # The central directory's and the member's uncompressed size say 100 bytes.
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = packed.index(signature) + offset
        packed[start : start + 4] = (100).to_bytes(4, "little")
    with pytest.raises(FileContentError):
        unpack(bytes(packed), unpacked_bytes=50)


def test_an_archive_of_several_files_is_taken_where_it_is_allowed():
    packed = _zip(("one.csv", b"1"), ("folder/", b""), ("folder/two.csv", b"2"), ("__MACOSX/one.csv", b"x"))
    with pytest.raises(FileContentError, match=r"holds 2 files \(one.csv, folder/two.csv\), between 1 and 1"):
        unpack(packed, "a.zip")
    given = members(
        io.BytesIO(packed), name="a.zip", compression="auto", limits=Limits(archive_members=2), size=len(packed)
    )
    assert [(name, content.read()) for name, content in given] == [
        ("a.zip/one.csv", b"1"),
        ("a.zip/folder/two.csv", b"2"),
    ]
    with pytest.raises(FileContentError, match="holds 0 files"):
        unpack(_zip(), "a.zip")


def test_an_archive_with_a_password_is_refused():
    packed = bytearray(_zip(("a.csv", CONTENT)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + offset] |= 1
    with pytest.raises(FileContentError, match="encrypted"):
        unpack(bytes(packed), "a.zip")


@pytest.mark.parametrize("kind", ["none", "gz", "xz", "zst", "zip"])
@pytest.mark.parametrize("error", [ConnectionResetError("cut"), StoreError("slow down")])
def test_a_store_that_breaks_off_is_no_damage_of_the_file(kind, error):
    packed = PACKERS[kind](CONTENT)[:-10]
    stream = OnlyForwards(packed, error)
    with (
        pytest.raises(StoreError, match=r"cut|slow down"),
        open_content(stream, name="a", compression="auto", limits=Limits()) as content,
    ):
        content.read()
