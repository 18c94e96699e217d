"""Upkeep removes rows of files that nobody sees any more, and none that somebody sees or may yet see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from powersense.autoloader.steps import run_once
from powersense.files.declaration import Ingestion
from powersense.files.stored_file import RunState
from powersense.maintain import expire
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.file_rows import insert

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def test_a_changed_files_earlier_rows_go_and_its_readers_notice_nothing(warehouse, tmp_path, monkeypatch):
    monkeypatch.setenv("FILE_SOURCE_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    target = {"kind": "table", "table": "meters", "columns": [{"name": "kwh", "type": "Float64"}]}
    fields = {"name": "meters", "uri": f"file://{tmp_path}/*.csv", "format": "csv", "target": target}
    meters = Ingestion.model_validate(fields)
    for content in ("kwh\n1\n2\n3\n", "kwh\n4\n"):
        (tmp_path / "1.csv").write_text(content)
        assert run_once(meters).state is RunState.SUCCESS
    with connect("writer") as opened:

        def rows(table: str) -> list[float]:
            query = "SELECT kwh FROM {database:Identifier}.{table:Identifier} ORDER BY kwh"
            where = {"database": warehouse.files_database, "table": table}
            return [kwh for (kwh,) in opened.query(query, parameters=where).result_rows]

        assert (rows("meters"), rows("meters__loads")) == ([4], [1, 2, 3, 4])
        assert expire(NOW)["file_loads_removed"] == 0, "the claims are of now"
        opened.command("TRUNCATE TABLE file_claims")
        assert expire(NOW)["file_rows_removed"] == 3
        assert (rows("meters"), rows("meters__loads")) == ([4], [4])


@pytest.fixture
def client(warehouse):
    with connect("writer") as opened:
        where = {"database": warehouse.files_database}
        opened.command(
            "CREATE TABLE {database:Identifier}.meters__loads (value UInt8, _file_id UInt64, _load_id UInt64) "
            "ENGINE = MergeTree ORDER BY _file_id",
            parameters=where,
        )
        yield opened


def write(client, database, path, load_id, *, rows, claimed_until, activated=False):
    """Do what a task does: claim, write, and perhaps activate."""
    claim = {"ingestion": "meters", "path": path, "number": load_id, "claimed_until": claimed_until}
    insert(client, "file_claims", claim)
    file_id = client.query("SELECT sipHash64('meters', {path:String})", parameters={"path": path}).first_row[0]
    values = [[number, file_id, load_id] for number in range(rows)]
    client.insert("meters__loads", values, column_names=["value", "_file_id", "_load_id"], database=database)
    if activated:
        insert(client, "file_activations", {"target": "meters", "file_id": file_id, "load_id": load_id})


def stored(client, database):
    query = "SELECT _load_id, count() FROM {database:Identifier}.meters__loads GROUP BY _load_id ORDER BY _load_id"
    return dict(client.query(query, parameters={"database": database}).result_rows)


def test_only_what_nobody_sees_and_no_task_may_activate_goes(client, warehouse):
    database, long_ago = warehouse.files_database, NOW - 30 * HOUR
    write(client, database, "active.csv", 1, rows=3, claimed_until=long_ago, activated=True)
    write(client, database, "changed.csv", 2, rows=4, claimed_until=long_ago, activated=True)
    write(client, database, "changed.csv", 3, rows=5, claimed_until=long_ago, activated=True)
    write(client, database, "crashed.csv", 4, rows=6, claimed_until=long_ago)
    write(client, database, "running.csv", 5, rows=7, claimed_until=NOW + HOUR)
    write(client, database, "lately.csv", 6, rows=8, claimed_until=NOW - HOUR)
    # Tried again after a crash, and being written: the first try's rows wait too.
    write(client, database, "again.csv", 7, rows=2, claimed_until=long_ago)
    write(client, database, "again.csv", 8, rows=2, claimed_until=NOW + HOUR)
    # Of a table whose files have the same loads active under another name.
    insert(client, "file_activations", {"target": "other", "file_id": 1, "load_id": 4})

    counts = expire(NOW)
    assert (counts["file_loads_removed"], counts["file_rows_removed"]) == (2, 10)
    assert stored(client, database) == {1: 3, 3: 5, 5: 7, 6: 8, 7: 2, 8: 2}
    # A clock that is ahead takes nothing from running tasks.
    assert expire(NOW + 90 * HOUR)["file_loads_removed"] == 0
    assert expire(NOW)["file_loads_removed"] == 0
