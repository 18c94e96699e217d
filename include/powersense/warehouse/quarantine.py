"""Quarantine: records that break the contract, kept with their reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

COLUMNS = ("source", "area", "observed_at", "reason", "detail", "record", "record_hash", "run_id")


def quarantine(client: Client, frame: pd.DataFrame) -> int:
    """Set records aside, one row for each (source, reason, record_hash) however often it is seen.

    Args:
        client: a writer's client.
        frame: columns `COLUMNS`; `observed_at` is a UTC instant or NaT, `reason` a contracts.QuarantineReason,
            `record` the original as JSON text and `record_hash` a hash of it.

    Returns:
        Number of distinct records in the frame. Those seen before keep their first row and move its `last_seen_at`.
    """
    rows = frame.loc[:, list(COLUMNS)].drop_duplicates(["source", "reason", "record_hash"])
    if rows.empty:
        return 0
    client.insert_df("quarantine", rows)
    return len(rows)
