"""A file's records in chunks of bounded size, as the worker reads them; what is no record comes beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powersense.autoloader.tables.layout import Found

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 100_000
CHUNK_BYTES = 16 << 20


@dataclass(frozen=True)
class Broken:
    """A record that cannot be cut into values: its number in the file (from 1), its text, and why."""

    number: int
    text: str
    why: str


@dataclass(frozen=True)
class Chunk:
    """Some records.

    Attributes:
        found: the columns, in the table's order.
        table: one Arrow column for each, of a type that ClickHouse reads as the column's.
        numbers: of each record in the file, from 1, uint64.
        broken: records set aside while reading.
    """

    found: tuple[Found, ...]
    table: pa.Table
    numbers: pa.Array
    broken: tuple[Broken, ...] = field(default=())
