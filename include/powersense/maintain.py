"""Daily upkeep of the warehouse: schema, calendar, retention, compaction. Each step can be repeated at will."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.files.leftovers import remove_unseen_loads
from powersense.warehouse.ledger import MEASUREMENTS, WEATHER
from powersense.warehouse.sql import statement

logger = logging.getLogger(__name__)

# Below this many parts a partition reads as fast as a compacted one; background merges keep most of them there.
PARTS_WORTH_COMPACTING = 5
COMPACTED_TABLES = (
    "measurements",
    "weather_observations",
    "scores",
    "anomalies",
    "episodes",
    "alerts",
    "quarantine",
    "ingestion_runs",
    "file_ingestions",
    "file_runs",
    "file_states",
    "file_activations",
)
LANDING_TABLES = [ledger.landing_table for ledger in (MEASUREMENTS, WEATHER)]


def update_schema() -> dict[str, int]:
    """Apply pending migrations, check the applied ones against their files, and extend the calendar.

    Raises:
        MigrationError: an applied migration's file was edited or is gone.
    """
    from powersense.warehouse import calendar_days
    from powersense.warehouse.migrate import migrate

    settings = get_settings()
    with connect("writer", database="default") as client:
        applied = migrate(client, settings=settings)
        days_written = calendar_days.sync(client, database=settings.clickhouse_database)
    return {"migrations_applied": len(applied), "calendar_days_written": days_written}


def expire(now: datetime) -> dict[str, int]:
    """Drop landed rows and quarantined records past their retention, and rows of files that no reader sees any more.

    Args:
        now: the instant that ages are measured from, UTC.

    Returns:
        Counts `landing_days_dropped`, `quarantine_records_dropped`, `file_loads_removed` and `file_rows_removed`.
    """
    settings = get_settings()
    first_day_kept = (now - timedelta(days=settings.landing_retention_days)).date()
    seen_since = now - timedelta(days=settings.quarantine_retention_days)
    with connect("writer") as client:
        landings = {"tables": LANDING_TABLES, "first_day_kept": first_day_kept}
        old_days = client.query(statement("expired_landing_days"), parameters=landings)
        for table, partition_id in old_days.result_rows:
            client.command(statement("drop_landing_day"), parameters={"table": table, "partition_id": partition_id})
        bounds = {"seen_since": seen_since}
        expired = int(client.query(statement("count_expired_quarantine"), parameters=bounds).first_row[0])
        if expired:
            client.command(statement("drop_expired_quarantine"), parameters=bounds)
        files = remove_unseen_loads(client, database=settings.clickhouse_files_database, now=now)
    return {"landing_days_dropped": old_days.row_count, "quarantine_records_dropped": expired, **files}


def compact() -> dict[str, int]:
    """Merge the partitions that have many parts, so that reads with FINAL have less to do.

    Returns:
        Counts `partitions_compacted` and `parts_before` in them.
    """
    with connect("writer") as client:
        parameters = {"tables": list(COMPACTED_TABLES), "least_parts": PARTS_WORTH_COMPACTING}
        fragmented = client.query(statement("fragmented_partitions"), parameters=parameters).result_rows
        for table, partition_id, parts in fragmented:
            logger.info("compacting partition %s of %s: %d parts", partition_id, table, parts)
            client.command(statement("compact_partition"), parameters={"table": table, "partition_id": partition_id})
    return {"partitions_compacted": len(fragmented), "parts_before": sum(parts for _, _, parts in fragmented)}
