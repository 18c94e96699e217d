"""The rules on the file autoloader, on stored rows: they fire on the fault, end with it, and leave others alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from powersense.warehouse.client import connect
from tests.services.file_rows import attempted, declare, ran, seen
from tests.services.rule_data import alert_rows, findings_of

if TYPE_CHECKING:
    pass

NOW = datetime(2018, 3, 20, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = ("file_overdue", "file_quarantined", "file_schema_changed", "file_run_failed")


@pytest.fixture
def client(warehouse):
    with connect("writer") as opened:
        yield opened


def found(now: datetime = NOW) -> dict[str, int]:
    """Return the findings of the rules on files that have any."""
    return findings_of(RULES, now)


def test_an_ingestion_that_does_well_and_one_that_is_switched_off_are_told_nothing(client):
    assert found() == {}
    declare(client, "meters", at=NOW - 100 * HOUR, deadline_hours=26)
    seen(client, "meters", "1.csv", at=NOW - 25 * HOUR)
    attempted(client, "meters", "1.csv", at=NOW - 25 * HOUR)
    ran(client, "meters", "one", at=NOW - 30 * HOUR, state="failed", error="away")
    ran(client, "meters", "two", at=NOW - 25 * HOUR)
    for name, deleted in (("off", False), ("gone", True)):
        declare(client, name, at=NOW - 100 * HOUR, deadline_hours=1, enabled=deleted)
        seen(client, name, "1.csv", at=NOW - 90 * HOUR, state="quarantined", error="no header")
        attempted(client, name, "1.csv", at=NOW - HOUR, schema_changes=["column b is new"])
        ran(client, name, "one", at=NOW - HOUR, state="failed", error="away")
    # A deleted one keeps its rows.
    client.command(
        "INSERT INTO file_ingestions SELECT * REPLACE (true AS is_deleted, now64(6) AS changed_at) "
        "FROM file_ingestions FINAL WHERE ingestion = 'gone'"
    )
    assert found() == {}


def test_a_deadline_counts_from_the_newest_file_and_before_the_first_from_the_declaration(client):
    declare(client, "meters", at=NOW - 27 * HOUR, deadline_hours=26)
    declare(client, "grid", at=NOW - 2 * HOUR, deadline_hours=26)
    ran(client, "meters", "one", at=NOW - HOUR)
    assert found() == {"file_overdue": 1}
    [(fingerprint, severity, _, message)] = alert_rows(client, "file_overdue")
    assert (fingerprint, severity) == ("file_overdue||meters", "warning")
    assert message == (
        "No file has come in the 27 h since it was declared; the deadline is 26 h. "
        "The store: last listed at 2018-03-20 12:00 UTC."
    )
    seen(client, "meters", "1.csv", at=NOW - 25 * HOUR)
    assert found() == {}
    [(*_, state, message)] = alert_rows(client, "file_overdue")
    assert state == "closed"
    assert found(NOW + 2 * HOUR) == {"file_overdue": 1}
    # A file with a date of the past, found later, is a new one; so is a known one that changed.
    seen(client, "meters", "0.csv", at=NOW + HOUR, modified_at=NOW - 900 * HOUR)
    assert found(NOW + 3 * HOUR) == {}
    seen(client, "meters", "1.csv", at=NOW - 25 * HOUR, modified_at=NOW + 20 * HOUR, updated_at=NOW + 20 * HOUR)
    assert found(NOW + 30 * HOUR) == {"file_overdue": 1}  # of the other one
    assert [row[0] for row in alert_rows(client, "file_overdue") if row[2] == "open"] == ["file_overdue||grid"]


def test_quarantined_files_are_one_alert_until_none_is_left(client):
    declare(client, "meters", at=NOW - 900 * HOUR)
    for number in range(6):
        seen(client, "meters", f"{number}.csv", at=NOW - 24 * number * HOUR)
    seen(client, "meters", "old.csv", at=NOW - 400 * HOUR, state="quarantined", error="truncated")
    seen(client, "meters", "new.csv", at=NOW - HOUR, state="quarantined", error="delimiter ';' where ',' is declared")
    assert found() == {"file_quarantined": 1}
    [(fingerprint, severity, _, message)] = alert_rows(client, "file_quarantined")
    assert (fingerprint, severity) == ("file_quarantined||meters", "warning")
    assert message == (
        "Quarantined: 2, 1 of them among the 7 files of the last week. "
        "The last one, 'new.csv': delimiter ';' where ',' is declared"
    )
    for number in range(2):
        later = NOW + timedelta(minutes=number + 1)
        seen(client, "meters", f"{number}.csv", at=NOW - 24 * number * HOUR, state="quarantined", updated_at=later)
    assert found(NOW + HOUR) == {"file_quarantined": 1}
    assert [row[1] for row in alert_rows(client, "file_quarantined")] == ["critical"]
    for path in ("old.csv", "new.csv", "0.csv", "1.csv"):
        seen(client, "meters", path, at=NOW + 2 * HOUR)
    assert found(NOW + 3 * HOUR) == {}


def test_a_file_of_another_shape_is_told_for_a_day(client):
    declare(client, "meters", at=NOW - 900 * HOUR)
    for path in ("1.csv", "2.csv"):
        attempted(client, "meters", path, at=NOW - 2 * HOUR, schema_changes=["column 'unit' is new"])
    attempted(
        client, "meters", "2.csv", at=NOW - HOUR, schema_changes=["column 'unit' is new", "column 'b' is missing"]
    )
    attempted(client, "meters", "3.csv", at=NOW - HOUR, outcome="failed", schema_changes=["column 'c' is new"])
    assert found() == {"file_schema_changed": 1}
    [(fingerprint, severity, _, message)] = alert_rows(client, "file_schema_changed")
    assert (fingerprint, severity) == ("file_schema_changed||meters", "warning")
    assert message == (
        "Files loaded within a day: 2, the last one '2.csv'. column 'unit' is new; column 'b' is missing."
    )
    assert found(NOW + 24 * HOUR) == {}


def test_failed_runs_are_told_until_one_loads_and_the_third_in_a_row_is_critical(client):
    declare(client, "meters", at=NOW - 900 * HOUR)
    ran(client, "meters", "zero", at=NOW - 9 * HOUR)
    ran(client, "meters", "one", at=NOW - 3 * HOUR, state="failed", error="the store refused the key")
    ran(client, "meters", "dry", at=NOW - 2 * HOUR, is_dry_run=True)
    ran(client, "meters", "now", at=NOW - HOUR, state="running")
    assert found() == {"file_run_failed": 1}
    [(_, severity, _, message)] = alert_rows(client, "file_run_failed")
    assert (severity, message) == (
        "warning",
        "1 failed runs in a row; the last one that loaded was at 2018-03-20 04:00 UTC. one: the store refused the key",
    )
    for hour in (1, 2):
        ran(client, "meters", f"later {hour}", at=NOW + hour * HOUR, state="failed", error="the same")
    assert found(NOW + 3 * HOUR) == {"file_run_failed": 1}
    assert [row[1] for row in alert_rows(client, "file_run_failed")] == ["critical"]
    ran(client, "meters", "last", at=NOW + 4 * HOUR, state="partial")
    assert found(NOW + 5 * HOUR) == {}
