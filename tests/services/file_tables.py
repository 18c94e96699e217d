"""A folder of files, declared ingestions over it, and loads of one file, for the tests of tables."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from powersense.autoloader.tables import load_table_file, prepare_target
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import Loaded, StoredFile
from powersense.sources.object_stores.opening import open_store
from powersense.warehouse.client import connect, connect_loader

LOAD_COLUMNS = (
    {"name": "observed_at", "type": "DateTime('UTC')"},
    {"name": "area", "type": "LowCardinality(String)"},
    {"name": "load_mw", "type": "Nullable(Float64)"},
    {"name": "note", "type": "Nullable(String)"},
)


@dataclass
class Tables:
    """Loads files of a folder into tables on the test engine; one client a role, and a table of its own each time.

    Attributes:
        folder: where the files lie.
        files_database: where the tables are.
        table: of the ingestion declared last.
    """

    folder: Path
    files_database: str
    table: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Tables:
        self.client = self._stack.enter_context(connect("writer"))
        self.loader = self._stack.enter_context(connect_loader())
        self.reader = self._stack.enter_context(connect("reader"))
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def declare(self, **given: Any) -> Ingestion:
        """Return an ingestion of the folder into a new table; `columns`, `key`, `mode`, `table` go to its target."""
        self.table = given.pop("table", f"t_{secrets.token_hex(4)}")
        target = {"kind": "table", "table": self.table, "columns": given.pop("columns", LOAD_COLUMNS)}
        target |= {name: given.pop(name) for name in ("key", "mode") if name in given}
        options = {"name": self.table, "format": "csv", "uri": f"file://{self.folder}/*"} | given
        return Ingestion.model_validate({**options, "target": target})

    def file(self, ingestion: Ingestion, name: str) -> StoredFile:
        """Return a file of the folder as it is listed now."""
        return open_store(ingestion).stat(str(self.folder / name).lstrip("/"))

    def write(self, name: str, content: bytes | str, *, modified_at: datetime | None = None) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        if modified_at is not None:
            os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
        return path

    def load(
        self,
        ingestion: Ingestion,
        name: str,
        content: bytes | str | None = None,
        *,
        seconds: float = 60,
        modified_at: datetime | None = None,
        file: StoredFile | None = None,
    ) -> Loaded:
        """Write a file unless it is there, and load it as a run would."""
        if content is not None:
            self.write(name, content, modified_at=modified_at)
        prepare_target(self.client, ingestion)
        return load_table_file(
            self.client,
            self.loader,
            ingestion,
            file or self.file(ingestion, name),
            open_store(ingestion),
            load_id=secrets.randbits(62) + 1,
            run_id="test",
            deadline=datetime.now(tz=UTC) + timedelta(seconds=seconds),
        )

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        """Return what readers see in the table declared last, sorted."""
        return list(
            self.reader.query(f"SELECT {columns} FROM {self.files_database}.{self.table} ORDER BY ALL").result_rows
        )

    def set_aside(self) -> list[tuple[str, str, str]]:
        """Return reason, detail and record of what was set aside of the ingestion declared last."""
        rows = self.reader.query(
            "SELECT reason, detail, record FROM quarantine FINAL WHERE source = {source:String} ORDER BY record",
            parameters={"source": f"file:{self.table}"},
        ).result_rows
        return [(str(reason), str(detail), str(record)) for reason, detail, record in rows]
