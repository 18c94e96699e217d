"""Tables `file_listings`, `file_candidates`, `file_states` and `file_claims`: what is known of each file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.summary import QuerySummary

from powersense.files.stored_file import FileState, StoredFile
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

ERROR_LENGTH = 4000
# A claim's number is free again where the engine remembers the token of an insert that a kill has lost.
_MAX_NUMBERS = 1000
_CLAIM_TYPES = (*("LowCardinality(String)", "String", "UInt32", "String", "String"), "DateTime64(6, 'UTC')")


@dataclass(frozen=True)
class Pending:
    """A file that is to be loaded.

    Attributes:
        file: as listed.
        attempts: at this content before.
        claims: number of the newest claim on it before.
    """

    file: StoredFile
    attempts: int
    claims: int


@dataclass(frozen=True)
class Compared:
    """What a comparison found to do; fields as in `file_runs.FileRun`, and the number of batches."""

    files_new: int
    files_changed: int
    files_retried: int
    files_waiting: int
    batches: int


def insert_listing(client: Client, page: pa.Table) -> None:
    """Insert a page of a listing: columns ingestion, listing_id, path, size, modified_at, etag."""
    client.insert_arrow("file_listings", page, settings={"insert_deduplicate": 0})


def server_now(client: Client) -> datetime:
    """Return the present by the clock of the server, which stamps states, claims and loads; UTC."""
    now: datetime = client.query("SELECT now64(6, 'UTC')").first_row[0]
    return now


def compare(client: Client, **parameters: Any) -> Compared:
    """Compare a listing with what is known, inside the server, and note what is to be done.

    Args:
        client: a writer's client.
        **parameters: of `file_compare.sql`; `is_dry_run`: leave `file_states` as it is.
    """
    is_dry_run = parameters.pop("is_dry_run")
    client.command(statement("file_compare"), parameters=parameters)
    counted = client.query(statement("file_candidates_counted"), parameters=parameters).named_results()
    compared = Compared(**next(iter(counted)))
    if not is_dry_run and compared.files_new + compared.files_changed:
        client.command(statement("file_candidates_noted"), parameters=parameters)
    return compared


def pending(client: Client, *, ingestion: str, comparison_id: str, batch: int, run_id: str) -> list[Pending]:
    """Return the files of a batch that are still to be loaded, those modified first before the others."""
    parameters = {"ingestion": ingestion, "comparison_id": comparison_id, "batch": batch, "run_id": run_id}
    return [_pending(row) for row in client.query(statement("file_batch"), parameters=parameters).named_results()]


def planned(client: Client, *, ingestion: str, comparison_id: str, limit: int) -> list[tuple[str, str, int]]:
    """Return the first files that a comparison wants to load, in their order: path, reason, size in bytes."""
    parameters = {"ingestion": ingestion, "comparison_id": comparison_id, "limit": limit}
    return [
        (str(path), str(reason), int(size))
        for path, reason, size in client.query(statement("file_planned"), parameters=parameters).result_rows
    ]


def claim(client: Client, one: Pending, *, ingestion: str, claimant: str, until: datetime) -> int | None:
    """Take the next claim on a file, of which the engine gives each number to one claimant only.

    Args:
        client: a writer's client.
        one: the file as it stood when the batch was read.
        ingestion: its name.
        claimant: who claims; the same one may claim again after its own end.
        until: the claimant is done by then, or takes its file as lost, UTC.

    Returns:
        The claim's number; None where somebody else has the file.
    """
    path = one.file.path
    for number in range(one.claims + 1, one.claims + 1 + _MAX_NUMBERS):
        client.insert(
            "file_claims",
            [[ingestion, path, number, one.file.version, claimant, until]],
            column_names=["ingestion", "path", "number", "version", "claimant", "claimed_until"],
            column_type_names=_CLAIM_TYPES,
            settings={"insert_deduplication_token": f"{ingestion}:{number}:{path}"},
        )
        parameters = {"ingestion": ingestion, "path": path, "number": number}
        for holder, is_alive in client.query(statement("file_claim_holder"), parameters=parameters).result_rows:
            if holder == claimant:
                return number
            if is_alive:
                return None
    return None


def mark_loading(  # noqa: PLR0913 - keyword-only
    client: Client, path: str, *, ingestion: str, number: int, run_id: str, until: datetime
) -> None:
    """Record that a file is being loaded under a claim."""
    parameters = {"ingestion": ingestion, "path": path, "number": number, "run_id": run_id, "claimed_until": until}
    client.command(statement("file_state_loading"), parameters=parameters)


def mark_ended(  # noqa: PLR0913 - one argument a column
    client: Client,
    file: StoredFile,
    state: FileState,
    *,
    ingestion: str,
    number: int,
    attempt: int,
    run_id: str,
    load_id: int = 0,
    rows: int = 0,
    error: str = "",
) -> None:
    """Record how an attempt at a file has ended; where a later claim was taken, that one's record stands."""
    parameters = {
        "ingestion": ingestion,
        "path": file.path,
        "state": str(state),
        "version": file.version,
        "load_id": load_id,
        "size": file.size,
        "modified_at": file.modified_at,
        "etag": file.etag,
        "attempt": attempt,
        "number": number,
        "rows": rows,
        "run_id": run_id,
        "error": error[:ERROR_LENGTH],
    }
    client.command(statement("file_state_ended"), parameters=parameters)


def fail_abandoned(client: Client, *, ingestion: str, run_id: str) -> None:
    """Record files that an ended run has left in state `loading` as failed, so that the next run takes them."""
    error = "the task ended while it was loading this file; see its log"
    parameters = {"ingestion": ingestion, "run_id": run_id, "error": error}
    client.command(statement("file_loads_abandoned"), parameters=parameters)
    client.command(statement("file_states_abandoned"), parameters=parameters)


def release(client: Client, *, ingestion: str, path: str) -> bool:
    """Let the next run try a quarantined or failed file again, as if for the first time; tell whether there was one."""
    summary = client.command(statement("file_state_released"), parameters={"ingestion": ingestion, "path": path})
    return isinstance(summary, QuerySummary) and bool(summary.written_rows)


def insert_load(client: Client, row: dict[str, Any]) -> None:
    """Insert one attempt's row into `file_loads`."""
    client.insert("file_loads", [list(row.values())], column_names=list(row), settings={"insert_deduplicate": 0})


def _pending(row: dict[str, Any]) -> Pending:
    file = StoredFile(row["path"], row["size"], row["modified_at"], row["etag"])
    return Pending(file, attempts=row["attempts"], claims=row["claims"])
