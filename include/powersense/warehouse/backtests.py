"""Writes of `backtests`; rows are plain mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from powersense.warehouse.client import connect


def store(rows: Sequence[Mapping[str, Any]]) -> int:
    """Store a scorecard's figures; a run of the same key replaces its own. Returns how many.

    Args:
        rows: one mapping per figure, keys as the table's columns.

    Raises:
        WarehouseUnavailableError: ClickHouse cannot be reached.
    """
    if rows:
        with connect("writer") as client:
            client.insert("backtests", [list(row.values()) for row in rows], column_names=list(rows[0]))
    return len(rows)
