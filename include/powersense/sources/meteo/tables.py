"""Météo-France's `;` tables, gzipped: bytes → records, in blocks, so that a big file stays small in memory. Pure."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from powersense.errors import MalformedResponseError, TruncatedExportError
from powersense.sources.meteo.records import Answer
from powersense.sources.meteo.source import MeteoSource

_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 8 << 20
_HEADER_BYTES = 1 << 20


def parse_table(  # noqa: PLR0913 - keyword-only
    body: bytes, source: MeteoSource, *, name: str, retrieved_at: datetime, start: datetime, end: datetime
) -> Answer:
    """Read the records of [start, end) from a file, and those whose instant is unreadable or still to come.

    Args:
        body: gzip, or the plain text where a server has unpacked it.
        source: its declaration.
        name: the file's name, for messages and as origin of its rows.
        retrieved_at: when the answer began, UTC.
        start: first instant wanted, UTC.
        end: end of the range, exclusive, UTC.

    Raises:
        TruncatedExportError: the compressed data ends early or is damaged.
        MalformedResponseError: it is no such table, such as a page of HTML, or lacks a needed column.
    """
    if not body.startswith(_GZIP) and (body.lstrip()[:1] in (b"<", b"{", b"") or b";" not in body[:4096]):
        raise MalformedResponseError(f"{name}: {body[:80]!r} is no gzip; check the address, or what stands in between")
    stream = gzip.GzipFile(fileobj=io.BytesIO(body)) if body.startswith(_GZIP) else io.BytesIO(body)
    broken: list[str] = []
    try:
        tables = [
            _wanted(block, source, retrieved_at=retrieved_at, start=start, end=end)
            for block in read_blocks(cast("BinaryIO", stream), source, name=name, broken=broken)
        ]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedExportError(f"{name}: the gzip is cut or damaged ({error}); fetch it again") from error
    return Answer(
        records=_as_frame(tables, source),
        retrieved_at=retrieved_at,
        origin=name,
        broken_lines=tuple(broken),
    )


def read_blocks(stream: BinaryIO, source: MeteoSource, *, name: str, broken: list[str]) -> Iterator[pa.Table]:
    """Yield all records of an unpacked table, a block at a time: the source's columns that it has, as published texts.

    Args:
        stream: the table's text, read once, forwards.
        source: its declaration.
        name: the file's name, for messages.
        broken: takes the lines with a wrong number of fields, as they are met.

    Raises:
        MalformedResponseError: it is no such table, or lacks a needed column; what the stream raises passes through.
    """
    header = _header(stream, source, name=name)
    known = [column for column in source.known_columns if column in header]
    is_empty = True
    try:
        for batch in _reader(stream, header, source, broken):
            is_empty = False
            yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as error:
        raise MalformedResponseError(f"{name}: {error}") from error
    if is_empty:
        yield pa.table({column: pa.array([], pa.string()) for column in known})


def _as_frame(tables: list[pa.Table], source: MeteoSource) -> pd.DataFrame:
    """Return tables of one header as one frame."""
    frames = [table.to_pandas() for table in tables if table.num_rows]
    empty = pd.DataFrame(columns=[name for name in source.known_columns if name in tables[0].column_names], dtype="str")
    return pd.concat(frames, ignore_index=True) if frames else empty


def _header(stream: BinaryIO, source: MeteoSource, *, name: str) -> list[str]:
    """Read the first line.

    Raises:
        MalformedResponseError: a needed column is absent; names the file and the column.
    """
    header = stream.readline(_HEADER_BYTES).decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r\n").split(";")
    missing = [column for column in source.needed_columns if column not in header]
    if missing:
        raise MalformedResponseError(
            f"{name}: column {missing} is absent from the header {header[:12]} …. "
            f"Correct source {source.id!r} in weather.yaml, or wait for the publisher."
        )
    return header


def _reader(
    stream: BinaryIO, header: list[str], source: MeteoSource, broken: list[str]
) -> csv.CSVStreamingReader | list[pa.RecordBatch]:
    """Open the rest of a table as text columns; lines with a wrong number of fields go to `broken`."""

    def set_aside(row: csv.InvalidRow) -> str:
        broken.append(row.text)
        return "skip"

    known = [column for column in source.known_columns if column in header]
    # SYNOP ends its lines with the separator, header included; pyarrow wants the names to be distinct.
    names = [column or f"_{position}" for position, column in enumerate(header)]
    try:
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter=";", invalid_row_handler=set_aside),
            convert_options=csv.ConvertOptions(
                include_columns=known, column_types=dict.fromkeys(known, pa.string()), strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return []
        raise


def _wanted(
    block: pa.Table, source: MeteoSource, *, retrieved_at: datetime, start: datetime, end: datetime
) -> pa.Table:
    """Keep the rows of [start, end), those later than the answer, and those whose instant cannot be read.

    Instants of one fixed width sort as texts.
    """

    def written(instant: datetime) -> str:
        return instant.astimezone(UTC).strftime(source.instant_format)

    text = pc.utf8_trim_whitespace(pc.fill_null(block.column(source.instant_field), ""))
    in_range = pc.and_(pc.greater_equal(text, written(start)), pc.less(text, written(end)))
    readable = pc.match_substring_regex(text, f"^[0-9]{{{len(written(start))}}}$")
    kept = pc.or_(pc.or_(in_range, pc.greater(text, written(retrieved_at))), pc.invert(readable))
    return block.filter(kept)
