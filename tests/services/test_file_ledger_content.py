"""What is read of RTE's and the portal's files for `measurements`, and what is refused before anything lands."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from datetime import UTC, datetime

import pytest

from powersense.autoloader.ledgers import check_target, load_ledger_file
from powersense.errors import FileChangedError, FileContentError, SourceDeclarationError, StoreError
from powersense.sources.object_stores.opening import open_store
from powersense.warehouse.client import connect
from tests.services.ledger_files import (
    BASE,
    HEADER,
    HOUR,
    MODIFIED,
    emptied,
    latest,
    nothing_landed,
    reasons,
    rte,
    versions,
)

folder = pytest.fixture(emptied)


def test_spring_s_ghost_hour_is_set_aside_and_autumn_s_one_block_is_winter_time(folder):
    hours = [("01:30", 1, ""), ("02:00", 2, ""), ("02:30", 3, ""), ("03:00", 4, "")]
    folder.write(rte(*hours, date="2017-03-26"), "spring")
    assert folder.load("spring", bad_records="fail").rows_quarantined == 2, "every year has it: a habit, not an error"
    assert reasons() == {"ghost_hour": 2}
    folder.write(rte(*hours, date="2017-10-29"), "autumn")
    folder.load("autumn")
    found = [at for metric, at, _, _ in versions() if metric == "consommation"]
    assert [f"{at:%m-%d %H:%M}" for at in found] == [
        "03-26 00:30", "03-26 01:00", "10-28 23:30", "10-29 01:00", "10-29 01:30", "10-29 02:00"
    ]  # fmt: skip


def test_a_new_column_survives_and_is_told_and_a_missing_one_is_refused_or_told(folder):
    folder.write(rte(*BASE))
    assert folder.load().schema_changes == ()
    folder.write(rte(("02:00", 1, 2, 3), header=HEADER + "\tConsommation corrigée"), "grown")
    assert folder.load("grown").schema_changes == ("column 'consommation_corrigee' is new",)
    assert latest("consommation_corrigee") == {2: 3}
    folder.write(rte(("02:30", 5), header=HEADER.replace("\tConsommation", "")), "shrunk")
    with pytest.raises(FileContentError, match=r"no column gives consommation.*set schema_policy to 'evolve'"):
        folder.load("shrunk")
    assert folder.load("shrunk", schema_policy="evolve").schema_changes == ("no column gives 'consommation'",)


def test_a_portal_s_saved_answers_read_alike_in_all_their_shapes(folder):
    record = {
        "perimetre": "France", "nature": "Données temps réel", "date": "2017-09-30", "heure": "00:00",
        "date_heure": "2017-09-29T22:00:00+00:00", "consommation": 50000,
    }  # fmt: skip
    target = {"format": "portal_json", "target": {"kind": "measurements", "source": "national_realtime"}}
    shapes = {
        "export": [record],
        "page": {"total_count": 900, "results": [record]},
        "first api": {"nhits": 900, "records": [{"recordid": "x", "fields": record}]},
    }
    for number, (name, document) in enumerate(shapes.items()):
        folder.write(json.dumps(document), f"{name}.json", modified=MODIFIED + number * HOUR)
        loaded = folder.load(f"{name}.json", schema_policy="evolve", **target)
        assert (loaded.rows, loaded.rows_changed) == (1, 0 if number else 1), name
    folder.write(json.dumps({"error_code": "InvalidRESTParameterError"}), "error.json")
    with pytest.raises(FileContentError, match="holds no list of records"):
        folder.load("error.json", **target)
    folder.write(json.dumps([record])[:-20], "cut.json")
    with pytest.raises(FileContentError, match="ends early"):
        folder.load("cut.json", **target)
    csv = "\ufeff" + ";".join(record) + "\r\n" + ";".join(str(value) for value in record.values()) + "\r\n"
    folder.write(csv, "export.csv", modified=MODIFIED + 9 * HOUR)
    assert folder.load("export.csv", **target | {"format": "portal_csv", "schema_policy": "evolve"}).rows == 1
    assert len(versions()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>gateway</html>", "no header of an RTE file"),
        (lzma.compress(rte(*BASE))[:-20], "cut or damaged"),
        (rte(*BASE).replace(b"\t", b";"), "no header of an RTE file"),
        (rte(*BASE).decode("iso-8859-1").encode(), r"key column \['perimetre'\] is absent"),
        (rte(("00:00", "x", "y")), r"not one of its records can be stored; the first: not_a_number"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel workbook"),
    ],
    ids=[
        "a page of HTML",
        "a cut xz",
        "another delimiter",
        "another encoding",
        "words",
        "a real Excel file",
    ],
)
def test_what_is_no_file_of_its_format_is_refused_and_nothing_lands(folder, content, message):
    folder.write(content)
    with pytest.raises(FileContentError, match=message):
        folder.load()
    assert nothing_landed()


def test_a_workbook_of_today_is_told_from_an_archive(folder):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    folder.write(body.getvalue())
    with pytest.raises(FileContentError, match=r"Excel workbook.*publisher's own file"):
        folder.load()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("eCO2mix.xls", rte(*BASE))
    folder.write(body.getvalue())
    assert folder.load().rows == 6


def test_an_emptied_file_withdraws_nothing_and_is_refused(folder):
    for empty in (b"", gzip.compress(b""), rte()):
        folder.write(empty)
        assert folder.load().rows == 0
    folder.write(rte(*BASE), modified=MODIFIED + HOUR)
    folder.load()
    folder.write(rte(), modified=MODIFIED + 2 * HOUR)
    with pytest.raises(FileContentError, match="holds no value, its earlier content did; nothing was withdrawn"):
        folder.load()
    assert len(latest()) == 3


def test_a_bad_record_refuses_the_file_where_that_is_asked_for(folder):
    folder.write(rte(*BASE, ("01:30", 900000, "")))
    with pytest.raises(FileContentError, match="bad_records is 'fail'") as refused:
        folder.load(bad_records="fail")
    assert "900000" in refused.value.first_bad_line
    assert nothing_landed()
    assert not reasons()


def test_a_file_that_changes_and_a_deadline_leave_nothing(folder):
    folder.write(rte(*BASE))
    ingestion = folder.ingestion()
    store = open_store(ingestion)
    listed = store.stat(f"{folder.path}/year.xls"[1:])
    folder.write(rte(*BASE), modified=MODIFIED + HOUR)
    until = datetime.now(UTC) + HOUR
    with connect("writer") as client, pytest.raises(FileChangedError):
        load_ledger_file(client, ingestion, listed, store, load_id=1, run_id="r", deadline=until)
    with pytest.raises(StoreError, match=r"time-out.*timeout_minutes"):
        folder.load(deadline=-HOUR)
    with pytest.raises(FileContentError, match=r"limits\.file_bytes"):
        folder.load(limits={"file_bytes": 10})
    assert nothing_landed()


def test_a_target_that_cannot_take_the_format_is_told_before_any_file_is_read(folder):
    check_target(folder.ingestion())
    with pytest.raises(SourceDeclarationError, match="source 'rte' is not declared; known"):
        check_target(folder.ingestion(target={"kind": "measurements", "source": "rte"}))
    wrong = {"format": "meteo_synop", "target": {"kind": "weather_observations", "source": "hourly"}}
    with pytest.raises(SourceDeclarationError, match="of source 'synop'; write that"):
        check_target(folder.ingestion(**wrong))
