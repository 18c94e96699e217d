"""CSV and TSV as chunks of text. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from powersense.autoloader.tables.heads import HEAD_BYTES, delimited_columns, is_utf8
from powersense.autoloader.tables.records import CHUNK_BYTES, Broken, Chunk
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_TEXT = 10_000


def read_delimited(content: BinaryIO, ingestion: Ingestion, *, path: str) -> Iterator[Chunk]:
    """Yield the records of a delimited file; those with a wrong number of fields as broken.

    Args:
        content: unpacked.
        ingestion: its declaration.
        path: of the file.

    Raises:
        FileContentError: it has no header, another encoding, or a record longer than a chunk.
    """
    import pyarrow as pa

    stream = _Tail(content)
    head = stream.head()
    found = tuple(delimited_columns(head, ingestion, path=path, is_whole=stream.is_at_end))
    if stream.is_at_end and _is_bare(head, ingestion):
        yield Chunk(found, _empty(found), pa.array([], pa.uint64()))
        return
    broken: list[Broken] = []

    def set_aside(row: Any) -> str:
        why = f"{row.actual_columns} fields, {row.expected_columns} wanted"
        broken.append(Broken(int(row.number or 0), row.text[:_LONGEST_TEXT], why))
        return "skip"

    number = 1
    try:
        for batch in _open(stream, found, ingestion, set_aside):
            chunk = _chunk(found, pa.Table.from_batches([batch]), broken, first=number)
            number += batch.num_rows + len(broken)
            broken.clear()
            yield _without_swallowed(chunk) if stream.is_unclosed else chunk
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise FileContentError(
            f"{path}: after record {number} it cannot be read as {ingestion.format} in {ingestion.csv.encoding} "
            f"({error}); a quote may be open, or the encoding another"
        ) from error
    if broken:
        yield Chunk(found, _empty(found), pa.array([], pa.uint64()), tuple(_numbered(broken, first=number)))


def _open(stream: _Tail, found: tuple[Any, ...], ingestion: Ingestion, set_aside: Any) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    options = ingestion.csv
    names = [f"c{position}" for position in range(len(found))]
    return csv.open_csv(
        stream,
        read_options=csv.ReadOptions(
            column_names=names,
            skip_rows=1 if options.has_header else 0,
            block_size=CHUNK_BYTES,
            encoding="utf8" if is_utf8(options.encoding) else options.encoding,
            # Record numbers are told by the serial reader only.
            use_threads=False,
        ),
        parse_options=csv.ParseOptions(
            delimiter="\t" if ingestion.format == "tsv" else options.delimiter,
            newlines_in_values=True,
            invalid_row_handler=set_aside,
        ),
        # Bytes, since one bad letter would condemn a chunk; the engine tells record by record what is UTF-8.
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def _chunk(found: tuple[Any, ...], table: pa.Table, broken: list[Broken], *, first: int) -> Chunk:
    import numpy as np
    import pyarrow as pa

    aside = _numbered(broken, first=first)
    numbers = np.arange(first, first + table.num_rows + len(aside), dtype=np.uint64)
    taken = np.array([record.number for record in aside], dtype=np.uint64)
    sound = numbers[~np.isin(numbers, taken)][: table.num_rows]
    return Chunk(found, table, pa.array(sound, pa.uint64()), tuple(aside))


def _numbered(broken: list[Broken], *, first: int) -> list[Broken]:
    """Return broken records by their number in the file: the reader counts lines of its header, too."""
    return [Broken(max(record.number - 1, 1) or first, record.text, record.why) for record in broken]


def _without_swallowed(chunk: Chunk) -> Chunk:
    """Take out the last record of a file whose last quote nobody closed: it holds the records behind it, too."""
    if not chunk.table.num_rows:
        return chunk
    last = chunk.table.num_rows - 1
    text = b",".join(column[last].as_py() or b"" for column in chunk.table.columns)
    if b"\n" not in text:
        return chunk
    why = "its quote is never closed: it takes in the rest of the file"
    aside = Broken(int(chunk.numbers[last].as_py()), text.decode("utf-8", "replace")[:_LONGEST_TEXT], why)
    return Chunk(chunk.found, chunk.table.slice(0, last), chunk.numbers.slice(0, last), (*chunk.broken, aside))


def _is_bare(head: bytes, ingestion: Ingestion) -> bool:
    """Tell whether a whole file holds no record: nothing, or a header alone."""
    lines = [line for line in head.splitlines() if line.strip(b"\xef\xbb\xbf\x00 \t")]
    return len(lines) <= (1 if ingestion.csv.has_header else 0)


def _empty(found: tuple[Any, ...]) -> pa.Table:
    import pyarrow as pa

    return pa.table({f"c{position}": pa.array([], pa.binary()) for position in range(len(found))})


class _Tail(io.RawIOBase):
    """A stream that shows its beginning, and remembers its end."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._ahead = b""
        self._end = b""
        self.is_at_end = False

    def head(self) -> bytes:
        while len(self._ahead) < HEAD_BYTES and not self.is_at_end:
            more = self._content.read(HEAD_BYTES - len(self._ahead))
            self._ahead += more
            self.is_at_end = not more
        return self._ahead

    @property
    def is_unclosed(self) -> bool:
        """Whether all was read and the last value is not closed by a quote (it may never have been opened)."""
        return self.is_at_end and not self._end.rstrip(b"\r\n \x00").endswith(b'"')

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk, self._ahead = self._ahead[: size if size >= 0 else None], self._ahead[size:] if size >= 0 else b""
        if len(chunk) < size or size < 0:
            more = self._content.read(size - len(chunk) if size >= 0 else -1)
            self.is_at_end = not more
            chunk += more
        self._end = (self._end + chunk[-64:])[-64:]
        return chunk
