"""What the beginning of a delimited or JSON file says about its columns. Pure."""

from __future__ import annotations

import codecs
import csv
import json
import lzma
import zlib
from collections.abc import Sequence
from typing import Any

from powersense.autoloader.tables.layout import Found, target_of
from powersense.autoloader.unpacking import Compression
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion

HEAD_BYTES = 64 << 10
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
_UTF8_MARK = codecs.BOM_UTF8
_DELIMITERS = ",;\t|"


def unpacked_head(first: bytes, kind: Compression) -> bytes:
    """Return as much of a file's content as its first bytes give, `HEAD_BYTES` at most."""
    if kind == "gz":
        decoder: Any = zlib.decompressobj(wbits=31)
    elif kind == "xz":
        decoder = lzma.LZMADecompressor()
    elif kind == "zst":
        return _zstandard_head(first)
    else:
        return first[:HEAD_BYTES]
    try:
        content: bytes = decoder.decompress(first, HEAD_BYTES)
    except (zlib.error, lzma.LZMAError):
        return b""
    return content


def _zstandard_head(first: bytes) -> bytes:
    import pyarrow as pa

    stream, content = pa.CompressedInputStream(pa.BufferReader(first), "zstd"), b""
    try:
        while len(content) < HEAD_BYTES and (more := stream.read(4096)):
            content += more
    except OSError:
        pass
    return content


def is_utf8(encoding: str) -> bool:
    """Tell whether ClickHouse reads a file of that encoding as it is."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def refuse_markup(head: bytes, *, path: str) -> None:
    """Refuse a web page: what a portal sends with status 200 when it has no file to give.

    Raises:
        FileContentError: it is one.
    """
    start = head.removeprefix(_UTF8_MARK).lstrip()[:200]
    if start.lower().startswith(_MARKUP):
        raise FileContentError(
            f"{path}: it is a web page ({start[:60]!r}), no data; ask who delivers it",
            first_bad_line=start.decode("utf-8", "replace"),
        )


def delimited_columns(head: bytes, ingestion: Ingestion, *, path: str, is_whole: bool) -> list[Found]:
    """Return the columns of a delimited file, from its header or, where it has none, from the declaration.

    Args:
        head: the beginning of its content.
        ingestion: its declaration.
        path: of the file.
        is_whole: whether the head is the whole content.

    Raises:
        FileContentError: it has no readable header, or other columns than declared where it has none.
    """
    refuse_markup(head, path=path)
    options, declared = ingestion.csv, [column.source_name for column in target_of(ingestion).columns]
    first = _first_record(head, ingestion, path=path, is_whole=is_whole)
    if options.has_header:
        if not first:
            raise FileContentError(f"{path}: it is empty, without even a header; deliver it again")
        _refuse_one_column(first, delimiter=_delimiter(ingestion), declared=declared, path=path)
        return [Found(name.strip()) for name in first]
    if not declared:
        raise FileContentError(f"{path}: without a header its columns have to be declared; declare them")
    if first and len(first) != len(declared):
        raise FileContentError(
            f"{path}: its first record has {len(first)} fields, {len(declared)} columns are declared; "
            "correct the columns, or `csv.delimiter`",
            first_bad_line=_delimiter(ingestion).join(first),
        )
    return [Found(name) for name in declared]


def json_keys(head: bytes) -> list[str] | None:
    """Return the keys of a JSON file's first record; None where the head does not hold it whole."""
    text = head.removeprefix(_UTF8_MARK).decode("utf-8", "replace").lstrip().removeprefix("[").lstrip()
    try:
        record, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    return list(record) if isinstance(record, dict) else None


def _first_record(head: bytes, ingestion: Ingestion, *, path: str, is_whole: bool) -> list[str]:
    encoding = "utf-8-sig" if is_utf8(ingestion.csv.encoding) else ingestion.csv.encoding
    # A character may be cut at the end of the head, but none in the middle of its first line.
    line, end, _ = head.partition(b"\n")
    try:
        text = head.decode(encoding, "replace") if "16" in encoding or "32" in encoding else line.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileContentError(
            f"{path}: its first line is not {ingestion.csv.encoding} ({error}); correct `csv.encoding`",
            first_bad_line=repr(line[:200]),
        ) from error
    text = text.splitlines()[0] if text.strip() else ""
    if not end and not is_whole:
        raise FileContentError(f"{path}: no line ends within its first {len(head):,} bytes; it is no delimited file")
    rows = list(csv.reader([text], delimiter=_delimiter(ingestion)))
    return rows[0] if rows else []


def _delimiter(ingestion: Ingestion) -> str:
    return "\t" if ingestion.format == "tsv" else ingestion.csv.delimiter


def _refuse_one_column(names: Sequence[str], *, delimiter: str, declared: Sequence[str], path: str) -> None:
    """Refuse a header that another delimiter would cut into columns."""
    if len(names) > 1 or names[0] in declared:
        return
    others = [sign for sign in _DELIMITERS if sign != delimiter and sign in names[0]]
    if others:
        raise FileContentError(
            f"{path}: its header {names[0][:80]!r} has no {delimiter!r}, but {others[0]!r}; correct `csv.delimiter`",
            first_bad_line=names[0],
        )
