"""What the autoloader leaves behind, as tests of the API and of the page need it: every state, and hostile names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from powersense.autoloader import declarations
from powersense.files.declaration import Ingestion
from powersense.warehouse.client import connect

HOSTILE = "in/<img src=x onerror=\"document.title='owned'\"> février 2024; DROP TABLE file_states--.csv"
HOSTILE_ERROR = "<script>document.title='owned'</script> line 3: 'abc' is no Float64"


def declaration(name: str = "meter_readings", **changes: Any) -> dict[str, Any]:
    """Return a declaration that stands."""
    return {
        "name": name,
        "description": "Hourly readings of the district's meters",
        "uri": f"s3://meters/{name}/*.csv.gz",
        "connection": "meters_s3",
        "format": "csv",
        "target": {
            "kind": "table",
            "table": name,
            "columns": [{"name": "meter_id", "type": "String", "is_required": True}, {"name": "energy_kwh"}],
        },
        "schedule": "0 6 * * *",
    } | changes


def declare(name: str = "meter_readings", **changes: Any) -> None:
    """Declare an ingestion as the API does."""
    with connect("writer") as client:
        declarations.create(client, Ingestion.model_validate(declaration(name, **changes)), changed_by="amélie")


def add_run(name: str, run_id: str, *, at: datetime, state: str = "success", **figures: Any) -> None:
    """Store one run that began at an instant and took a minute."""
    ends = state != "running"
    _insert(
        "file_runs",
        {
            "ingestion": name,
            "run_id": run_id,
            "state": state,
            "started_at": at,
            "finished_at": at + timedelta(minutes=1) if ends else None,
            "seconds": 61.5 if ends else None,
        }
        | figures,
    )


def add_file(name: str, path: str, *, state: str = "loaded", at: datetime, **figures: Any) -> None:
    """Store the state of one file that was last looked at then."""
    is_loaded = state == "loaded"
    _insert(
        "file_states",
        {
            "ingestion": name,
            "path": path,
            "state": state,
            "version": "v1",
            "loaded_version": "v1" if is_loaded else "",
            "load_id": 1 if is_loaded else 0,
            "size": 12_345_678,
            "modified_at": at - timedelta(hours=3),
            "attempts": 1,
            "rows": 1_000 if is_loaded else 0,
            "run_id": "scheduled__1",
            "first_seen_at": at,
            "loaded_at": at if is_loaded else None,
        }
        | figures,
    )


def add_load(name: str, path: str, *, outcome: str = "loaded", at: datetime, **figures: Any) -> None:
    """Store one attempt at a file that ended then."""
    _insert(
        "file_loads",
        {
            "ingestion": name,
            "path": path,
            "version": "v1",
            "load_id": 1,
            "attempt": 1,
            "run_id": "scheduled__1",
            "outcome": outcome,
            "reader": "worker",
            "rows": 1_000 if outcome == "loaded" else 0,
            "bytes": 12_345_678,
            "seconds": 1.25,
            "started_at": at - timedelta(seconds=2),
            "finished_at": at,
        }
        | figures,
    )


def add_candidate(name: str, path: str, *, comparison_id: str, reason: str = "new", at: datetime) -> None:
    """Store one file that a comparison found to be loaded."""
    _insert(
        "file_candidates",
        {
            "ingestion": name,
            "run_id": comparison_id,
            "comparison_id": comparison_id,
            "batch": 1,
            "path": path,
            "reason": reason,
            "size": 4_096,
            "modified_at": at,
            "version": "v1",
            "compared_at": at,
        },
    )


def add_busy_week(now: datetime | None = None) -> None:
    """Store what a control room sees after a week: three ingestions, runs and files in every state."""
    now = now or datetime.now(UTC)
    for name, changes in (
        ("meter_readings", {"deadline_hours": 26.0}),
        ("rte_yearly", {"format": "parquet", "description": "", "schedule": "", "enabled": False}),
        ("weather_archive", {"schedule": "*/15 * * * *", "description": "Météo-France, archives horaires"}),
    ):
        declare(name, **changes)
    add_run(
        "meter_readings",
        "scheduled__1",
        at=now - timedelta(minutes=20),
        state="partial",
        scheduled_for=now - timedelta(minutes=21),
        is_full_listing=True,
        files_listed=8_760,
        files_new=4,
        files_loaded=2,
        files_quarantined=1,
        files_failed=1,
        rows_loaded=2_000,
        bytes_read=24_691_356,
        error=HOSTILE_ERROR,
    )
    for day in range(1, 7):
        at = now - timedelta(days=day)
        figures = {"files_listed": 8_756 - day, "files_new": 2, "files_loaded": 2, "rows_loaded": 2_000}
        add_run("meter_readings", f"scheduled__{day}d", at=at, scheduled_for=at, bytes_read=9_000_000, **figures)
    add_run("weather_archive", "scheduled__w", at=now - timedelta(minutes=4), scheduled_for=now, files_listed=420)
    planned = {"is_dry_run": True, "comparison_id": "c1", "files_listed": 8_760, "files_new": 2, "files_changed": 1}
    add_run("meter_readings", "dry__1", at=now - timedelta(minutes=9), **planned)
    for path, reason in (("in/2024-02-10.csv.gz", "new"), ("in/2024-02-09.csv.gz", "changed"), (HOSTILE, "new")):
        add_candidate("meter_readings", path, comparison_id="c1", reason=reason, at=now)
    _add_files(now)


def _add_files(now: datetime) -> None:
    at = now - timedelta(minutes=19)
    for day in range(1, 9):
        add_file("meter_readings", f"in/2024-02-0{day}.csv.gz", at=at - timedelta(days=day))
    add_file("meter_readings", HOSTILE, state="quarantined", at=at, error=HOSTILE_ERROR, attempts=4)
    slow = "s3://meters answers 503 SlowDown after 4 attempts; the next run tries again"
    add_file("meter_readings", "in/2024-02-09.csv.gz", state="failed", at=at, error=slow, loaded_version="v0")
    add_file("meter_readings", "in/2024-02-10.csv.gz", state="new", at=at, attempts=0)
    add_file("weather_archive", "HOR/H_13_2020.csv.gz", at=at, rows=1_234_567)
    for path, outcome, figures in (
        ("in/2024-02-01.csv.gz", "loaded", {"rows_quarantined": 3, "first_bad_line": "7;12:00;abc\n<b>bold</b>"}),
        ("in/2024-02-02.csv.gz", "loaded", {"reader": "engine", "schema_changes": ["column note added"]}),
        ("in/2024-02-09.csv.gz", "failed", {"error": slow}),
        (HOSTILE, "quarantined", {"error": HOSTILE_ERROR, "attempt": 4, "first_bad_line": "x,<i>y</i>"}),
    ):
        add_load("meter_readings", path, outcome=outcome, at=at, **figures)


def _insert(table: str, row: dict[str, Any]) -> None:
    with connect("writer") as client:
        client.insert(table, [list(row.values())], column_names=list(row))
