"""Load the files of a batch, each under a claim: read, store, record how it went."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from powersense.errors import (
    ConfigurationError,
    FileChangedError,
    FileContentError,
    FileLoadError,
    PowerSenseError,
    StoreAccessError,
    WarehouseUnavailableError,
)
from powersense.files.declaration import Ingestion, TableTarget
from powersense.files.stored_file import FileState, Loaded, StoredFile
from powersense.settings import get_settings
from powersense.warehouse.files import states as file_states
from powersense.warehouse.files.states import Pending

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.object_stores.opening import FileStore

logger = logging.getLogger(__name__)

# One unreadable file is its own matter; several in a row are the credentials'.
_MOST_REFUSALS = 3


class BatchFailedError(FileLoadError):
    """Files of a batch failed that may succeed when tried again.

    Attributes:
        needs_a_person: trying again is of no use before somebody has acted: the store refused the credentials.
    """

    def __init__(self, message: str, *, needs_a_person: bool = False) -> None:
        super().__init__(message)
        self.needs_a_person = needs_a_person


@dataclass
class BatchOutcome:
    """How the files of a batch ended.

    Attributes:
        counts: by outcome; `taken_elsewhere` counts those that another run is loading, `left` those that were not
            tried: no time was left, or the store refused one file after the other.
        failures: what those said that failed and are not quarantined.
        refusals: how many of these the store refused, which trying again does not change.
        refused_in_a_row: the newest of them, without any other outcome in between.
    """

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("loaded", "failed", "quarantined", "skipped", "taken_elsewhere", "left"), 0
        )
    )
    failures: list[str] = field(default_factory=list)
    refusals: int = 0
    refused_in_a_row: int = 0

    def raise_failures(self, ingestion: Ingestion) -> None:
        """Raise where a file failed, or was left, that may be loaded when tried again.

        Raises:
            BatchFailedError: names the first files.
        """
        if not self.failures and not self.counts["left"]:
            return
        told = self.failures[:3] + (["…"] if len(self.failures) > 3 else [])
        if self.counts["left"]:
            told.append(
                f"{self.counts['left']} files were left; timeout_minutes={ingestion.timeout_minutes} and "
                f"batch_files={ingestion.batch_files} say what a task takes"
            )
        needs_a_person = bool(self.refusals) and self.refusals == len(self.failures)
        raise BatchFailedError(f"{ingestion.name}: {'; '.join(told)}", needs_a_person=needs_a_person)


@dataclass(frozen=True)
class Attempt:
    """One attempt at a file, under a claim that lasts until `deadline`."""

    ingestion: Ingestion
    file: StoredFile
    number: int
    claim: int
    load_id: int
    run_id: str
    started_at: datetime
    deadline: datetime


def load_batch(client: Client, ingestion: Ingestion, pending: list[Pending], *, run_id: str) -> BatchOutcome:
    """Load files one after another; one that fails keeps none of the others out.

    Args:
        client: a writer's client.
        ingestion: the declaration.
        pending: the files.
        run_id: the run; a repeated task of it takes over what its predecessor has left.

    Raises:
        ConfigurationError: the store's connection or the target is not as declared.
        WarehouseUnavailableError: ClickHouse went away; files under way are tried again.
    """
    from powersense.sources.object_stores.opening import open_store
    from powersense.warehouse.client import connect_loader

    outcome = BatchOutcome()
    if not pending:
        return outcome
    deadline = datetime.now(UTC) + timedelta(minutes=ingestion.timeout_minutes)
    store = open_store(ingestion)
    with connect_loader() as loader:
        for index, one in enumerate(pending):
            if datetime.now(UTC) >= deadline or outcome.refused_in_a_row >= _MOST_REFUSALS:
                outcome.counts["left"] += len(pending) - index
                break
            attempt = _claimed(client, ingestion, one, run_id=run_id, deadline=deadline)
            if attempt is None:
                outcome.counts["taken_elsewhere"] += 1
                continue
            _settle(client, loader, attempt, store, outcome)
    return outcome


def load_one(client: Client, loader: Client | None, attempt: Attempt, store: FileStore) -> Loaded:
    """Load one file into its target; the last step makes its rows visible, all at once.

    Raises:
        FileContentError: what it holds is not what was declared, or it is larger than allowed.
        FileChangedError: it is not what was listed any more.
        StoreError: the store failed.
        WarehouseError: ClickHouse failed.
    """
    from powersense.autoloader.ledgers import load_ledger_file
    from powersense.autoloader.tables import load_table_file

    ingestion, file = attempt.ingestion, attempt.file
    if file.size > ingestion.limits.file_bytes:
        raise FileContentError(
            f"{file.path} has {file.size} bytes, above limits.file_bytes={ingestion.limits.file_bytes}; "
            "raise the limit if the file is right"
        )
    facts = {"load_id": attempt.load_id, "run_id": attempt.run_id, "deadline": attempt.deadline}
    if isinstance(ingestion.target, TableTarget):
        return load_table_file(client, loader, ingestion, file, store, **facts)  # type: ignore[arg-type]
    return load_ledger_file(client, ingestion, file, store, **facts)  # type: ignore[arg-type]


def _claimed(client: Client, ingestion: Ingestion, one: Pending, *, run_id: str, deadline: datetime) -> Attempt | None:
    """Claim a file and record that it is being loaded; None where another run has it."""
    now = datetime.now(UTC)
    until = max(deadline, now + timedelta(minutes=get_settings().file_claim_minutes))
    name = ingestion.name
    claim = file_states.claim(client, one, ingestion=name, claimant=run_id, until=until)
    if claim is None:
        logger.info("%s: another run is loading %s", name, one.file.path)
        return None
    file_states.mark_loading(client, one.file.path, ingestion=name, number=claim, run_id=run_id, until=until)
    return Attempt(
        ingestion=ingestion,
        file=one.file,
        number=one.attempts + 1,
        claim=claim,
        load_id=secrets.randbits(63) + 1,
        run_id=run_id,
        started_at=now,
        deadline=deadline,
    )


def _settle(client: Client, loader: Client | None, attempt: Attempt, store: FileStore, outcome: BatchOutcome) -> None:
    """Make an attempt, and record how it ended."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    last = attempt.number > attempt.ingestion.retries
    if attempt.number > attempt.ingestion.retries + 1:
        unfinished = FileLoadError(
            f"{attempt.number - 1} attempts did not come to an end, or met another file than the listed one; "
            "see the logs of their tasks, then release the file"
        )
        _record(client, attempt, FileState.QUARANTINED, outcome, error=unfinished)
        return
    try:
        loaded = load_one(client, loader, attempt, store)
    except FileContentError as error:
        _record(client, attempt, FileState.QUARANTINED, outcome, error=error)
    except FileChangedError as error:
        _record(client, attempt, FileState.SKIPPED, outcome, error=error)
    except (ConfigurationError, WarehouseUnavailableError):
        raise
    except StoreAccessError as error:
        # No attempt of the file's: it must not be quarantined for what is wrong with the credentials.
        _record(client, replace(attempt, number=attempt.number - 1), FileState.FAILED, outcome, error=error)
        outcome.refusals += 1
    except (PowerSenseError, DatabaseError) as error:
        # Without a code of the server's the answer never came: `connect` says that the server is away.
        if isinstance(error, DatabaseError) and error.code is None:
            raise
        _record(client, attempt, FileState.QUARANTINED if last else FileState.FAILED, outcome, error=error)
    else:
        _record(client, attempt, FileState.LOADED, outcome, loaded=loaded)


def _record(  # noqa: PLR0913 - keyword-only
    client: Client,
    attempt: Attempt,
    state: FileState,
    outcome: BatchOutcome,
    *,
    loaded: Loaded | None = None,
    error: Exception | None = None,
) -> None:
    """Write an attempt's row into `file_loads`, and the file's state."""
    found = loaded or Loaded(rows=0)
    message = f"{type(error).__name__}: {error}" if error else ""
    load_id = (found.load_id or attempt.load_id) if loaded else 0
    row = {
        "ingestion": attempt.ingestion.name,
        "path": attempt.file.path,
        "version": attempt.file.version,
        "load_id": load_id,
        "attempt": attempt.number,
        "run_id": attempt.run_id,
        "outcome": str(state),
        "reader": found.reader if loaded else "",
        "rows": found.rows,
        "rows_changed": found.rows if found.rows_changed is None else found.rows_changed,
        "rows_quarantined": found.rows_quarantined,
        "bytes": found.bytes,
        "seconds": (datetime.now(UTC) - attempt.started_at).total_seconds(),
        "error": message[: file_states.ERROR_LENGTH],
        "first_bad_line": found.first_bad_line or getattr(error, "first_bad_line", ""),
        "schema_changes": list(found.schema_changes),
        "started_at": attempt.started_at,
    }
    file_states.insert_load(client, row)
    file_states.mark_ended(
        client,
        attempt.file,
        state,
        ingestion=attempt.ingestion.name,
        number=attempt.claim,
        attempt=attempt.number,
        run_id=attempt.run_id,
        load_id=load_id,
        rows=found.rows,
        error=message,
    )
    outcome.counts[str(state)] += 1
    outcome.refused_in_a_row = outcome.refused_in_a_row + 1 if isinstance(error, StoreAccessError) else 0
    if state is FileState.FAILED:
        outcome.failures.append(f"{attempt.file.path}: {message}")
    level = logging.INFO if state is FileState.LOADED else logging.WARNING
    logger.log(level, "%s: %s: %s %s", attempt.ingestion.name, attempt.file.path, state, message)
