"""Figures of the file autoloader for Prometheus: where each ingestion stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class IngestionFigures:
    """Where an ingestion stands; instants in UTC, None where there is none.

    Attributes:
        files: count by state; states without a file are absent.
        rows: of the content that readers see.
        size_bytes: of its files as stored.
        last_run_at: start of the last run that ended; dry ones aside, here and below.
        last_run_seconds: that it took.
    """

    ingestion: str
    is_enabled: bool
    files: Mapping[str, int]
    rows: int
    size_bytes: int
    newest_file_at: datetime | None
    last_run_at: datetime | None
    last_run_seconds: float | None
    is_last_run_failed: bool


def ingestion_figures(client: Client) -> list[IngestionFigures]:
    """Return the figures of each ingestion that is not deleted, by name."""
    rows = client.query(statement("files_metrics")).named_results()
    return [
        IngestionFigures(
            ingestion=row["ingestion"],
            is_enabled=row["is_enabled"],
            files=row["files_by_state"],
            rows=row["row_count"],
            size_bytes=row["size_bytes"],
            newest_file_at=row["newest_file_at"] and utc(row["newest_file_at"]),
            last_run_at=row["last_run_at"] and utc(row["last_run_at"]),
            last_run_seconds=row["last_run_seconds"],
            is_last_run_failed=bool(row["is_last_run_failed"]),
        )
        for row in rows
    ]
