"""A run of an ingestion from its record's beginning to its end, on one client; `steps` gives the DAG's tasks these."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from powersense.errors import FileLoadError, PowerSenseError
from powersense.files.declaration import Ingestion, LedgerTarget
from powersense.files.stored_file import RunState
from powersense.warehouse.files import runs as file_runs
from powersense.warehouse.files import states as file_states
from powersense.warehouse.files.runs import FileRun, Outcomes

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

# A run that is older and has no end was lost with its scheduler: no task may run longer than a day.
LONGEST_RUN = timedelta(hours=26)
# Airflow maps at most 1024 tasks (core.max_map_length); the files beyond wait for the next run.
_MAX_BATCHES = 1000
_ERROR_LENGTH = 4000


class RunFailedError(FileLoadError):
    """A run did not load all that it should have, or never began; its record says what."""


def start(  # noqa: PLR0913 - keyword-only
    client: Client,
    ingestion: Ingestion,
    *,
    run_id: str,
    now: datetime,
    is_dry_run: bool = False,
    is_full_listing: bool | None = None,
    scheduled_for: datetime | None = None,
) -> FileRun:
    """Begin a run's record, and make its target's table ready.

    Args:
        client: a writer's client.
        ingestion: the declaration.
        run_id: Airflow's; begun again, its record starts anew, and it takes over what its earlier life has left.
        now: the run's beginning, UTC.
        is_dry_run: only list what would be loaded.
        is_full_listing: list everything; None: where it is due.
        scheduled_for: the tick that it serves.

    Raises:
        ConfigurationError: the declaration and its target's table disagree.
        WarehouseError: ClickHouse failed.
    """
    from powersense.autoloader.discovery import needs_full_listing

    alive_since = now - LONGEST_RUN
    file_runs.fail_abandoned(client, ingestion=ingestion.name, alive_since=alive_since)
    # Of an earlier life of this very run, which has ended.
    file_states.fail_abandoned(client, ingestion=ingestion.name, run_id=run_id)
    if is_full_listing is None:
        standing = file_runs.standings(client, alive_since=alive_since).get(ingestion.name)
        last_full = standing.last_full_listing if standing else None
        is_full_listing = needs_full_listing(ingestion, last_full=last_full, now=now)
    run = FileRun(
        ingestion=ingestion.name,
        run_id=run_id,
        started_at=now,
        is_dry_run=is_dry_run,
        is_full_listing=is_full_listing,
        scheduled_for=scheduled_for,
    )
    file_runs.write(client, run)
    with recording_error(client, run):
        _prepare_target(client, ingestion, is_dry_run=is_dry_run)
    return run


def _prepare_target(client: Client, ingestion: Ingestion, *, is_dry_run: bool) -> None:
    if isinstance(ingestion.target, LedgerTarget):
        from powersense.autoloader.ledgers import check_target

        check_target(ingestion)
    elif not is_dry_run:
        from powersense.autoloader.tables import prepare_target

        prepare_target(client, ingestion)


def begun(client: Client, *, ingestion: str, run_id: str) -> FileRun:
    """Return the record of a run that has begun.

    Raises:
        RunFailedError: there is none.
    """
    run = file_runs.read(client, ingestion=ingestion, run_id=run_id)
    if run is None:
        raise RunFailedError(f"run {run_id!r} of ingestion {ingestion!r} has no record: its first task did not succeed")
    return run


@contextmanager
def recording_error(client: Client, run: FileRun) -> Iterator[None]:
    """Write the body's error on the run's record, and let it through; a later success takes it back."""
    try:
        yield
    except PowerSenseError as error:
        message = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
        file_runs.write(client, replace(run, error=message))
        raise


def discover(client: Client, ingestion: Ingestion, run: FileRun) -> tuple[str, int]:
    """List the store for a run; see `discovery.list_files`."""
    from powersense.autoloader.discovery import list_files
    from powersense.sources.object_stores.opening import open_store

    with recording_error(client, run):
        store = open_store(ingestion)
        listing_id, listed = list_files(client, store, ingestion, is_full=run.is_full_listing, now=run.started_at)
    file_runs.write(client, replace(run, files_listed=listed, error=""))
    return listing_id, listed


def compare(client: Client, ingestion: Ingestion, run: FileRun, *, listing_id: str) -> tuple[str, int]:
    """Compare a listing with what is known, and put what is to be done into batches.

    Returns:
        The comparison's id and the number of batches; none for a dry run.
    """
    comparison_id = uuid.uuid4().hex
    found = file_states.compare(
        client,
        ingestion=ingestion.name,
        run_id=run.run_id,
        listing_id=listing_id,
        comparison_id=comparison_id,
        # The server's clock, as that of all states and claims.
        compared_at=file_states.server_now(client),
        batch_files=ingestion.batch_files,
        batch_bytes=ingestion.batch_bytes,
        max_files=ingestion.max_files_per_run,
        max_batches=_MAX_BATCHES,
        is_dry_run=run.is_dry_run,
    )
    counts = asdict(found)
    batches = counts.pop("batches")
    file_runs.write(client, replace(run, comparison_id=comparison_id, error="", **counts))
    logger.info("%s: %s, in %d batches", ingestion.name, counts, batches)
    return comparison_id, 0 if run.is_dry_run else batches


def finish(client: Client, run: FileRun) -> FileRun:
    """Write a run's end: its state, and what it came to. Returns the record."""
    if run.comparison_id and not run.is_dry_run:
        file_states.fail_abandoned(client, ingestion=run.ingestion, run_id=run.run_id)
        run = with_outcomes(run, file_runs.outcomes(client, run))
    elif run.comparison_id:
        run = replace(run, state=RunState.SUCCESS)
    else:
        error = run.error or "the run ended before its files were compared; see the log of its tasks"
        run = replace(run, state=RunState.FAILED, error=error)
    ended = datetime.now(UTC)
    run = replace(run, finished_at=ended, seconds=(ended - run.started_at).total_seconds())
    file_runs.write(client, run)
    logger.info("%s: run %s: %s", run.ingestion, run.run_id, run.state)
    return run


def with_outcomes(run: FileRun, ended: Outcomes) -> FileRun:
    """Return the record with what its files came to: partial where some went wrong, failed where none was loaded."""
    counts = asdict(ended)
    untried = counts.pop("files_untried")
    wrong = ended.files_failed + ended.files_quarantined + untried
    error = ended.error
    if untried:
        error = f"{untried} files were not tried: their task ended before; see its log. {error}".strip()
        counts["files_failed"] += untried
    state = RunState.SUCCESS
    if wrong:
        state = RunState.PARTIAL if ended.files_loaded else RunState.FAILED
    return replace(run, **{**counts, "state": state, "error": error[:_ERROR_LENGTH]})
