"""A warehouse that is lent again holds what migrating leaves in it, whatever the test before has done to it."""

from __future__ import annotations

import pytest

from powersense.warehouse.client import connect
from powersense.warehouse.migrate import migrations

ROW = (
    "INSERT INTO quarantine (source, reason, record_hash) SETTINGS insert_deduplication_token = 'same' "
    "VALUES ('s', 'r', 'h')"
)
CHANGES = {
    "rows": [ROW],
    "rows that are gone again": [ROW, "TRUNCATE TABLE quarantine"],
    "a setting": ["ALTER TABLE quarantine MODIFY SETTING merge_with_ttl_timeout = 60"],
    "a column": ["ALTER TABLE quarantine ADD COLUMN other String"],
    "a table that is gone": ["DROP TABLE quarantine SYNC"],
    "a table in another's place": [
        "RENAME TABLE quarantine TO away",
        "CREATE TABLE quarantine (wrong UInt8) ENGINE = MergeTree ORDER BY tuple()",
    ],
    "another view": ["CREATE OR REPLACE VIEW measurements_as_known AS SELECT 1 AS one"],
    "a mart": ["CREATE TABLE {marts}.mart (one UInt8) ENGINE = MergeTree ORDER BY one AS SELECT 1 AS one"],
    "a table of files": ["CREATE TABLE {files}.meters (one UInt8) ENGINE = MergeTree ORDER BY one"],
    "a day less in the calendar": [
        "ALTER TABLE calendar_days DELETE WHERE day = '2017-07-14' SETTINGS mutations_sync = 1"
    ],
    "a database that is gone": ["DROP DATABASE {marts} SYNC"],
}


def content(warehouse):
    """Return the statements of all tables, what migrating filled, and the rows of a table around two equal inserts."""
    with connect("writer") as client:
        statements = client.query(
            "SELECT database, name, create_table_query FROM system.tables WHERE database IN {names:Array(String)}",
            parameters={"names": warehouse.databases},
        ).result_rows
        days = client.query("SELECT count() FROM calendar_days FINAL").first_row
        applied = client.query("SELECT id FROM schema_migrations FINAL ORDER BY id").result_rows
        counts = []
        for statement in ("SELECT 1", ROW, ROW):
            client.command(statement)
            counts += client.query("SELECT count() FROM quarantine").first_row
        return sorted(statements), days, applied, counts


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_what_a_test_changed_is_as_migrated_for_the_next(warehouses, changes):
    with warehouses.lend() as first, connect("writer") as client:
        for statement in changes:
            client.command(statement.format(marts=first.marts_database, files=first.files_database))
    with warehouses.lend() as second:
        assert second == first
        found = content(second)
    assert [name for (name,) in found[2]] == [known.id for known in migrations()]
    assert found[1] == (7305,)
    assert found[3] == [0, 1, 1], "the first insert is not taken for an earlier one's repetition, the second is"
    with warehouses.lend() as one, warehouses.lend() as other:
        assert one.database != other.database
        # Of the two, one is made anew: what was restored is told from it by nothing but its name.
        unlike = other if one == first else one
        assert content_of_fresh(unlike, second) == found[0]


def content_of_fresh(fresh, named):
    """Return the statements of a warehouse as if it had another's name."""
    with connect("writer", database="default") as client:
        rows = client.query(
            "SELECT database, name, create_table_query FROM system.tables WHERE database IN {names:Array(String)}",
            parameters={"names": fresh.databases},
        ).result_rows
    return sorted(tuple(text.replace(fresh.database, named.database) for text in row) for row in rows)
