"""The file autoloader's models on the real engine: real runs over a folder, and the marts beside what they did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.autoloader.declarations import create
from powersense.autoloader.steps import run_once
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import RunState
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.file_rows import declare
from tests.services.test_dbt_project import built, read

MODELS = (
    "--select", "+mart_file_ingestions", "+mart_file_runs", "+mart_file_loads", "--indirect-selection", "cautious",
)  # fmt: skip


@pytest.fixture
def meters(warehouse, tmp_path, monkeypatch):
    """A folder whose files are an ingestion's; beside it one that is overdue."""
    folder = tmp_path / "meters"
    folder.mkdir()
    monkeypatch.setenv("FILE_SOURCE_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    declaration = {
        "name": "meters",
        "uri": f"file://{folder}/*.csv",
        "format": "csv",
        "target": {"kind": "table", "table": "meters", "columns": [{"name": "kwh", "type": "Float64"}]},
        "deadline_hours": 26,
    }
    with connect("writer") as client:
        create(client, Ingestion.model_validate(declaration), changed_by="test")
        declare(client, "grid", at=datetime.now(UTC) - timedelta(hours=90), deadline_hours=26)
    return folder


@pytest.mark.slow
def test_the_marts_show_each_ingestion_its_runs_and_its_days(warehouse, meters, tmp_path):
    for number in range(3):
        (meters / f"{number}.csv").write_text("kwh\n" + "1\n" * 10)
    assert run_once("meters", run_id="one").state is RunState.SUCCESS
    run_once("meters", run_id="dry", dry_run=True)
    # The last one changes, and its new content is refused: its old rows stay.
    (meters / "2.csv").write_text("<!DOCTYPE html><html><body>504 Gateway Time-out</body></html>")
    assert run_once("meters", run_id="two").state is RunState.FAILED
    as_of = datetime.now(UTC)
    statuses = built(tmp_path, "build", *MODELS, as_of=as_of.isoformat())
    assert set(statuses.values()) == {"success", "pass"}
    assert sum(node.startswith("unit_test.") for node in statuses) == 3

    standing = read(warehouse, "SELECT * FROM mart_file_ingestions ORDER BY ingestion").set_index("ingestion")
    counts = ["files", "files_loaded", "files_quarantined", "rows_loaded", "runs", "last_run_state", "is_overdue"]
    assert standing.loc["meters", counts].tolist() == [3, 2, 1, 30, 2, "failed", False]
    assert standing.loc["grid", counts].tolist() == [0, 0, 0, 0, 0, "never", True]
    runs = read(warehouse, "SELECT * FROM mart_file_runs ORDER BY started_at").set_index("run_id")
    shown = ["state", "is_dry_run", "files_listed", "files_due", "files_loaded", "files_quarantined", "rows_loaded"]
    assert runs.loc["one", shown].tolist() == ["success", False, 3, 3, 3, 0, 30]
    assert runs.loc["dry", shown].tolist() == ["success", True, 3, 0, 0, 0, 0]
    assert runs.loc["two", shown].tolist() == ["failed", False, 3, 1, 0, 1, 0]
    days = read(warehouse, "SELECT * FROM mart_file_loads ORDER BY day").iloc[0]
    totals = ["attempts", "files", "loaded", "quarantined", "rows_loaded"]
    assert days[totals].tolist() == [4, 3, 3, 1, 30]
    assert "2.csv" in days["last_error"]
