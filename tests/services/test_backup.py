"""Backup and restore of the warehouse by `python -m powersense.backup`, on the real engine and its real disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pandas as pd
import pytest

from powersense.backup.__main__ import main
from powersense.errors import BackupError, ConfigurationError
from powersense.settings import get_settings
from powersense.warehouse import backups
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import StoreCounts, store_batch
from powersense.warehouse.migrate import migrate
from tests.services.rule_model import Row, frame
from tests.warehouses import Warehouse


def put(batch_id: str, values: list[float]) -> StoreCounts:
    rows = [Row(slot, value) for slot, value in enumerate(values)]
    with connect("writer") as client:
        land(client, frame(rows, retrieval=len(batch_id)), batch_id=batch_id)
        return store_batch(client, batch_id)


def contents(warehouse: Warehouse) -> pd.DataFrame:
    """Return all versions, and what the views over them say."""
    with connect("reader") as client:
        return client.query_df(
            "SELECT observed_at, version, value, inserted_at FROM measurements FINAL ORDER BY observed_at, version"
        )


def own_databases(warehouse: Warehouse) -> set[str]:
    with connect("reader") as client:
        rows = client.query("SELECT name FROM system.databases WHERE startsWith(name, {name:String})",
                            parameters={"name": warehouse.database}).result_rows  # fmt: skip
    return {str(row[0]) for row in rows}


@pytest.fixture(scope="module")
def filled(module_warehouse: Warehouse) -> Iterator[Warehouse]:
    warehouse = module_warehouse
    put("a", [100.0, 200.0, 300.0])
    with connect("writer") as client:
        mart = f"{warehouse.marts_database}.mart_newest"
        client.command(f"CREATE VIEW {mart} AS SELECT max(value) AS newest FROM {warehouse.database}.measurements")
    before = own_databases(warehouse)
    yield warehouse
    with connect("writer", database="default") as client:
        for name in own_databases(warehouse) - before:
            client.command(f"DROP DATABASE {name} SYNC")


def test_a_restored_warehouse_is_what_was_backed_up_and_goes_on(filled, capsys):
    name, later = f"{filled.database}-full", f"{filled.database}-upon"
    assert main(["create", name]) == 0
    backed_up = contents(filled)
    put("b", [101.0, 200.0, 300.0, 400.0])
    assert main(["create", later, "--upon", name]) == 0
    full, upon = (int(count.replace(",", "")) for count in re.findall(r"([\d,]+) files", capsys.readouterr().out))
    assert 0 < upon < full / 2
    ahead = contents(filled)

    assert main(["restore", name]) == 1
    assert "--replace" in capsys.readouterr().err
    pd.testing.assert_frame_equal(contents(filled), ahead)

    assert main(["restore", name, "--replace"]) == 0
    kept = re.findall(r"kept in (\S+);", capsys.readouterr().out)
    pd.testing.assert_frame_equal(contents(filled), backed_up)
    own = {filled.database, filled.marts_database, filled.files_database}
    assert {re.sub("_before_.*", "", database) for database in kept} == own
    with connect("writer") as client:
        assert client.query(f"SELECT newest FROM {filled.marts_database}.mart_newest").first_row == (300.0,)
        [tables] = [database for database in kept if database.startswith(f"{filled.database}_before")]
        assert client.query(f"SELECT count() FROM {tables}.measurements FINAL").first_row == (len(ahead),)
        assert migrate(client, settings=get_settings()) == []
    # The writer numbers on: what the backup knows is no news, what came after it is.
    counts = put("c", [101.0, 200.0, 300.0, 400.0])
    assert (counts.new, counts.revised, counts.unchanged) == (1, 1, 2)

    # A backup upon another brings both.
    assert main(["restore", later, "--replace"]) == 0
    pd.testing.assert_frame_equal(contents(filled), ahead)


def test_verify_counts_what_a_backup_holds_and_leaves_nothing(filled, capsys):
    name, held = f"{filled.database}-verified", len(contents(filled))
    main(["create", name])
    put("after", [101.0])
    before = own_databases(filled)
    capsys.readouterr()
    assert main(["verify", name]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"^ +{held} {filled.database}\.measurements$", said, flags=re.MULTILINE)
    assert own_databases(filled) == before


def test_a_damaged_backup_is_found_and_nothing_is_lost(filled, clickhouse_server, capsys):
    name = f"{filled.database}-damaged"
    main(["create", name])
    put("damage", [102.0])
    ahead = contents(filled)
    folder = clickhouse_server.data_dir / "backups" / name
    data = next(path for path in sorted(folder.rglob("data/*/measurements/**/data.bin")))
    data.write_bytes(data.read_bytes()[:-7])
    before = own_databases(filled)
    for command in (["verify", name], ["restore", name, "--replace"]):
        assert main(command) == 1, command
        assert name in capsys.readouterr().err
        assert own_databases(filled) == before
        pd.testing.assert_frame_equal(contents(filled), ahead)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["../escaped", "", "a b", "/etc", "x'); DROP", "ü", "a" * 101])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ConfigurationError, match="backup name"):
        backups.checked_name(name)


def test_no_command_leaves_the_disk_of_backups(filled, clickhouse_server, capsys):
    outside = sorted(clickhouse_server.data_dir.iterdir())
    for command in ("create", "verify", "restore"):
        assert main([command, "../escaped"]) == 1
        assert "backup name '../escaped'" in capsys.readouterr().err
    assert sorted(clickhouse_server.data_dir.iterdir()) == outside


def test_a_name_that_is_taken_and_one_that_is_missing_are_said(filled, capsys):
    name = f"{filled.database}-twice"
    main(["create", name])
    assert main(["create", name]) == 1
    assert f"{name!r} exists already" in capsys.readouterr().err
    ahead = contents(filled)
    assert main(["restore", "never-made", "--replace"]) == 1
    said = capsys.readouterr().err
    assert "'never-made' is not on the server's disk" in said
    assert "0x" not in said
    pd.testing.assert_frame_equal(contents(filled), ahead)


def test_who_only_reads_makes_no_backup(filled):
    with connect("reader", database="default") as client, pytest.raises(BackupError, match="Not enough privileges"):
        backups.create(client, settings=get_settings(), name=f"{filled.database}-reader")
