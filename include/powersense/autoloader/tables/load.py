"""One file into a table of its own: read, checked, activated."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.autoloader.tables.engine import EngineResult, EngineUnfitError, load_by_engine
from powersense.autoloader.tables.inserts import as_warehouse_error, is_about_server, seconds_left
from powersense.autoloader.tables.selection import REPLACED
from powersense.autoloader.tables.target import names_of
from powersense.autoloader.tables.worker import WorkerLoad
from powersense.errors import FileChangedError, FileContentError, StoreError
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import Loaded, StoredFile
from powersense.warehouse.files import targets as file_targets

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.object_stores.opening import FileStore

logger = logging.getLogger(__name__)

# Refusals that say that the server does not reach the store, or may not: the worker perhaps does.
_UNREACHED_CODES = frozenset({76, 107, 210, 291, 497, 499, 500, 636, 643, 1000})


def load_table_file(  # noqa: PLR0913 - keyword-only
    client: Client,
    loader: Client | None,
    ingestion: Ingestion,
    file: StoredFile,
    store: FileStore,
    *,
    load_id: int,
    run_id: str,
    deadline: datetime,
) -> Loaded:
    """Load a file into its ingestion's table, and let readers see it instead of its earlier content.

    Args:
        client: a writer's client.
        loader: a client of the user that may read stores by itself; None: the file is streamed through this process.
        ingestion: its declaration; the target is a table, made by `prepare_target`.
        file: as listed.
        store: where it lies.
        load_id: of this attempt; never given twice.
        run_id: Airflow's, for what is set aside.
        deadline: when the batch's time is up, UTC.

    Raises:
        FileContentError: what it holds is not what its ingestion declares.
        FileChangedError: it was replaced or deleted since its listing; nothing became visible.
        StoreError: its store does not give it, or the batch's time is up.
        WarehouseError: the server refused or ran out of time; the next attempt may succeed.
    """
    seconds_left(deadline)
    _refuse_large(ingestion, file)
    try:
        by_engine = _try_engine(client, loader, ingestion, file, store, load_id=load_id, deadline=deadline)
        if by_engine is not None:
            _refuse_replaced(file, store)
            loaded = Loaded(by_engine.rows, bytes=file.size, reader="engine", schema_changes=by_engine.layout.changes)
        else:
            loaded = _load_by_worker(
                client, loader, ingestion, file, store, run_id=run_id, given=load_id, deadline=deadline
            )
    except FileContentError:
        # A file that is being replaced looks damaged; what replaced it deserves its own look.
        _refuse_replaced(file, store)
        raise
    # A claim ends with its batch's time: past it another run may have loaded newer content.
    seconds_left(deadline)
    file_targets.activate(
        client,
        names_of(ingestion),
        ingestion=ingestion.name,
        path=file.path,
        load_id=loaded.load_id or load_id,
        modified_at=file.modified_at,
    )
    return loaded


def _try_engine(  # noqa: PLR0913 - keyword-only
    client: Client,
    loader: Client | None,
    ingestion: Ingestion,
    file: StoredFile,
    store: FileStore,
    *,
    load_id: int,
    deadline: datetime,
) -> EngineResult | None:
    """Return what the engine wrote, or None where the worker has to read the file."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    source = store.engine_source(file) if loader is not None and ingestion.reader != "worker" else None
    if loader is None or source is None:
        if ingestion.reader == "engine":
            raise StoreError(
                f"{file.path}: ClickHouse cannot read it: no connection 'clickhouse_loader', or a store or name "
                "that it does not take; set `reader` to 'auto'"
            )
        return None
    try:
        return load_by_engine(client, loader, ingestion, file, store, source, load_id=load_id, deadline=deadline)
    except EngineUnfitError as reason:
        logger.debug("%s: read by the worker: %s", file.path, reason)
    except DatabaseError as error:
        # Its text may hold a value of the file, or an address; only the code is logged.
        if is_about_server(error.code):
            raise as_warehouse_error(error, error.code, path=file.path) from error
        _refuse_replaced(file, store)
        if ingestion.reader == "engine" and (error.code in _UNREACHED_CODES or REPLACED in str(error)):
            raise StoreError(
                f"{file.path}: ClickHouse cannot read it (code {error.code}); let the server reach the store, grant "
                "READ to powersense_loader, or set `reader` to 'auto'"
            ) from error
        logger.info("%s: the engine stopped with code %s; read by the worker", file.path, error.code)
    return None


def _load_by_worker(  # noqa: PLR0913 - keyword-only
    client: Client,
    loader: Client | None,
    ingestion: Ingestion,
    file: StoredFile,
    store: FileStore,
    *,
    run_id: str,
    given: int,
    deadline: datetime,
) -> Loaded:
    from clickhouse_connect.driver.exceptions import DatabaseError

    # What the engine left under the given id is never shown.
    load_id = given if loader is None or ingestion.reader == "worker" else secrets.randbits(63) | 1
    load = WorkerLoad(client, ingestion, file, load_id=load_id, deadline=deadline)
    try:
        load.run(store)
        set_aside = load.aside.store(client, run_id=run_id)
    except DatabaseError as error:
        raise as_warehouse_error(error, error.code, path=file.path) from error
    return Loaded(
        load.rows,
        rows_quarantined=set_aside,
        bytes=file.size,
        first_bad_line=load.aside.first_bad_line,
        schema_changes=tuple(load.changes),
        load_id=load_id if load_id != given else 0,
    )


def _refuse_large(ingestion: Ingestion, file: StoredFile) -> None:
    if file.size > ingestion.limits.file_bytes:
        raise FileContentError(
            f"{file.path}: {file.size:,} bytes exceed the limit of {ingestion.limits.file_bytes:,}; "
            "deliver it in parts, or raise `limits.file_bytes` of the ingestion"
        )


def _refuse_replaced(file: StoredFile, store: FileStore) -> None:
    """Refuse a file that is not what was listed.

    Raises:
        FileChangedError: it is another, or gone.
    """
    now = store.stat(file.path)
    if now.version != file.version:
        raise FileChangedError(f"{file.path}: replaced since it was listed ({file.version} → {now.version})")
