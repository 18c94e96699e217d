"""A file as its store lists it, and what becomes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FileState(StrEnum):
    """Where a file stands.

    `new` waits (never seen, changed since, or to be tried again by the next run); `loading` is being read under a
    claim; `failed` is tried again while attempts are left; `quarantined` only once its content changes or a person
    releases it; `skipped` vanished, or was replaced, before it could be read.
    """

    NEW = "new"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"


class RunState(StrEnum):
    """Where a run of an ingestion stands; `partial` loaded some files and not others."""

    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True)
class StoredFile:
    """One file as listed.

    Attributes:
        path: below the store's root (bucket, container, or `/`), no leading slash, as the store spells it.
        size: bytes.
        modified_at: UTC.
        etag: the store's own version tag without quotes; empty where it has none.
    """

    path: str
    size: int
    modified_at: datetime
    etag: str = ""

    @property
    def version(self) -> str:
        """Name of the content: the etag, or where there is none the size and the time of the last change.

        >>> from datetime import UTC
        >>> StoredFile("a.csv", 3, datetime(2017, 9, 30, 12, tzinfo=UTC)).version
        '3-1506772800000000'
        """
        microseconds = int(self.modified_at.timestamp() * 1_000_000)
        return self.etag or f"{self.size}-{microseconds}"


@dataclass(frozen=True)
class Loaded:
    """What reading one file came to.

    Attributes:
        rows: that its content holds for the target.
        rows_quarantined: set aside, with their reasons.
        bytes: read, as stored.
        reader: `engine` or `worker`.
        first_bad_line: the first record that was set aside, and why; empty where none was.
        schema_changes: one sentence for each column added, rescued or missing.
        load_id: under which its rows stand, where that is another than the one given; 0: the one given.
        rows_changed: of these, new or revised in a ledger; None: all of them.
    """

    rows: int
    rows_quarantined: int = 0
    bytes: int = 0
    reader: str = "worker"
    first_bad_line: str = ""
    schema_changes: tuple[str, ...] = ()
    load_id: int = 0
    rows_changed: int | None = None
