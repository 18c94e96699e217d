"""Table `file_runs`: one row per run of an ingestion, its latest state."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powersense.files.stored_file import RunState
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class FileRun:
    """A run's record; instants in UTC.

    Attributes:
        ingestion: its name.
        run_id: Airflow's, or that of the command line.
        started_at: beginning.
        state: where it stands.
        is_dry_run: it only lists what would be loaded.
        is_full_listing: it listed everything, not only the newest partitions.
        scheduled_for: the tick of the schedule that it serves; None where someone asked for it.
        comparison_id: names its rows in `file_candidates`; empty before they are there.
        finished_at: end; None while it runs.
        seconds: it took.
        files_listed: found in the store.
        files_new, files_changed, files_retried: of these, to be loaded: never seen; with other content than loaded;
            failed, skipped, abandoned or left waiting earlier.
        files_waiting: of these, left to the next run.
        files_loaded, files_failed, files_quarantined, files_skipped: how the files that it took ended.
        rows_loaded: in the files that it loaded.
        rows_changed: of these, new or revised ones; a table's are all new.
        rows_quarantined: records that it set aside.
        bytes_read: as stored, all attempts.
        error: why it failed, or which file did first; empty where nothing did.
    """

    ingestion: str
    run_id: str
    started_at: datetime
    state: RunState = RunState.RUNNING
    is_dry_run: bool = False
    is_full_listing: bool = True
    scheduled_for: datetime | None = None
    comparison_id: str = ""
    finished_at: datetime | None = None
    seconds: float | None = None
    files_listed: int = 0
    files_new: int = 0
    files_changed: int = 0
    files_retried: int = 0
    files_waiting: int = 0
    files_loaded: int = 0
    files_failed: int = 0
    files_quarantined: int = 0
    files_skipped: int = 0
    rows_loaded: int = 0
    rows_changed: int = 0
    rows_quarantined: int = 0
    bytes_read: int = 0
    error: str = ""


@dataclass(frozen=True)
class Outcomes:
    """How the files that a run took have ended; fields as in `FileRun`.

    Attributes:
        files_untried: taken, and never begun: their task ended before.
        error: of the file that went wrong first, with its path.
    """

    files_loaded: int
    files_failed: int
    files_quarantined: int
    files_skipped: int
    files_untried: int
    rows_loaded: int
    rows_changed: int
    rows_quarantined: int
    bytes_read: int
    error: str


@dataclass(frozen=True)
class Standing:
    """What the runs of an ingestion have come to.

    Attributes:
        last_tick: newest tick of the schedule that a run serves, UTC; None before the first.
        is_running: a run of it is under way.
        last_full_listing: start of the newest run that listed everything; None before the first.
    """

    last_tick: datetime | None = None
    is_running: bool = False
    last_full_listing: datetime | None = None


_COLUMNS = tuple(field.name for field in fields(FileRun))
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def write(client: Client, run: FileRun) -> None:
    """Write a run's present state; the newest counts."""
    row = asdict(run)
    client.insert(
        "file_runs",
        [[row[name] for name in _COLUMNS]],
        column_names=list(_COLUMNS),
        settings={"insert_deduplicate": 0},
    )


def read(client: Client, *, ingestion: str, run_id: str) -> FileRun | None:
    """Return a run's record; None where there is none."""
    found = client.query(statement("file_run"), parameters={"ingestion": ingestion, "run_id": run_id})
    for row in found.named_results():
        return FileRun(**{**row, "state": RunState(row["state"])})
    return None


def outcomes(client: Client, run: FileRun) -> Outcomes:
    """Return how the files that a run took have ended, each by its last attempt since the comparison."""
    parameters = {"ingestion": run.ingestion, "run_id": run.run_id, "comparison_id": run.comparison_id}
    for row in client.query(statement("file_run_outcomes"), parameters=parameters).named_results():
        return Outcomes(**row)
    return Outcomes(0, 0, 0, 0, 0, 0, 0, 0, 0, "")


def standings(client: Client, *, alive_since: datetime) -> dict[str, Standing]:
    """Return by ingestion what its runs have come to.

    Args:
        client: any role's client.
        alive_since: a run that began before and has no end is not under way any more, UTC.
    """
    found = client.query(statement("file_runs_newest"), parameters={"alive_since": alive_since}).named_results()
    return {
        row["ingestion"]: Standing(
            last_tick=row["last_tick"],
            is_running=bool(row["is_running"]),
            last_full_listing=row["last_full_listing"] if row["last_full_listing"] > _NEVER else None,
        )
        for row in found
    }


def fail_abandoned(client: Client, *, ingestion: str, alive_since: datetime) -> None:
    """Record runs that began before `alive_since` and never ended as failed."""
    client.command(
        statement("file_runs_abandoned"),
        parameters={
            "ingestion": ingestion,
            "alive_since": alive_since,
            "error": "the run ended without a word; see the log of its tasks",
        },
    )
