"""Bad records and changed columns in good answers: quarantine or a named error, and a table that heals."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from powersense.errors import MalformedResponseError
from powersense.ingest.jobs import job
from tests.services.replay_portal import serving
from tests.services.replayed_ingestion import (
    TABLES,
    connected,
    measurements,
    quarantined,
    run,
    stored_without_faults,
)
from tests.warehouses import query

running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(connected)
fault_free = pytest.fixture(stored_without_faults)


def standing():
    """The values that stand, by key; what was withdrawn is not among them."""
    newest = query("SELECT ukey, argMax(tuple(value), version).1 AS value FROM measurements FINAL GROUP BY ukey")
    return {ukey: value for ukey, value in newest if value is not None}


RECORD_FAULTS = [
    pytest.param("missing_key", {"key": "date_heure", "rows": 2}, {"missing_key": 4}, id="missing instant"),
    pytest.param("missing_key", {"key": "area", "rows": 2}, {"missing_key": 4}, id="missing area"),
    pytest.param("missing_key", {"key": "nature", "rows": 1}, {"missing_key": 2}, id="missing nature"),
    pytest.param("wrong_type", {"rows": 3}, {"not_a_number": 6}, id="an object for a number"),
    pytest.param("wrong_type", {"rows": 1, "value": "beaucoup"}, {"not_a_number": 2}, id="a word for a number"),
    pytest.param("out_of_range", {"rows": 2}, {"out_of_range": 4}, id="value out of range"),
    pytest.param("duplicate_instant", {"rows": 2, "add": 0}, {}, id="identical duplicates"),
    pytest.param("ghost_hour", {"rows": 4, "add": 500}, {"ghost_hour": 8}, id="ghost hour"),
    pytest.param("schema_drift", {"mode": "string_numbers"}, {}, id="numbers as text"),
]


@pytest.mark.parametrize(("kind", "options", "reasons"), RECORD_FAULTS)
def test_bad_records_are_set_aside_and_the_table_heals(  # noqa: PLR0917
    warehouse, portal, fault_free, kind, options, reasons
):
    portal.inject(kind, **options)
    during = run("bad")
    assert quarantined() == reasons
    assert during["rows_quarantined"] == sum(reasons.values())
    assert measurements() <= fault_free
    if kind in ("ghost_hour", "duplicate_instant", "schema_drift"):
        assert measurements() == fault_free
    run("bad again")
    assert quarantined() == reasons, "the same bad records must not pile up"
    portal.clear()
    run("good")
    assert measurements() == fault_free


def test_a_contradicting_duplicate_leaves_one_value_and_the_other_in_quarantine(warehouse, portal, fault_free):
    portal.inject("duplicate_instant", rows=1, add=-300, dataset="eco2mix-national-tr")
    run("bad")
    assert quarantined() == {"contradicting_duplicate": 1}
    assert measurements() == fault_free


def test_an_unknown_column_becomes_a_metric_beside_unchanged_ones(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="new_column")
    run()
    new = {row for row in measurements() if json.loads(row[0])["metric"] == "nouvelle_filiere"}
    assert {value for _, _, value in new} == {42.0}
    assert measurements() - new == fault_free


def test_an_unknown_text_column_is_one_quarantine_row(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="new_column", column="commentaire", value="essai")
    run()
    assert quarantined() == {"unknown_column": 2}
    assert measurements() == fault_free


def test_a_vanished_column_withdraws_nothing(warehouse, portal, fault_free):
    run("good")
    portal.inject("schema_drift", mode="missing_column", column="eolien")
    run("narrow")
    assert measurements() == fault_free


def test_a_vanished_key_column_is_an_error_not_a_green_run(warehouse, portal, fault_free):
    portal.inject("schema_drift", mode="missing_column", column="date_heure")
    with pytest.raises(MalformedResponseError, match="date_heure"):
        run()
    portal.clear()
    run()
    assert measurements() == fault_free


def test_measured_values_of_the_future_are_set_aside(warehouse, monkeypatch):
    """On the served present (`shift=auto`), since only there the future is the future of the answer."""
    from powersense.local.replay import ReplayServer

    with ReplayServer(shift="auto", clock="frozen") as server:
        monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": server.base_url}))
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        jobs = [job("live", "national_realtime", now - timedelta(hours=3), now)]
        server.inject("future_rows", rows=4)
        run("bad", jobs)
        assert quarantined()["future_value"] > 0
        load = "metric = 'consommation' AND isNotNull(value)"
        newest = query(f"SELECT max(observed_at) FROM measurements FINAL WHERE {load}")[0][0].replace(tzinfo=UTC)
        assert newest <= now + timedelta(minutes=3)
        assert query("SELECT count() FROM measurements WHERE metric = 'prevision_j1' AND observed_at > now()")[0][0] > 0
        server.clear()
        run("good", jobs)
        # What is less than three minutes ahead counts as measured: it stood, and is withdrawn.
        healed = standing()
        for table in TABLES:
            query(f"TRUNCATE TABLE {table} SYNC")
        run("fault free", jobs)
        assert healed == standing()
