"""The order of landings, on which all writers agree without locks: docs/adr/0002-versioned-writer-without-locks.md."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powersense.errors import LandingError, WarehouseError
from powersense.warehouse.ledger import MEASUREMENTS, Ledger
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.query import QueryResult

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ATTEMPTS = 1000


@dataclass(frozen=True)
class Extent:
    """Whom and when a landing touches; instants in UTC, both bounds included.

    Attributes:
        places: areas, or stations; the ledger says which.
        newest_observed_at: newest instant with a value; None where no row has one.
    """

    landing_id: str
    batch_id: str
    row_count: int
    metrics: Sequence[str]
    places: Sequence[str]
    vintages: Sequence[str]
    publishers: Sequence[str]
    observed_from: datetime
    observed_to: datetime
    retrieved_from: datetime
    retrieved_to: datetime
    newest_observed_at: datetime | None

    def overlaps(self, other: Extent) -> bool:
        """Tell whether the two may share a series key; landings that share none may be stored in any order."""
        return (
            self.observed_from <= other.observed_to
            and other.observed_from <= self.observed_to
            and not set(self.metrics).isdisjoint(other.metrics)
            and not set(self.places).isdisjoint(other.places)
            and not set(self.vintages).isdisjoint(other.vintages)
            and not set(self.publishers).isdisjoint(other.publishers)
        )


@dataclass(frozen=True)
class Landing:
    """A landing at its place in the order."""

    seq: int
    is_stored: bool
    extent: Extent


_EXTENT_COLUMNS = tuple(field.name for field in fields(Extent))
# Named here, since the driver would ask the server for them at every insert.
_EXTENT_TYPES = (
    "String",
    "String",
    "UInt64",
    *("Array(LowCardinality(String))",) * 4,
    *("DateTime('UTC')",) * 2,
    *("DateTime64(3, 'UTC')",) * 2,
    "Nullable(DateTime('UTC'))",
)


def append(client: Client, extent: Extent, *, ledger: Ledger = MEASUREMENTS) -> int:
    """Give a landing the next place in the order and return it.

    Compare-and-append: the place is the insert's deduplication token, so of several writers that try for the same place
    the server keeps one, and the others find it taken and try for the next.

    Raises:
        WarehouseError: no place was free, which no number of writers explains: the table has lost its settings.
    """
    columns = [ledger.places if name == "places" else name for name in _EXTENT_COLUMNS]
    seq = _last(client, ledger) + 1
    for _ in range(_MAX_ATTEMPTS):
        client.insert(
            ledger.log_table,
            [[seq, *astuple(extent)]],
            column_names=["seq", *columns],
            column_type_names=["UInt64", *_EXTENT_TYPES],
            settings={"insert_deduplication_token": f"landing-{seq}"},
        )
        holder = client.query(
            "SELECT any(landing_id) FROM {log_table:Identifier} WHERE seq = {seq:UInt64}",
            parameters={"seq": seq, "log_table": ledger.log_table},
        )
        if holder.first_row[0] == extent.landing_id:
            return seq
        # Nobody's, when a server killed in between remembers the token of an insert that it lost: it stays empty.
        seq = max(seq, _last(client, ledger)) + 1
    raise WarehouseError(f"no place for batch {extent.batch_id!r} up to {seq} in the order of landings; try again")


def _last(client: Client, ledger: Ledger) -> int:
    rows = client.query(
        "SELECT seq FROM {log_table:Identifier} ORDER BY seq DESC LIMIT 1", parameters={"log_table": ledger.log_table}
    ).result_rows
    return int(rows[0][0]) if rows else 0


def of_batch(client: Client, batch_id: str, *, ledger: Ledger = MEASUREMENTS) -> list[Landing]:
    """Return a batch's landings, oldest first; more than one when its fetch was tried again.

    Raises:
        LandingError: the batch has landed nothing.
    """
    return of_batches(client, [batch_id], ledger=ledger)[batch_id]


def of_batches(client: Client, batch_ids: Sequence[str], *, ledger: Ledger = MEASUREMENTS) -> dict[str, list[Landing]]:
    """Return each batch's landings, as `of_batch` does.

    Raises:
        LandingError: a batch has landed nothing.
    """
    parameters = ledger.names | {"batch_ids": list(batch_ids)}
    found = _landings(client.query(statement("landings_of_batches"), parameters=parameters))
    by_batch = {batch_id: [one for one in found if one.extent.batch_id == batch_id] for batch_id in batch_ids}
    for batch_id, landings in by_batch.items():
        if not landings:
            raise LandingError(f"batch {batch_id!r} has not landed; run its fetch first")
    return by_batch


def around(client: Client, landing: Landing, *, ledger: Ledger) -> tuple[list[Landing], int]:
    """Return the landings before this one that still matter to it, oldest first, and how many rows this one has left.

    They overlap it in time and are not stored yet, or hold a retrieval later than its first.
    """
    extent = landing.extent
    parameters = ledger.names | {
        "seq": landing.seq,
        "landing_id": extent.landing_id,
        "observed_from": extent.observed_from,
        "observed_to": extent.observed_to,
        "retrieved_from": extent.retrieved_from,
    }
    found = _landings(client.query(statement("landings_around"), parameters=parameters))
    rows_left = next(one.extent.row_count for one in found if one.seq == landing.seq)
    return [other for other in found if other.seq < landing.seq and other.extent.overlaps(extent)], rows_left


def mark_stored(client: Client, seqs: Collection[int], *, ledger: Ledger) -> None:
    """Record that the rows of these landings are all numbered."""
    if not seqs:
        return
    client.command(
        "INSERT INTO {log_table:Identifier} SELECT * REPLACE (true AS is_stored) FROM {log_table:Identifier} "
        "WHERE seq IN {seqs:Array(UInt64)} LIMIT 1 BY seq",
        parameters={"seqs": sorted(seqs), "log_table": ledger.log_table},
    )


def _landings(result: QueryResult) -> list[Landing]:
    return [Landing(seq=row[0], is_stored=bool(row[1]), extent=Extent(*row[2:])) for row in result.result_rows]
