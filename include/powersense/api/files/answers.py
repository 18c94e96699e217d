"""What the routes of file ingestions answer, as the API's description shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel

from powersense.files.declaration import Ingestion, TableTarget
from powersense.files.stored_file import FileState
from powersense.warehouse.files.overview import FileSummary, IngestionSummary, LoadSummary, PlannedSummary, RunSummary

RunStateName = Literal["requested", "lapsed", "running", "success", "partial", "failed"]
FileStateName = Literal["new", "loading", "loaded", "failed", "quarantined", "skipped"]
OutcomeName = Literal["loaded", "failed", "quarantined", "skipped"]


class FileRun(BaseModel):
    """One run of an ingestion; instants in UTC.

    `requested` waits for `schedule_file_loads`, which looks each minute; `lapsed` waited a day in vain.
    """

    run_id: str
    state: RunStateName
    is_dry_run: bool
    is_full_listing: bool
    requested_by: str
    scheduled_for: datetime | None
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    files_listed: int
    files_new: int
    files_changed: int
    files_retried: int
    files_waiting: int
    files_loaded: int
    files_failed: int
    files_quarantined: int
    files_skipped: int
    rows_loaded: int
    rows_changed: int
    rows_quarantined: int
    bytes_read: int
    error: str


class FileIngestion(BaseModel):
    """A declared ingestion and where it stands.

    `next_due_at` is None without a schedule or while it is not enabled; `is_overdue` tells that no file came
    for `deadline_hours`; `files` counts files by state.
    """

    name: str
    description: str
    uri: str
    format: str
    target: str
    schedule: str
    is_enabled: bool
    origin: Literal["yaml", "api"]
    changed_by: str
    changed_at: datetime
    next_due_at: datetime | None
    deadline_hours: float | None
    is_overdue: bool
    newest_loaded_at: datetime | None
    newest_came_at: datetime | None
    files: dict[FileStateName, int]
    rows: int
    bytes: int
    last_run: FileRun | None


class DeclaredIngestion(FileIngestion):
    """A declared ingestion with the whole of its declaration."""

    declaration: Ingestion


class StoredFileStatus(BaseModel):
    """One file; `is_replaced` tells that readers still see the rows of an earlier content. Instants in UTC."""

    path: str
    state: FileStateName
    size: int
    modified_at: datetime
    version: str
    loaded_version: str
    is_replaced: bool
    attempts: int
    rows: int
    run_id: str
    claimed_until: datetime | None
    first_seen_at: datetime
    loaded_at: datetime | None
    error: str


class FileLoad(BaseModel):
    """One attempt at a file. Instants in UTC."""

    path: str
    version: str
    attempt: int
    run_id: str
    outcome: OutcomeName
    reader: str
    rows: int
    rows_changed: int
    rows_quarantined: int
    bytes: int
    seconds: float
    error: str
    first_bad_line: str
    schema_changes: list[str]
    started_at: datetime
    finished_at: datetime


class PlannedFile(BaseModel):
    """One file that a run found to be loaded, and why; `waiting` is left to the next run."""

    path: str
    size: int
    modified_at: datetime
    reason: Literal["new", "changed", "retried", "waiting"]


class IngestionPage(BaseModel):
    """Ingestions by name; `next` is the `after` of the next page, None on the last."""

    items: list[FileIngestion]
    next: str | None


class RunPage(BaseModel):
    """Runs, the newest first; `next` is the `after` of the next page, None on the last."""

    items: list[FileRun]
    next: str | None


class FilePage(BaseModel):
    """Files by path; `next` is the `after` of the next page, None on the last."""

    items: list[StoredFileStatus]
    next: str | None


class LoadPage(BaseModel):
    """Attempts, the newest first; `next` is the `after` of the next page, None on the last."""

    items: list[FileLoad]
    next: str | None


class PlanPage(BaseModel):
    """Files by path; `next` is the `after` of the next page, None on the last."""

    items: list[PlannedFile]
    next: str | None


class RequestedRun(BaseModel):
    """A run that was asked for; Airflow starts it under `run_id` within a minute or so."""

    request_id: str
    run_id: str
    is_dry_run: bool


def run_answer(run: RunSummary) -> FileRun:
    """Return a run as it is answered."""
    return FileRun(**{key: value for key, value in asdict(run).items() if key != "ingestion"})


def ingestion_answer(summary: IngestionSummary, *, now: datetime) -> FileIngestion:
    """Return an ingestion as it is listed.

    Args:
        summary: what is stored.
        now: the wall clock, UTC; by it an ingestion is due, or overdue.
    """
    return FileIngestion(**_fields(summary, Ingestion.model_validate_json(summary.declaration), now=now))


def declared_answer(summary: IngestionSummary, *, now: datetime) -> DeclaredIngestion:
    """Return an ingestion with its declaration; see `ingestion_answer`."""
    ingestion = Ingestion.model_validate_json(summary.declaration)
    return DeclaredIngestion(**_fields(summary, ingestion, now=now), declaration=ingestion)


def file_answer(file: FileSummary) -> StoredFileStatus:
    """Return a file as it is answered."""
    is_replaced = bool(file.loaded_version) and file.loaded_version != file.version
    return StoredFileStatus(**asdict(file), is_replaced=is_replaced)


def planned_answer(file: PlannedSummary) -> PlannedFile:
    """Return a file that a run found as it is answered."""
    return PlannedFile(**asdict(file))


def load_answer(load: LoadSummary) -> FileLoad:
    """Return an attempt as it is answered."""
    return FileLoad(**asdict(load))


def _fields(summary: IngestionSummary, ingestion: Ingestion, *, now: datetime) -> Mapping[str, Any]:
    target = ingestion.target
    return {
        "name": ingestion.name,
        "description": ingestion.description,
        "uri": ingestion.uri,
        "format": ingestion.format,
        "target": target.table if isinstance(target, TableTarget) else target.kind,
        "schedule": ingestion.schedule,
        "is_enabled": summary.is_enabled,
        "origin": summary.origin,
        "changed_by": summary.changed_by,
        "changed_at": summary.changed_at,
        "next_due_at": _next_due(ingestion.schedule, now=now) if summary.is_enabled else None,
        "deadline_hours": ingestion.deadline_hours,
        "is_overdue": summary.is_enabled and _is_overdue(summary, ingestion, now=now),
        "newest_loaded_at": summary.newest_loaded_at,
        "newest_came_at": summary.newest_came_at,
        "files": {state.value: summary.files.get(state.value, 0) for state in FileState},
        "rows": summary.rows,
        "bytes": summary.bytes,
        "last_run": run_answer(summary.last_run) if summary.last_run else None,
    }


def _next_due(schedule: str, *, now: datetime) -> datetime | None:
    from croniter import croniter

    return croniter(schedule, now).get_next(datetime).astimezone(UTC) if schedule else None


def _is_overdue(summary: IngestionSummary, ingestion: Ingestion, *, now: datetime) -> bool:
    # Before its first file an ingestion has the whole deadline from its declaration on.
    since = summary.newest_came_at or summary.changed_at
    return ingestion.deadline_hours is not None and now - since > timedelta(hours=ingestion.deadline_hours)
