"""Ingestion of the replayed portal at 12:00 on 5 October 2017, what it stores, and what it stores without any fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from powersense.ingest import fetch, store
from powersense.ingest.jobs import job
from powersense.settings import get_settings
from tests.services.replay_portal import CLOCK
from tests.warehouses import query

END = datetime.fromisoformat(CLOCK).astimezone(UTC)
START = END - timedelta(hours=3)
JOBS = [job("live", source, START, END) for source in ("national_realtime", "regional_realtime")]
TABLES = ("measurements", "measurements_landing", "landings", "quarantine", "ingestion_runs")
FAULT_FREE: dict[str, set[tuple[str, int, float | None]]] = {}


def connected(running, monkeypatch):
    """The portal that the Airflow connection leads to; faults end with the test; a fixture upon `running`."""
    monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": running.base_url}))
    monkeypatch.setenv("HTTP_MAX_ATTEMPTS", "2")
    get_settings.cache_clear()
    yield running
    running.clear()
    get_settings.cache_clear()


def measurements():
    return {tuple(row) for row in query("SELECT ukey, version, value FROM measurements FINAL")}


def run(run_id="r", jobs=JOBS):
    return store([fetch(one, run_id=run_id, dag_id="ingest_load") for one in jobs])


def stored_without_faults(warehouse, portal):
    """What a run without faults stores, computed once; tables are empty afterwards; a fixture upon `portal`."""
    return fault_free_rows()


def fault_free_rows():
    """Return what a run without faults stores, computed once in an empty warehouse that is emptied again."""
    if not FAULT_FREE:
        run()
        FAULT_FREE["rows"] = measurements()
        for table in TABLES:
            query(f"TRUNCATE TABLE {table} SYNC")
    return FAULT_FREE["rows"]


def quarantined():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason"))
