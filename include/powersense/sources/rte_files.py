"""RTE's yearly and current `.xls` files, and portal CSV exports: bytes → wide records. Pure.

An RTE "Excel" file is text: ISO-8859-1, tab-separated, a header of N names over rows of N+1 fields (each row ends in
a tab), and a legal sentence as its last line.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from powersense.errors import MalformedResponseError, TruncatedExportError
from powersense.sources.columns import canonical_names
from powersense.sources.source import Source

_ABSENT = ["", "ND", "-", "NA", "NaN", "NaT", "null"]


@dataclass(frozen=True)
class WideRecords:
    """One file as a table.

    Attributes:
        name: the file's name, without its folder.
        records: a row for each line, canonical column names, absent values null.
        broken_lines: lines whose number of fields is wrong, as published.
    """

    name: str
    records: pd.DataFrame
    broken_lines: tuple[str, ...] = ()


def unpack(payload: bytes, *, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each file in a zip, xz or gzip payload; anything else is taken as it is.

    Raises:
        TruncatedExportError: the compressed payload ends early or is damaged.
    """
    try:
        if payload.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(payload)) as archive:
                for member in archive.namelist():
                    if not member.endswith("/"):
                        yield member.rsplit("/", 1)[-1], archive.read(member)
        elif payload.startswith(b"\xfd7zXZ\x00"):
            yield name.removesuffix(".xz"), lzma.decompress(payload)
        elif payload.startswith(b"\x1f\x8b"):
            yield name.removesuffix(".gz"), gzip.decompress(payload)
        else:
            yield name, payload
    except (zipfile.BadZipFile, lzma.LZMAError, EOFError, OSError) as error:
        raise TruncatedExportError(
            f"{name}: the compressed file is cut or damaged ({error}); fetch it again"
        ) from error


def parse_rte_file(content: bytes, *, name: str, source: Source) -> WideRecords:
    """Parse one unpacked RTE file.

    Raises:
        MalformedResponseError: it has no tab-separated header with a date and an hour.
    """
    header, _, body = content.partition(b"\n")
    labels = header.decode("iso-8859-1").rstrip("\r\n\t").split("\t")
    if len(labels) < 4 or content.lstrip().startswith(b"<"):
        raise MalformedResponseError(
            f"{name}: first line {header[:80]!r} is no header of an RTE file (ISO-8859-1, tab-separated); check the URL"
        )
    body, _legal = _split_legal_line(body)
    has_trailing_tab = body.split(b"\n", 1)[0].rstrip(b"\r").count(b"\t") >= len(labels)
    names = canonical_names(labels, source.column_aliases)
    return _parse_table(
        body,
        names=[*names, "_trailing"] if has_trailing_tab else names,
        name=name,
        source=source,
        delimiter="\t",
        encoding="iso-8859-1",
    )


def parse_portal_csv(content: bytes, *, name: str, source: Source) -> WideRecords:
    """Parse a portal CSV export: `;`, UTF-8, perhaps with a BOM, CRLF, French labels or technical names.

    Raises:
        TruncatedExportError: the portal broke off and said so in the body, or the last line is cut.
        MalformedResponseError: the body is no CSV.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    cut = content.rfind(b"Streaming interrupted due to")
    if cut >= 0:
        raise TruncatedExportError(f"{name}: {content[cut : cut + 200].decode('utf-8', 'replace')}; fetch it again")
    header, _, body = content.partition(b"\n")
    if content.lstrip().startswith((b"<", b"{", b"[")):
        raise MalformedResponseError(f"{name}: {content[:80]!r} is no CSV; check the address and the portal's status")
    if body and not body.endswith(b"\n"):
        raise TruncatedExportError(f"{name}: the last line {body[-60:]!r} is cut; fetch it again")
    try:
        labels = header.decode("utf-8").rstrip("\r\n").split(";")
    except UnicodeDecodeError as error:
        raise MalformedResponseError(f"{name}: the header {header[:80]!r} is not UTF-8 ({error})") from error
    names = canonical_names((label.strip('"') for label in labels), source.column_aliases)
    return _parse_table(body, names=names, name=name, source=source, delimiter=";", encoding="utf8")


def _split_legal_line(body: bytes) -> tuple[bytes, bytes]:
    """Separate RTE's closing sentence (a last line without tabs) from the table."""
    trimmed = body.rstrip()
    if not trimmed:
        return b"", b""
    start = trimmed.rfind(b"\n") + 1
    if b"\t" in trimmed[start:]:
        return body, b""
    return trimmed[:start], trimmed[start:]


def _parse_table(  # noqa: PLR0913 - one call site a format
    body: bytes, *, names: list[str], name: str, source: Source, delimiter: str, encoding: str
) -> WideRecords:
    """Parse rows under given names; key columns stay text, numeric columns are recognised."""
    broken: list[str] = []

    def set_aside(row: csv.InvalidRow) -> str:
        broken.append(row.text)
        return "skip"

    texts = (source.local_date_field, source.local_time_field, source.area_field, source.vintage_field)
    if not body.strip():
        return WideRecords(name, pd.DataFrame(columns=[label for label in names if label != "_trailing"]))
    try:
        table = csv.read_csv(
            pa.BufferReader(body),
            read_options=csv.ReadOptions(column_names=names, encoding=encoding, block_size=8 << 20),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside),
            convert_options=csv.ConvertOptions(
                null_values=_ABSENT,
                strings_can_be_null=True,
                column_types={column: pa.string() for column in texts if column},
            ),
        )
    except pa.ArrowInvalid as error:
        raise MalformedResponseError(f"{name}: {error}") from error
    if "_trailing" in names:
        table = table.drop_columns(["_trailing"])
    return WideRecords(name, table.to_pandas(split_blocks=True, self_destruct=True), tuple(broken))
