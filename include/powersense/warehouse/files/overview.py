"""What people see of the file autoloader: ingestions, their runs, their files, and each attempt at a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Later than any run or load, and above any id or path: where the newest page begins.
NEWEST = (datetime(2200, 1, 1, tzinfo=UTC), "")


@dataclass(frozen=True)
class RunSummary:
    """One run of an ingestion; instants in UTC.

    Attributes:
        state: of `RunState`; `requested` while a person's request waits for its start, `lapsed` after a day without.
        requested_by: who asked for it through the API; empty for a scheduled one.
        scheduled_for: the tick that it belongs to; None for one that was asked for.
        started_at: when it began, or was asked for.
        seconds: that it took; None until it ends.
        files_waiting: left for the next run by `max_files_per_run`.
        error: of the run as a whole; those of single files stand at the files.
    """

    ingestion: str
    run_id: str
    state: str
    is_dry_run: bool
    is_full_listing: bool
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
    requested_by: str


@dataclass(frozen=True)
class IngestionSummary:
    """One declared ingestion and where it stands; instants in UTC.

    Attributes:
        declaration: `files.declaration.Ingestion` as JSON.
        origin: `yaml` or `api`.
        files: number of files by state.
        rows: that the loaded files hold now.
        bytes: of the loaded files.
        newest_loaded_at: when a file was last loaded; None before the first.
        newest_came_at: when a file last came or changed, whatever became of it; None before the first.
        last_run: its newest run that loads; None before the first.
    """

    ingestion: str
    declaration: str
    origin: str
    is_enabled: bool
    changed_by: str
    changed_at: datetime
    files: Mapping[str, int]
    rows: int
    bytes: int
    newest_loaded_at: datetime | None
    newest_came_at: datetime | None
    last_run: RunSummary | None


@dataclass(frozen=True)
class FileSummary:
    """One file and its state; instants in UTC. `loaded_version` is the content whose rows readers see."""

    path: str
    state: str
    version: str
    loaded_version: str
    size: int
    modified_at: datetime
    attempts: int
    rows: int
    run_id: str
    claimed_until: datetime | None
    first_seen_at: datetime
    loaded_at: datetime | None
    error: str


@dataclass(frozen=True)
class LoadSummary:
    """One attempt at a file; instants in UTC. `first_bad_line` is the first record that was set aside."""

    path: str
    version: str
    attempt: int
    run_id: str
    outcome: str
    reader: str
    rows: int
    rows_changed: int
    rows_quarantined: int
    bytes: int
    seconds: float
    error: str
    first_bad_line: str
    schema_changes: Sequence[str]
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class PlannedSummary:
    """One file that a run found to be loaded; `reason`: `new`, `changed`, `retried`, or `waiting` for the next run."""

    path: str
    reason: str
    size: int
    modified_at: datetime


def ingestions(client: Client, *, after: str = "", name: str = "", limit: int = 100) -> list[IngestionSummary]:
    """Return declared ingestions in the order of their names.

    Args:
        client: any role's client.
        after: the name that they stand behind.
        name: one ingestion's; empty for any.
        limit: how many at most.
    """
    found = _rows(client, "file_overview_ingestions", after=after, ingestion=name, limit=limit)
    last = {row["ingestion"]: row.pop("last_run_id") for row in found}
    run_ids = sorted({run_id for run_id in last.values() if run_id})
    # Ids are Airflow's: two ingestions may have the same one.
    named = runs(client, list(last), run_ids=run_ids, limit=len(last) * len(run_ids)) if run_ids else []
    newest = {(run.ingestion, run.run_id): run for run in named}
    return [IngestionSummary(**row, last_run=newest.get((row["ingestion"], last[row["ingestion"]]))) for row in found]


def runs(
    client: Client,
    names: Sequence[str],
    *,
    run_ids: Sequence[str] = (),
    before: tuple[datetime, str] = NEWEST,
    limit: int = 50,
) -> list[RunSummary]:
    """Return runs, the newest first.

    Args:
        client: any role's client.
        names: of the ingestions.
        run_ids: of the runs; empty for any.
        before: (start, run id) that they stand behind.
        limit: how many at most.
    """
    parameters = {"ingestions": list(names), "run_ids": list(run_ids), "before": before[0], "before_run": before[1]}
    return [RunSummary(**row) for row in _rows(client, "file_overview_runs", **parameters, limit=limit)]


def files(  # noqa: PLR0913 - the bounds of one read
    client: Client, name: str, *, state: str = "", containing: str = "", after: str = "", limit: int = 100
) -> list[FileSummary]:
    """Return files of an ingestion in the order of their paths.

    Args:
        client: any role's client.
        name: of the ingestion.
        state: of `FileState`; empty for any.
        containing: a text that the path holds, in upper or lower case; empty for any.
        after: the path that they stand behind.
        limit: how many at most.
    """
    parameters = {"ingestion": name, "state": state, "containing": containing, "after": after, "limit": limit}
    return [FileSummary(**row) for row in _rows(client, "file_overview_files", **parameters)]


def loads(  # noqa: PLR0913 - the bounds of one read
    client: Client,
    name: str,
    *,
    run_id: str = "",
    path: str = "",
    outcome: str = "",
    before: tuple[datetime, str, int] = (*NEWEST, 0),
    limit: int = 100,
) -> list[LoadSummary]:
    """Return attempts at files of an ingestion, the newest first.

    Args:
        client: any role's client.
        name: of the ingestion.
        run_id: of the run that made them; empty for any.
        path: of the file; empty for any.
        outcome: of the attempt; empty for any.
        before: (end, path, attempt) that they stand behind.
        limit: how many at most.
    """
    parameters = {
        "ingestion": name,
        "run_id": run_id,
        "path": path,
        "outcome": outcome,
        "before": before[0],
        "before_path": before[1],
        "before_attempt": before[2],
        "limit": limit,
    }
    return [LoadSummary(**row) for row in _rows(client, "file_overview_loads", **parameters)]


def planned(client: Client, name: str, run_id: str, *, after: str = "", limit: int = 100) -> list[PlannedSummary]:
    """Return what a run found to be loaded, in the order of the paths: for a dry run the whole of its result.

    Args:
        client: any role's client.
        name: of the ingestion.
        run_id: of the run.
        after: the path that they stand behind.
        limit: how many at most.
    """
    parameters = {"ingestion": name, "run_id": run_id, "after": after, "limit": limit}
    return [PlannedSummary(**row) for row in _rows(client, "file_overview_planned", **parameters)]


def _rows(client: Client, name: str, **parameters: Any) -> list[dict[str, Any]]:
    found = client.query(statement(name), parameters=parameters).named_results()
    return [{key: utc(value) if isinstance(value, datetime) else value for key, value in row.items()} for row in found]
