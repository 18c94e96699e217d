"""Parquet as chunks of typed columns. Pure but for a spool file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from powersense.autoloader.tables.layout import Found
from powersense.autoloader.tables.records import CHUNK_ROWS, Chunk
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion

if TYPE_CHECKING:
    import pyarrow as pa

# A Parquet file is read from its end: what cannot be sought in is kept at hand first.
_SPOOL_BYTES = 16 << 20
_MOST_ROWS = CHUNK_ROWS // 2


def read_parquet(content: BinaryIO, ingestion: Ingestion, *, path: str) -> Iterator[Chunk]:
    """Yield the rows of a Parquet file, row group by row group.

    Raises:
        FileContentError: it is none, cut, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        source = content
        if not content.seekable():
            shutil.copyfileobj(content, cast("BinaryIO", spool), 1 << 20)
            spool.seek(0)
            source = cast("BinaryIO", spool)
        number = 1
        try:
            file = pq.ParquetFile(source)
            metadata = file.metadata
            unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            refuse_inflated(
                ingestion, path=path, rows=metadata.num_rows, columns=metadata.num_columns, unpacked=unpacked
            )
            is_empty = True
            for batch in file.iter_batches(batch_size=_MOST_ROWS):
                is_empty = False
                yield _chunk(pa.Table.from_batches([batch]), first=number)
                number += batch.num_rows
            if is_empty:
                yield _chunk(file.schema_arrow.empty_table(), first=1)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise FileContentError(
                f"{path}: it is no Parquet file, cut, or damaged ({error}); deliver it again"
            ) from error


def refuse_inflated(ingestion: Ingestion, *, path: str, rows: int, columns: int, unpacked: int) -> None:
    """Refuse a Parquet file whose footer promises more than its ingestion allows; a repeated value packs to nothing.

    Raises:
        FileContentError: it does.
    """
    most = ingestion.limits.unpacked_bytes
    if max(unpacked, rows * columns) > most:
        raise FileContentError(
            f"{path}: its {rows:,} rows of {columns} columns exceed the limit of {most:,} bytes; "
            "deliver it in parts, or raise `limits.unpacked_bytes` of the ingestion"
        )


def _chunk(table: pa.Table, *, first: int) -> Chunk:
    import pyarrow as pa

    found: list[Found] = []
    columns: dict[str, Any] = {}
    for position, name in enumerate(table.column_names):
        column, kind = _readable(table.column(position))
        found.append(Found(name, kind))
        columns[f"c{position}"] = column
    numbers = pa.array(range(first, first + table.num_rows), pa.uint64())
    return Chunk(tuple(found), pa.table(columns), numbers)


def _readable(column: pa.ChunkedArray) -> tuple[Any, str]:  # noqa: PLR0911 - one a kind of type
    """Return a column and ClickHouse's type of it; what has none becomes JSON text."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _readable(column.cast(kind.value_type))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return column.cast(pa.large_binary() if "large" in str(kind) else pa.binary()), "Nullable(String)"
    if types.is_integer(kind):
        sign = "U" if types.is_unsigned_integer(kind) else ""
        return column, f"Nullable({sign}Int{kind.bit_width})"
    if types.is_floating(kind):
        return column.cast(pa.float64()) if kind.bit_width < 32 else column, f"Nullable(Float{max(kind.bit_width, 32)})"
    if types.is_boolean(kind):
        return column, "Nullable(Bool)"
    if types.is_date(kind):
        return column.cast(pa.date32()), "Nullable(Date32)"
    if types.is_timestamp(kind):
        digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[kind.unit]
        return column.cast(pa.timestamp(kind.unit, tz="UTC")), f"Nullable(DateTime64({digits}, 'UTC'))"
    if types.is_decimal(kind) and kind.bit_width <= 128:
        return column, f"Nullable(Decimal({kind.precision}, {kind.scale}))"
    texts = [None if value is None else json.dumps(value, default=str).encode() for value in column.to_pylist()]
    return pa.array(texts, pa.binary()), "Nullable(String)"
