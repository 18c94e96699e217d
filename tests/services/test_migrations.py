"""The migration runner: repeats, edits, concurrent runners, kills midway, and the cluster form of every statement."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from powersense.calendar import describe
from powersense.errors import MigrationError
from powersense.settings import Settings, get_settings
from powersense.warehouse import calendar_days
from powersense.warehouse import migrate as runner
from powersense.warehouse.client import connect
from powersense.warehouse.migrate import Migration, due, migrate, migrations, render
from powersense.warehouse.sql import statement
from tests.warehouses import Warehouse

CLUSTER = Settings(clickhouse_cluster="grid-eu", clickhouse_database="powersense")
REPEATABLE = re.compile(
    r"^(CREATE (TABLE|DATABASE|DICTIONARY) IF NOT EXISTS"
    r"|CREATE OR REPLACE VIEW"
    r"|DROP (TABLE|VIEW) IF EXISTS"
    r"|ALTER TABLE \S+\s+(ON CLUSTER '\S+' )?"
    r"(ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS|DROP (COLUMN|INDEX|PROJECTION) IF EXISTS|MODIFY|COMMENT"
    r"|MATERIALIZE PROJECTION))"
)

every_migration = pytest.mark.parametrize("migration", migrations(), ids=lambda migration: migration.id)


@pytest.fixture
def client(warehouse: Warehouse):
    with connect("writer") as opened:
        yield opened


@pytest.fixture
def unmigrated(warehouse: Warehouse):
    """A client where neither database exists."""
    with connect("writer", database="default") as opened:
        for database in (warehouse.database, warehouse.marts_database):
            opened.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": database})
        yield opened


def tables(client, warehouse: Warehouse) -> set[str]:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = {name:String}", parameters={"name": warehouse.database}
    ).result_rows
    return {name for (name,) in rows}


def test_migrating_again_applies_nothing(client):
    assert migrate(client, settings=get_settings()) == []


def test_all_tables_of_the_contract_are_there(client, warehouse):
    assert tables(client, warehouse) >= {
        "measurements", "measurements_landing", "landings", "measurements_as_known", "quarantine", "ingestion_runs",
        "scores", "anomalies", "episodes", "alerts", "calendar_days", "schema_migrations",
    }  # fmt: skip


@every_migration
def test_every_statement_can_be_repeated(migration):
    assert [text for text in render(migration.text, Settings()) if not REPEATABLE.match(text)] == []


@every_migration
def test_the_cluster_form_is_replicated_everywhere_and_parses(client, migration):
    for text in [*render(statement("create_databases"), CLUSTER), *render(migration.text, CLUSTER)]:
        assert "ON CLUSTER 'grid-eu'" in text
        assert "MergeTree" not in re.sub(r"ENGINE = Replicated\w*MergeTree", "", text)
        assert "CreateQuery" in (parsed := client.command(f"EXPLAIN AST {text}")) or "AlterQuery" in parsed


@every_migration
def test_the_one_node_form_names_no_cluster(migration):
    for text in render(migration.text, Settings(clickhouse_cluster="")):
        assert "Replicated" not in text
        assert "ON CLUSTER" not in text


def test_an_edited_file_is_refused_by_name(client, monkeypatch):
    edited = [Migration(known.id, known.text + "-- a thought") for known in migrations()]
    monkeypatch.setattr(runner, "migrations", lambda: edited)
    with pytest.raises(MigrationError, match=r"'0001_measurements' was edited after it was applied"):
        migrate(client, settings=get_settings())


def test_a_database_from_a_newer_version_is_refused():
    with pytest.raises(MigrationError, match=r"'0002_later' is applied, but this version"):
        due([Migration("0001_a", "a")], {"0001_a": Migration("0001_a", "a").checksum, "0002_later": "0"})


def test_a_migration_numbered_below_an_applied_one_is_refused():
    known = [Migration("0001_a", "a"), Migration("0002_b", "b")]
    with pytest.raises(MigrationError, match=r"'0001_a' is numbered below '0002_b'"):
        due(known, {"0002_b": known[1].checksum})


def test_two_runners_at_once_leave_one_schema(unmigrated, warehouse):
    ready = Barrier(3)

    def run(_):
        with connect("writer", database="default") as client:
            ready.wait()
            return migrate(client, settings=get_settings())

    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(run, range(3)))
    assert {identifier for ids in applied for identifier in ids} == {known.id for known in migrations()}
    assert migrate(unmigrated, settings=get_settings()) == []
    assert "measurements" in tables(unmigrated, warehouse)


@pytest.mark.parametrize("survived", [0, 1, 3, 4, 8])
def test_a_runner_killed_between_statements_is_continued_by_the_next(unmigrated, warehouse, survived):
    class Killed(BaseException):
        """What a kill looks like from inside."""

    whole, ran = unmigrated.command, []

    def dying(text, *args, **kwargs):
        if len(ran) > survived:
            raise Killed
        ran.append(text)
        return whole(text, *args, **kwargs)

    unmigrated.command = dying
    with pytest.raises(Killed):
        migrate(unmigrated, settings=get_settings())
    unmigrated.command = whole
    migrate(unmigrated, settings=get_settings())
    assert migrate(unmigrated, settings=get_settings()) == []
    assert {"measurements", "alerts", "calendar_days"} <= tables(unmigrated, warehouse)


def test_the_calendar_holds_every_day_as_described(client):
    rows = client.query(
        "SELECT day, day_type, is_public_holiday, hours_in_day, day_start_utc, day_end_utc FROM calendar_days FINAL "
        "WHERE day IN ('2017-10-29', '2017-03-26', '2017-07-14') ORDER BY day"
    ).result_rows
    for row in rows:
        day = describe(row[0])
        assert row[1:] == (day.day_type, day.is_public_holiday, day.hours, day.start_utc, day.end_utc)
    assert [row[3] for row in rows] == [23, 24, 25]


def test_syncing_the_calendar_writes_what_differs_only(client):
    assert calendar_days.sync(client) == 0
    client.command("ALTER TABLE calendar_days DELETE WHERE day = '2017-07-14' SETTINGS mutations_sync = 1")
    assert calendar_days.sync(client) == 1
    assert (
        client.query("SELECT holiday_name FROM calendar_days FINAL WHERE day = '2017-07-14'").first_row[0]
        == "Fête nationale"
    )
