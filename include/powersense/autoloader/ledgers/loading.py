"""Load one file into `measurements` or `weather_observations`: all of it read and judged first, then landed and stored.

Harmless when done again, by whomever: a file's rows carry the time of its last change as their retrieval, not the time
of the load, so the same content is the same rows, and of two files the one that was modified last counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING

from powersense.autoloader.ledgers.content import check_deadline, kept
from powersense.autoloader.ledgers.content_batches import ContentBatches
from powersense.autoloader.ledgers.findings import Findings, refuse_piece, refuse_useless
from powersense.autoloader.ledgers.load_pieces import load_pieces
from powersense.autoloader.ledgers.piece import Piece
from powersense.autoloader.ledgers.weather_pieces import weather_pieces
from powersense.errors import FileContentError, MalformedResponseError
from powersense.files.declaration import WEATHER_FORMATS, Ingestion
from powersense.files.stored_file import Loaded, StoredFile
from powersense.warehouse.ledger import MEASUREMENTS, WEATHER

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.sources.object_stores.opening import FileStore

logger = logging.getLogger(__name__)


def load_ledger_file(  # noqa: PLR0913 - keyword-only
    client: Client,
    ingestion: Ingestion,
    file: StoredFile,
    store: FileStore,
    *,
    load_id: int,
    run_id: str,
    deadline: datetime,
) -> Loaded:
    """Load one file into its ledger, and withdraw what only its earlier content held.

    Args:
        client: a writer's client.
        ingestion: its declaration; the target is a ledger.
        file: as listed.
        store: where it lies.
        load_id: of this attempt; for the log only, a ledger's rows tell by themselves what is new.
        run_id: Airflow's, stamped on every row.
        deadline: when the batch's time is up, UTC.

    Raises:
        FileContentError: it does not hold what its ingestion declares; nothing of it was landed.
        FileChangedError: it was replaced or deleted since its listing; nothing of it was landed.
        StoreError: its store does not give it, or the deadline passed.
        SourceDeclarationError: the target names a source that nobody declared.
        WarehouseError: ClickHouse failed; the next attempt ends where this one would have.
    """
    ledger = MEASUREMENTS if ingestion.target.kind == "measurements" else WEATHER
    read = weather_pieces if ingestion.format in WEATHER_FORMATS else load_pieces
    read_at = datetime.now(UTC)
    with kept(store, file, ingestion, deadline=deadline) as spool:

        def pieces() -> Iterator[Piece]:
            for piece in read(spool, file, ingestion, read_at=read_at, run_id=run_id):
                check_deadline(deadline, name=file.path)
                yield piece

        findings, judged = _judge(pieces, ingestion, file, place=ledger.place)
        batches = ContentBatches(client, ledger, ingestion=ingestion.name, file=file, run_id=run_id)
        _refuse_emptied(findings, batches, file)
        changes = [f"column {name!r} is new" for name in batches.new_metrics(findings)]
        set_aside = batches.land(judged)
    withdrawn = batches.withdraw(findings)
    check_deadline(deadline, name=file.path)
    changed = batches.store()
    logger.info(
        "load %d of %s: %d values, %d new or revised versions, of which %d withdraw one; %d records set aside",
        load_id,
        file.path,
        findings.rows,
        changed,
        withdrawn,
        set_aside,
    )
    return Loaded(
        rows=findings.rows,
        rows_quarantined=set_aside,
        bytes=file.size,
        first_bad_line=findings.first_bad_line,
        schema_changes=(*findings.schema_changes, *changes),
        rows_changed=changed,
    )


def _judge(
    pieces: Callable[[], Iterator[Piece]], ingestion: Ingestion, file: StoredFile, *, place: str
) -> tuple[Findings, Iterator[Piece]]:
    """Read the whole file and judge it; return what was found, and its pieces to land.

    A landed batch cannot be taken back, so a file whose last lines refuse it must not have landed its first ones. One
    of a single piece is read once, a longer one a second time.

    Raises:
        FileContentError: see `load_ledger_file`.
    """
    findings = Findings()
    try:
        reading = pieces()
        held = list(islice(reading, 2))
        for piece in chain(held, reading):
            refuse_piece(piece, ingestion, name=file.path)
            findings.add(piece, place=place)
    except MalformedResponseError as error:
        raise FileContentError(f"{error}") from error
    refuse_useless(findings, name=file.path)
    return findings, pieces() if len(held) > 1 else iter(held)


def _refuse_emptied(findings: Findings, batches: ContentBatches, file: StoredFile) -> None:
    """Refuse a file without a value whose earlier content had some: an empty delivery would withdraw all of them.

    Raises:
        FileContentError: names the file.
    """
    if batches.earlier and not findings.rows:
        raise FileContentError(
            f"{file.path}: it holds no value, its earlier content did; nothing was withdrawn. "
            "Deliver it whole, or remove it from the source"
        )
