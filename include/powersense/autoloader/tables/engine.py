"""ClickHouse reads the file by itself: one INSERT … SELECT, at the engine's speed, with every value cast strictly.

It gives a whole file or nothing. Whatever it stumbles over, the worker's way looks at again and says what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from powersense.autoloader.tables.heads import HEAD_BYTES, delimited_columns, is_utf8, json_keys, unpacked_head
from powersense.autoloader.tables.inserts import constants, insert_statement, reading_settings
from powersense.autoloader.tables.layout import Found, Layout, lay_out, target_of
from powersense.autoloader.tables.parquet import refuse_inflated
from powersense.autoloader.tables.selection import REPLACED, TOO_LARGE, Selection, select_columns
from powersense.autoloader.tables.target import grow_target, grown_columns, names_of
from powersense.autoloader.tables.types import type_name
from powersense.autoloader.unpacking import RATIO_FREE_BYTES, Compression, compression_of
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import StoredFile

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.object_stores.opening import EngineSource, FileStore

_MAX_QUERY_BYTES = 3 * 1024**3
# By default the engine asks an unreachable store for minutes on end; the worker, which is next, is patient enough.
_FEW_RETRIES = {
    "s3": {"s3_retry_attempts": 4},
    "gcs": {"s3_retry_attempts": 4},
    "azureBlobStorage": {"azure_sdk_max_retries": 4},
}


class EngineUnfitError(Exception):
    """The engine's way does not fit this file; the worker's does. Never leaves `tables`."""


@dataclass(frozen=True)
class EngineResult:
    """How many rows one statement wrote, and how the file's columns lay."""

    rows: int
    layout: Layout


def load_by_engine(  # noqa: PLR0913, PLR0917 - what one load is made of
    client: Client,
    loader: Client,
    ingestion: Ingestion,
    file: StoredFile,
    store: FileStore,
    source: EngineSource,
    *,
    load_id: int,
    deadline: datetime,
) -> EngineResult:
    """Write a file's rows under a load; nothing is activated.

    Args:
        client: a writer's client, for the table.
        loader: a client of the user that may read stores.
        ingestion: its declaration.
        file: as listed.
        store: where it lies.
        source: how the engine reaches it.
        load_id: to write under; after any error its rows may be there in part.
        deadline: when the batch's time is up, UTC.

    Raises:
        EngineUnfitError: the engine cannot read this kind of file, or not strictly enough.
        FileContentError: its header or schema is not as declared.
        DatabaseError: of clickhouse-connect; the server refused, or the file is malformed.
    """
    first = store.first_bytes(file, HEAD_BYTES)
    kind = compression_of(first[:8], name=file.path, declared=ingestion.compression)
    call = _Call(ingestion, source, kind, is_numbered=target_of(ingestion).mode == "upsert")
    if kind == "zip":
        raise EngineUnfitError("the engine has no limits for archives")
    known = grown_columns(client, ingestion) if ingestion.schema_policy == "evolve" else []
    found = _columns(loader, call, first, file)
    layout = lay_out(ingestion, found, known=known, path=file.path)
    if layout.added:
        grow_target(client, ingestion, layout.added)
    selection = call.selection(layout)
    summary = loader.command(
        insert_statement(names_of(ingestion), selection, is_numbered=call.is_numbered),
        parameters={
            **selection.parameters,
            **constants(ingestion, file, load_id=load_id),
            **call.parameters(call.structure(layout)),
            "ps_size": file.size,
            "ps_unpacked": _most_bytes(ingestion, file, kind),
        },
        settings=reading_settings(ingestion, deadline=deadline, is_numbered=call.is_numbered)
        | _FEW_RETRIES.get(source.function, {})
        | {"max_memory_usage": _MAX_QUERY_BYTES, "insert_deduplication_token": f"{load_id}:engine"},
    )
    return EngineResult(int(getattr(summary, "written_rows", 0)), layout)


@dataclass(frozen=True)
class _Call:
    """How one file is named to the engine."""

    ingestion: Ingestion
    source: EngineSource
    kind: Compression
    is_numbered: bool

    @property
    def file_format(self) -> str:
        formats = {"csv": "CSV", "tsv": "CSV", "parquet": "Parquet"}
        return formats.get(self.ingestion.format, "JSONEachRow")

    def structure(self, layout: Layout) -> str:
        names = self.names(layout)
        return ", ".join(f"{name} {column.type}" for name, column in zip(names, layout.found, strict=True))

    def names(self, layout: Layout) -> tuple[str, ...]:
        """Return the columns' names in the statement: a delimited file's by position, since names may be anything."""
        if self.file_format == "CSV":
            return tuple(f"c{position}" for position in range(len(layout.found)))
        return tuple(quoted(column.name) for column in layout.found)

    def selection(self, layout: Layout) -> Selection:
        names, texts = self.names(layout), layout.found
        condition = ""
        if self.source.function == "file":
            # The server may be another machine, with another file of that name.
            condition = f"NOT throwIf(_size != {{ps_size:UInt64}}, '{REPLACED}')"
        if self.file_format == "CSV" and texts:
            # An opening quote that nobody closes swallows the rest of the file into the last column, silently.
            swallowed = f"NOT throwIf(position(ifNull({names[-1]}, ''), '\\n') > 0, 'powersense: line break')"
            condition = f"{condition} AND {swallowed}" if condition else swallowed
        if self.kind != "none":
            bounded = f"NOT throwIf(unpacked_bytes > {{ps_unpacked:UInt64}}, '{TOO_LARGE}')"
            condition = f"{condition} AND {bounded}" if condition else bounded
        return select_columns(
            layout,
            source=self._counted(names) if self.kind != "none" else self.table_function,
            names=names,
            csv=self.ingestion.csv,
            row="assumeNotNull(_row_number) + 1" if self.is_numbered else "",
            condition=condition,
        )

    def _counted(self, names: tuple[str, ...]) -> str:
        """Return the source with a running count of what was unpacked: no setting of the engine's limits that."""
        lengths = " + ".join(f"length(ifNull({name}, ''))" for name in names)
        signs = len(names) if self.file_format == "CSV" else sum(len(name) + 4 for name in names)
        virtual = "_size, _row_number" if self.is_numbered else "_size"
        return (
            f"(SELECT *, {virtual}, sum({lengths} + {signs}) OVER "  # noqa: S608 - names are checked, values parameters
            f"(ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS unpacked_bytes FROM {self.table_function})"
        )

    @property
    def table_function(self) -> str:
        """The call of the engine's table function; `parameters` gives it its values."""
        shape = ["{ps_format:String}", "{ps_structure:String}", "{ps_compression:String}"]
        if self.source.function == "azureBlobStorage":
            shape = [shape[0], shape[2], shape[1]]
        return f"{self.source.function}({', '.join([self.source.arguments, *shape])})"

    def parameters(self, structure: str) -> dict[str, Any]:
        return {
            **self.source.parameters,
            "ps_format": self.file_format,
            "ps_structure": structure,
            "ps_compression": self.kind,
        }


def quoted(name: str) -> str:
    r"""Return a name as SQL's identifier.

    >>> quoted("a`b")
    '`a\\\\`b`'
    """
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _columns(loader: Client, call: _Call, first: bytes, file: StoredFile) -> list[Found]:
    ingestion = call.ingestion
    if call.file_format == "Parquet":
        if call.kind != "none":
            raise EngineUnfitError("a packed Parquet file is unpacked by the worker")
        return _described(loader, call, file)
    head = unpacked_head(first, call.kind)
    is_whole = file.size <= len(first) and len(head) < HEAD_BYTES
    if not is_utf8(ingestion.csv.encoding):
        raise EngineUnfitError("the engine reads UTF-8 only")
    if not head.strip():
        raise EngineUnfitError("nothing to see at its beginning; the worker says why")
    if b"\r" in head.partition(b"\n")[0].removesuffix(b"\r"):
        raise EngineUnfitError("its lines end as the engine does not know it")
    if call.file_format == "CSV":
        return delimited_columns(head, ingestion, path=file.path, is_whole=is_whole)
    keys = json_keys(head)
    declared = {column.source_name for column in target_of(ingestion).columns}
    if keys is None or set(keys) != declared or (ingestion.format == "json") != head.lstrip().startswith(b"["):
        raise EngineUnfitError("its first record does not show all declared columns")
    return [Found(key) for key in keys]


def _described(loader: Client, call: _Call, file: StoredFile) -> list[Found]:
    """Return a Parquet file's columns as the engine sees them: its footer, read by the engine."""
    [(rows, columns, unpacked)] = loader.query(
        f"SELECT num_rows, num_columns, total_uncompressed_size FROM {call.table_function}",  # noqa: S608 - names are checked, values parameters
        parameters={**call.parameters("auto"), "ps_format": "ParquetMetadata"},
        settings=_FEW_RETRIES.get(call.source.function, {}),
    ).result_rows
    refuse_inflated(call.ingestion, path=file.path, rows=rows, columns=columns, unpacked=unpacked)
    # `auto` lets the engine look into the file.
    rows = loader.query(f"DESCRIBE {call.table_function}", parameters=call.parameters("auto")).result_rows
    few = {
        column.source_name for column in target_of(call.ingestion).columns if column.type.startswith("LowCardinality")
    }
    return [Found(str(name), _read_as(str(kind), is_few=name in few)) for name, kind, *_ in rows]


def _read_as(kind: str, *, is_few: bool) -> str:
    """Return the type that a column is read as; texts that repeat stay a dictionary, and are checked once each."""
    if type_name(kind).kind != "text":
        return kind
    return "LowCardinality(Nullable(String))" if is_few else "Nullable(String)"


def _most_bytes(ingestion: Ingestion, file: StoredFile, kind: Compression) -> int:
    """Return how much a file may unpack to.

    Raises:
        FileContentError: it is larger as it is.
    """
    limits = ingestion.limits
    if kind == "none" and file.size > limits.unpacked_bytes:
        raise FileContentError(
            f"{file.path}: {file.size:,} bytes exceed the limit of {limits.unpacked_bytes:,}; "
            "deliver it in parts, or raise `limits.unpacked_bytes` of the ingestion"
        )
    return min(limits.unpacked_bytes, max(int(limits.unpack_ratio * file.size), RATIO_FREE_BYTES))
