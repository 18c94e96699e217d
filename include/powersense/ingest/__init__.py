"""Ingestion, as the steps that DAGs name: plan, fetch, store, load a year of history.

Every step returns keys and counts only; rows travel through ClickHouse's landing table.
"""

from powersense.ingest.fetching import fetch
from powersense.ingest.history import load_history
from powersense.ingest.outcome import announce, fail_with_reasons, no_retry_where_useless
from powersense.ingest.planning import plan_history, plan_live, plan_reconciliation
from powersense.ingest.storing import store

__all__ = [
    "announce",
    "fail_with_reasons",
    "fetch",
    "load_history",
    "no_retry_where_useless",
    "plan_history",
    "plan_live",
    "plan_reconciliation",
    "store",
]
