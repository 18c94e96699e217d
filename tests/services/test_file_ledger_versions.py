"""A file's changes as versions in the ledgers: repeats, order, withdrawals, and attempts that were cut short."""

from __future__ import annotations

import pytest

from tests.services.ledger_files import BASE, DAY, HOUR, MODIFIED, emptied, latest, reasons, rte, versions
from tests.warehouses import query

folder = pytest.fixture(emptied)


def test_the_same_content_again_makes_no_version(folder):
    folder.write(rte(*BASE))
    first = folder.load(run_id="a")
    stored = versions()
    assert (first.rows, first.rows_changed, first.rows_quarantined) == (6, 6, 0)
    folder.load(run_id="b")
    folder.write(rte(*BASE), modified=MODIFIED + HOUR)
    assert folder.load(run_id="c").rows_changed == 0
    assert versions() == stored


def test_a_changed_file_replaces_exactly_its_values(folder):
    folder.write(rte(("01:30", 44000, 43000)), "other.xls")
    folder.load("other.xls")
    folder.write(rte(*BASE))
    folder.load()
    folder.write(rte(("00:00", 50000, ""), ("01:00", 46100, 45000), ("02:00", 43000, 42000)), modified=MODIFIED + HOUR)
    assert folder.load().rows_changed == 6, "a load is revised, two come, two forecasts and a load go"
    assert latest() == {0: 50000, 0.5: None, 1: 46100, 1.5: 44000, 2: 43000}
    assert latest("prevision_j1") == {0: None, 0.5: None, 1: 45000, 1.5: 43000, 2: 42000}
    gone = [(metric, version, value) for metric, at, version, value in versions() if at == DAY + HOUR / 2]
    assert gone == [
        ("consommation", 1, 48000),
        ("consommation", 2, None),
        ("prevision_j1", 1, 47000),
        ("prevision_j1", 2, None),
    ]


def test_what_another_source_has_revised_since_is_not_withdrawn(folder):
    folder.write(rte(*BASE))
    folder.load()
    folder.write(rte(("00:30", 48200, 47000)), "correction.xls", modified=MODIFIED + HOUR)
    folder.load("correction.xls")
    folder.write(rte(BASE[0], BASE[2]), modified=MODIFIED + 2 * HOUR)
    folder.load()
    assert latest() == {0: 50000, 0.5: 48200, 1: 46000}
    assert latest("prevision_j1") == {0: 49000, 0.5: None, 1: 45000}, "confirmed only, so still the first file's"


@pytest.mark.parametrize("names", [("old", "new"), ("new", "old")], ids=["oldest first", "newest first"])
def test_of_two_files_the_one_modified_last_counts_whichever_is_loaded_first(folder, names):
    folder.write(rte(("00:00", 1000, "")), "old")
    folder.write(rte(("00:00", 2000, "")), "new", modified=MODIFIED + HOUR)
    for name in names:
        folder.load(name)
    assert latest() == {0: 2000}


def test_a_file_taken_back_to_its_earlier_content_and_date_shows_that(folder):
    folder.write(rte(*BASE))
    folder.load()
    folder.write(rte(("00:00", 51000, 49000), ("03:00", 42000, 41000)), modified=MODIFIED + HOUR)
    folder.load()
    assert latest() == {0: 51000, 0.5: None, 1: None, 3: 42000}
    folder.write(rte(*BASE))
    folder.load()
    assert latest() == {0: 50000, 0.5: 48000, 1: 46000, 3: None}


def test_an_unsound_value_withdraws_nothing_and_an_unreadable_record_keeps_all(folder):
    folder.write(rte(*BASE))
    folder.load()
    folder.write(rte(("00:00", 900000, 49000), BASE[1]), modified=MODIFIED + HOUR)
    loaded = folder.load()
    assert latest() == {0: 50000, 0.5: 48000, 1: None}, "out of range is no withdrawal, absence is"
    assert loaded.first_bad_line.startswith('out_of_range (consommation: range [0, 200000]): {"consommation": 900000')
    folder.write(rte(BASE[1], ("00:00", 50000, 49000, 1, 2, 3)), modified=MODIFIED + 2 * HOUR)
    assert folder.load().rows_quarantined == 1
    assert latest() == {0: 50000, 0.5: 48000, 1: None}, "the record that cannot be read may be the one of 00:00"
    assert reasons() == {"out_of_range": 1, "malformed_record": 1}


def test_an_attempt_cut_between_landing_and_storing_is_finished_by_the_next(folder):
    folder.write(rte(*BASE))
    folder.load()
    folder.write(rte(("00:00", 50500, 49000)), modified=MODIFIED + HOUR)
    folder.land_only()
    assert latest() == {0: 50000, 0.5: 48000, 1: 46000}
    folder.load()
    assert latest() == {0: 50500, 0.5: None, 1: None}
    assert len(versions()) == 6 + 1 + 4
    folder.load()
    assert len(versions()) == 6 + 1 + 4


def test_what_a_killed_attempt_left_of_an_earlier_content_is_withdrawn_too(folder):
    folder.write(rte(*BASE, ("23:00", 60000, 61000)))
    folder.land_only()
    folder.write(rte(*BASE), modified=MODIFIED + HOUR)
    folder.load()
    assert latest() == {0: 50000, 0.5: 48000, 1: 46000, 23: None}


@pytest.mark.parametrize("later", [BASE, BASE[:2]], ids=["the same content", "another content"])
def test_a_killed_attempt_whose_rows_have_expired_hinders_nobody(folder, later):
    folder.write(rte(*BASE))
    folder.land_only()
    query("ALTER TABLE measurements_landing DELETE WHERE 1 SETTINGS mutations_sync = 1")
    folder.write(rte(*later), modified=MODIFIED if later is BASE else MODIFIED + HOUR)
    for _ in range(2):
        folder.load()
        assert set(latest().values()) == {load for _, load, _ in later}
