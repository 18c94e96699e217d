"""The autoloader as the steps that `load_files` names: start, discover, compare, plan, load, announce, finish.

Every step takes an ingestion's name and returns keys and counts only; what was listed, and what is to be loaded, stays
in ClickHouse.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from powersense.autoloader import declarations, runs
from powersense.autoloader.loading import load_batch as load_pending
from powersense.errors import ConfigurationError, FileLoadError
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import RunState
from powersense.warehouse.client import connect
from powersense.warehouse.files import declarations as file_declarations
from powersense.warehouse.files import runs as file_runs
from powersense.warehouse.files import states as file_states
from powersense.warehouse.files.runs import FileRun
from powersense.window import parse_instant

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.autoloader.due import Start

RunOutcome = FileRun
Pool = Literal["default", "high_memory"]


class Listing(TypedDict):
    """A finished listing: its key, and how many files it holds."""

    listing_id: str
    files_listed: int


class Comparison(TypedDict):
    """A finished comparison: its key, and how many batches there are to load."""

    comparison_id: str
    batches: int


class Batch(TypedDict):
    """Files for one task; which ones they are stands in `file_candidates`."""

    comparison_id: str
    batch: int


def sync_declarations() -> dict[str, int]:
    """Bring `file_ingestions` up to the YAML files; see `declarations.sync_yaml`."""
    with connect("writer") as client:
        return declarations.sync_yaml(client)


def find_due(now: datetime) -> list[Start]:
    """Return the runs to start now: those that schedules want, and those that people asked for.

    Args:
        now: the present, UTC.
    """
    from powersense.autoloader.due import due_starts, requested_starts

    with connect("writer") as client:
        standings = file_runs.standings(client, alive_since=now - runs.LONGEST_RUN)
        scheduled = due_starts(declarations.all_of(client), standings, now=now)
        return scheduled + requested_starts(file_declarations.pending_requests(client))


def start_run(params: Mapping[str, Any], *, run_id: str) -> None:
    """Begin a run's record.

    Args:
        params: of the DAG run: `ingestion`; `dry_run`, `full_listing`, `scheduled_for` and `request_id` may be absent.
        run_id: Airflow's.

    Raises:
        ConfigurationError: no such ingestion, it is not enabled, or its target's table disagrees with it.
        WarehouseError: ClickHouse failed.
    """
    tick = params.get("scheduled_for")
    with connect("writer") as client:
        # First of all: a request that cannot be served is not served again and again.
        if params.get("request_id"):
            file_declarations.mark_begun(client, request_id=params["request_id"], run_id=run_id)
        ingestion = declarations.get(client, params["ingestion"])
        declarations.ensure_enabled(ingestion)
        runs.start(
            client,
            ingestion,
            run_id=run_id,
            now=datetime.now(UTC),
            is_dry_run=bool(params.get("dry_run")),
            is_full_listing=params.get("full_listing") or None,
            scheduled_for=parse_instant(tick, name="scheduled_for") if tick else None,
        )


def discover(name: str, *, run_id: str) -> Listing:
    """List the store; see `discovery.list_files`."""
    with connect("writer") as client:
        run = runs.begun(client, ingestion=name, run_id=run_id)
        listing_id, listed = runs.discover(client, declarations.get(client, name), run)
    return {"listing_id": listing_id, "files_listed": listed}


def compare(name: str, listing: Listing, *, run_id: str) -> Comparison:
    """Compare what was listed with what is known; see `runs.compare`."""
    with connect("writer") as client:
        run = runs.begun(client, ingestion=name, run_id=run_id)
        ingestion = declarations.get(client, name)
        comparison_id, batches = runs.compare(client, ingestion, run, listing_id=listing["listing_id"])
    return {"comparison_id": comparison_id, "batches": batches}


def plan_batches(name: str, comparison: Comparison, *, pool: Pool) -> list[Batch]:
    """Return a comparison's batches where the ingestion belongs to this pool, else none."""
    if not comparison["batches"]:
        return []
    with connect("writer") as client:
        is_here = declarations.get(client, name).pool == pool
    return _batches(comparison["comparison_id"], comparison["batches"]) if is_here else []


def load_batch(name: str, batch: Batch, *, run_id: str, try_number: int = 1) -> dict[str, int]:
    """Load what is still to be loaded of a batch; see `loading.load_batch`.

    Args:
        name: of the ingestion.
        batch: from `plan_batches`.
        run_id: of the run.
        try_number: of the task, from 1.

    Returns:
        Counts of files by outcome.

    Raises:
        LastTryError: files failed, and trying again is of no use, or the ingestion's retries are used up.
        BatchFailedError: files failed that may succeed when tried again.
    """
    from powersense.autoloader.loading import BatchFailedError

    with connect("writer") as client:
        ingestion = declarations.get(client, name)
        try:
            return _load(client, ingestion, batch, run_id=run_id)
        except BatchFailedError as error:
            if error.needs_a_person or try_number > ingestion.retries:
                raise LastTryError(str(error)) from error
            raise


def finish_run(name: str, *, run_id: str) -> dict[str, Any]:
    """Write the run's end; fail where it did not load all that it should have.

    Raises:
        RunFailedError: files failed or were quarantined, or the run came to no comparison.
    """
    with connect("writer") as client:
        run = runs.finish(client, runs.begun(client, ingestion=name, run_id=run_id))
    if run.state is not RunState.SUCCESS:
        raise runs.RunFailedError(f"run {run_id} of {name!r} is {run.state}: {run.error}")
    return {key: value for key, value in asdict(run).items() if key.startswith(("files_", "rows_", "bytes_"))}


def changed_ledger(name: str, *, run_id: str) -> tuple[str, int]:
    """Return the kind of an ingestion's target, and how many rows of it a run has changed."""
    with connect("writer") as client:
        run = file_runs.read(client, ingestion=name, run_id=run_id)
        if run is None or not run.comparison_id:
            return "", 0
        return declarations.get(client, name).target.kind, file_runs.outcomes(client, run).rows_changed


def run_once(ingestion: Ingestion | str, *, run_id: str | None = None, dry_run: bool = False) -> RunOutcome:
    """Do a whole run in this process: what the DAG's tasks do, one after another, each once.

    Args:
        ingestion: a declared one's name, or a declaration as it is (which need not be in the table).
        run_id: of the record; a fresh `manual__…` by default. With that of a run that was killed it goes on.
        dry_run: only list what would be loaded.

    Returns:
        The run's record as it stands at the end. A run that failed is told by its `state` and `error`, not raised.

    Raises:
        UnknownIngestionError: there is none of this name.
        WarehouseError: ClickHouse failed.
    """
    run_id = run_id or f"manual__{uuid.uuid4().hex}"
    with connect("writer") as client:
        declared = declarations.get(client, ingestion) if isinstance(ingestion, str) else ingestion
        name = declared.name
        try:
            run = runs.start(client, declared, run_id=run_id, now=datetime.now(UTC), is_dry_run=dry_run)
            listing_id, _ = runs.discover(client, declared, run)
            run = runs.begun(client, ingestion=name, run_id=run_id)
            comparison_id, batches = runs.compare(client, declared, run, listing_id=listing_id)
            for batch in _batches(comparison_id, batches):
                _load_and_go_on(client, declared, batch, run_id=run_id)
        except (ConfigurationError, FileLoadError) as error:
            # The record carries it already.
            runs.logger.warning("%s: %s", name, error)
        return runs.finish(client, runs.begun(client, ingestion=name, run_id=run_id))


class LastTryError(FileLoadError):
    """A batch failed for good: trying its task again is of no use, or not wanted any more."""


def _batches(comparison_id: str, count: int) -> list[Batch]:
    return [{"comparison_id": comparison_id, "batch": number} for number in range(1, count + 1)]


def _load(client: Client, ingestion: Ingestion, batch: Batch, *, run_id: str) -> dict[str, int]:
    pending = file_states.pending(client, ingestion=ingestion.name, run_id=run_id, **batch)
    outcome = load_pending(client, ingestion, pending, run_id=run_id)
    outcome.raise_failures(ingestion)
    return outcome.counts


def _load_and_go_on(client: Client, ingestion: Ingestion, batch: Batch, *, run_id: str) -> None:
    try:
        _load(client, ingestion, batch, run_id=run_id)
    except FileLoadError as error:
        # Its files are failed, and say why.
        runs.logger.warning("%s: %s", ingestion.name, error)
