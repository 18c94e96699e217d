"""The file streamed through this process: in chunks of bounded size, cast by the server, bad records set aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from powersense.autoloader.tables.delimited import read_delimited
from powersense.autoloader.tables.inserts import constants, insert_statement, reading_settings, seconds_left
from powersense.autoloader.tables.json_records import read_json
from powersense.autoloader.tables.layout import Fill, Layout, check_missing, lay_out
from powersense.autoloader.tables.parquet import read_parquet
from powersense.autoloader.tables.records import Chunk
from powersense.autoloader.tables.selection import MALFORMED, Selection, select_columns
from powersense.autoloader.tables.set_aside import BadRecord, SetAside
from powersense.autoloader.tables.target import grow_target, grown_columns, names_of
from powersense.autoloader.tables.types import type_name
from powersense.autoloader.unpacking import members
from powersense.contracts import QuarantineReason
from powersense.errors import FileContentError
from powersense.files.declaration import Column, Ingestion
from powersense.files.stored_file import StoredFile

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

    from powersense.sources.object_stores.opening import FileStore

_THROWN = 395  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
_LONGEST_VALUE = 200


class WorkerLoad:
    """One file's load through this process.

    Args:
        client: a writer's client.
        ingestion: its declaration.
        file: as listed.
        load_id: to write under.
        deadline: when the batch's time is up, UTC.
    """

    def __init__(
        self, client: Client, ingestion: Ingestion, file: StoredFile, *, load_id: int, deadline: datetime
    ) -> None:
        self._client = client
        self._ingestion = ingestion
        self._file = file
        self._load_id = load_id
        self._deadline = deadline
        self._known: list[Column] = []
        self._seen: dict[str, None] = {}
        self._laid_out: Layout | None = None
        self._chunks = 0
        self.rows = 0
        self.changes: dict[str, None] = {}
        self.aside = SetAside(ingestion, file)

    def run(self, store: FileStore) -> None:
        """Write the file's rows under the load; nothing is activated, nothing stored in quarantine.

        Raises:
            FileContentError: what it holds is not what its ingestion declares.
            FileChangedError: it is not what was listed.
            StoreError: its store does not give it, or the batch's time is up.
            DatabaseError: of clickhouse-connect; the server refused.
        """
        ingestion = self._ingestion
        if ingestion.schema_policy == "evolve":
            self._known = grown_columns(self._client, ingestion)
        with store.open(self._file) as stream:
            contents = members(
                stream,
                name=self._file.path,
                compression=ingestion.compression,
                limits=ingestion.limits,
                size=self._file.size,
            )
            for name, content in contents:
                self._laid_out = None
                path = name if name.startswith(f"{self._file.path}/") else self._file.path
                for chunk in _chunks(content, ingestion, path=path):
                    self._take(chunk)
        if ingestion.format in ("json", "json_each_row") and self.rows:
            self.changes |= dict.fromkeys(check_missing(ingestion, self._seen, path=self._file.path))
        self.aside.refuse_nothing_else(self.rows)

    def _take(self, chunk: Chunk) -> None:
        seconds_left(self._deadline)
        layout = self._layout(chunk)
        for broken in chunk.broken:
            self.aside.add(BadRecord(broken.number, QuarantineReason.MALFORMED_RECORD, broken.why, broken.text))
        if chunk.table.num_rows and self._columns_filled(layout):
            self._insert(chunk, layout)
        self._chunks += 1

    def _layout(self, chunk: Chunk) -> Layout:
        if self._laid_out is not None and self._laid_out.found == chunk.found:
            return self._laid_out
        is_json = self._ingestion.format in ("json", "json_each_row")
        found = [column for column in chunk.found if column.name != "_nothing"] if is_json else chunk.found
        layout = lay_out(self._ingestion, found, known=self._known, path=self._file.path, is_open=is_json)
        if layout.added:
            grow_target(self._client, self._ingestion, layout.added)
            self._known += layout.added
        self._seen |= dict.fromkeys(column.name for column in found)
        self.changes |= dict.fromkeys(layout.changes)
        self._laid_out = layout
        return layout

    def _columns_filled(self, layout: Layout) -> bool:
        return bool(layout.fills or layout.rescued or self._ingestion.format in ("json", "json_each_row"))

    def _insert(self, chunk: Chunk, layout: Layout) -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError

        try:
            self._send(chunk.table, chunk.numbers, layout, part=0)
            return
        except DatabaseError as error:
            if error.code != _THROWN or MALFORMED not in str(error):
                raise
        import numpy as np
        import pyarrow as pa

        bad = self._malformed(chunk, layout)
        for index, fill_number in bad.items():
            self.aside.add(_bad_record(chunk, index, layout.fills[fill_number - 1]))
        mask = np.ones(chunk.table.num_rows, dtype=bool)
        mask[list(bad)] = False
        sound = pa.array(mask)
        if mask.any():
            self._send(chunk.table.filter(sound), chunk.numbers.filter(sound), layout, part=1)

    def _send(self, table: pa.Table, numbers: pa.Array, layout: Layout, *, part: int) -> None:
        """Insert records in one request, which the server keeps whole or not at all; repeated, it keeps one."""
        selection = self._selection(layout, source="input({ps_structure:String})")
        self._client.command(
            f"{insert_statement(names_of(self._ingestion), selection, is_numbered=True)} FORMAT ArrowStream",
            parameters={
                **selection.parameters,
                **constants(self._ingestion, self._file, load_id=self._load_id),
                "ps_structure": _structure(layout),
            },
            data=_arrow(table, numbers),
            settings=reading_settings(self._ingestion, deadline=self._deadline)
            | {
                "insert_deduplication_token": f"{self._load_id}:{self._chunks}:{part}",
                # The chunk is one block of one part, so that a refusal leaves nothing of it.
                "max_insert_threads": 1,
                "min_insert_block_size_rows": 10_000_000,
                "min_insert_block_size_bytes": 1 << 30,
            },
        )
        self.rows += table.num_rows

    def _malformed(self, chunk: Chunk, layout: Layout) -> dict[int, int]:
        """Ask the server which records do not fit: position in the chunk → number of the first bad fill, from 1."""
        import numpy as np
        import pyarrow as pa
        from clickhouse_connect.driver.external import ExternalData

        selection = self._selection(layout, source="chunk")
        cases = ", ".join(f"{condition}, {number}" for number, condition in enumerate(selection.malformed, start=1))
        positions = pa.array(np.arange(chunk.table.num_rows, dtype=np.uint64))
        rows = self._client.query(
            f"SELECT record_number, toUInt32(multiIf({cases}, 0)) AS bad FROM ({selection.rows}) WHERE bad > 0 "  # noqa: S608 - names are checked, values parameters
            "ORDER BY record_number",
            parameters=selection.parameters,
            external_data=ExternalData(
                file_name="chunk",
                data=_arrow(chunk.table, positions),
                fmt="ArrowStream",
                structure=_structure(layout),
            ),
        ).result_rows
        return {int(position): int(number) for position, number in rows}

    def _selection(self, layout: Layout, *, source: str) -> Selection:
        names = tuple(f"c{position}" for position in range(len(layout.found)))
        return select_columns(layout, source=source, names=names, csv=self._ingestion.csv, row="record")


def _chunks(content: BinaryIO, ingestion: Ingestion, *, path: str) -> Iterator[Chunk]:
    if ingestion.format == "parquet":
        return read_parquet(content, ingestion, path=path)
    if ingestion.format in ("json", "json_each_row"):
        return read_json(content, ingestion, path=path)
    if ingestion.format in ("csv", "tsv"):
        return read_delimited(content, ingestion, path=path)
    raise FileContentError(f"{path}: format {ingestion.format!r} does not lead to a table of its own")


def _structure(layout: Layout) -> str:
    columns = [f"c{position} {column.type}" for position, column in enumerate(layout.found)]
    return ", ".join([*columns, "record UInt64"])


def _arrow(table: pa.Table, numbers: pa.Array) -> bytes:
    import pyarrow as pa

    whole = table.append_column("record", numbers).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _bad_record(chunk: Chunk, index: int, fill: Fill) -> BadRecord:
    record = {
        found.name: _plain(chunk.table.column(position)[index].as_py()) for position, found in enumerate(chunk.found)
    }
    name = chunk.found[fill.position].name
    value, wanted = record[name], type_name(fill.column.type)
    if wanted.kind == "text":
        reason, why = QuarantineReason.MALFORMED_RECORD, f"{name!r} is not UTF-8"
    elif value is None or not str(value).strip():
        reason, why = QuarantineReason.MISSING_KEY, f"{name!r} is empty, {fill.column.type} takes no empty value"
    else:
        kinds = {True: QuarantineReason.NOT_A_NUMBER, False: QuarantineReason.MALFORMED_RECORD}
        reason = QuarantineReason.BAD_INSTANT if wanted.is_instant else kinds[wanted.is_number]
        why = f"{name!r} is {str(value)[:_LONGEST_VALUE]!r}, no {wanted.base}"
    return BadRecord(int(chunk.numbers[index].as_py()), reason, why, record)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
