"""Files into `measurements` and `weather_observations` on the real engine: changes, order, repeats, and bad input."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from powersense.autoloader.ledgers import check_target, load_ledger_file, weather_pieces
from powersense.autoloader.ledgers.content_batches import ContentBatches
from powersense.autoloader.ledgers.load_pieces import load_pieces
from powersense.errors import FileChangedError, FileContentError, SourceDeclarationError, StoreError
from powersense.files.declaration import Ingestion
from powersense.sources.object_store import open_store
from powersense.warehouse.client import connect
from powersense.warehouse.ledger import MEASUREMENTS, WEATHER
from tests.services.weather_server import hourly_file, synop_file

HOUR = timedelta(hours=1)
DAY = datetime(2017, 9, 29, 22, tzinfo=UTC)  # midnight in Paris
MODIFIED = datetime(2017, 11, 1, 12, tzinfo=UTC)
HEADER = "Périmètre\tNature\tDate\tHeures\tConsommation\tPrévision J-1"
NANTES, BLAIN = "44020001", "44015001"
AT = datetime(2019, 3, 31, tzinfo=UTC)
TABLES = (
    "quarantine",
    *(table for one in (MEASUREMENTS, WEATHER) for table in (one.table, one.landing_table, one.log_table)),
)
WEATHER_SOURCES = {"meteo_hourly": "hourly", "meteo_synop": "synop", "meteo_climatology": "climatology"}


def rte(*rows, header=HEADER, date="2017-09-30"):
    """An RTE file of (wall-clock time, load, forecast) rows."""
    lines = [f"France\tDonnées définitives\t{date}\t" + "\t".join(str(cell) for cell in row) + "\t" for row in rows]
    legal = "RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données."
    return "\n".join([header, *lines, legal, ""]).encode("iso-8859-1")


BASE = (("00:00", 50000, 49000), ("00:30", 48000, 47000), ("01:00", 46000, 45000))


class Folder:
    """A folder of files, and an ingestion that loads them."""

    def __init__(self, path):
        self.path = path
        self.declared = {
            "name": "files",
            "uri": f"file://{path}/*",
            "format": "rte_xls",
            "target": {"kind": "measurements", "source": "rte_files"},
        }

    def write(self, content, name="year.xls", *, modified=MODIFIED):
        target = self.path / name
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(target, ns=(0, int(modified.timestamp()) * 10**9))

    def load(self, name="year.xls", *, deadline=timedelta(minutes=5), run_id="r", **changes):
        ingestion = self.ingestion(**changes)
        store = open_store(ingestion)
        file = store.stat(f"{self.path}/{name}"[1:])
        with connect("writer") as client:
            until = datetime.now(UTC) + deadline
            return load_ledger_file(client, ingestion, file, store, load_id=7, run_id=run_id, deadline=until)

    def land_only(self, name="year.xls"):
        """Do what an attempt does that is killed before it stores: its rows are landed, not numbered."""
        ingestion, now = self.ingestion(), datetime.now(UTC)
        store = open_store(ingestion)
        file = store.stat(f"{self.path}/{name}"[1:])
        with connect("writer") as client, store.open(file) as stream:
            pieces = load_pieces(io.BytesIO(stream.read()), file, ingestion, read_at=now, run_id="killed")
            ContentBatches(client, MEASUREMENTS, ingestion="files", file=file, run_id="killed").land(pieces)

    def ingestion(self, **changes):
        return Ingestion.model_validate({**self.declared, **changes})


@pytest.fixture
def folder(module_warehouse, tmp_path):
    """An empty folder, beside emptied tables."""
    with connect("writer") as client:
        for table in TABLES:
            client.command("TRUNCATE TABLE {table:Identifier}", parameters={"table": table})
    return Folder(tmp_path)


@pytest.fixture
def weather(folder):
    def load(content, file_format, name="file", **changes):
        folder.write(content, name)
        source = WEATHER_SOURCES.get(file_format, "observations")
        folder.declared |= {"format": file_format, "target": {"kind": "weather_observations", "source": source}}
        return folder.load(name, **changes)

    return load


def query(sql, **parameters):
    with connect("writer") as client:
        return client.query(sql, parameters=parameters).result_rows


def latest(metric="consommation"):
    """The latest version of each value, by hour of the day; None where it was withdrawn."""
    rows = query(
        "SELECT observed_at, argMax(tuple(value), version).1 FROM measurements WHERE metric = {metric:String} "
        "GROUP BY observed_at ORDER BY observed_at",
        metric=metric,
    )
    return {(at - DAY) / HOUR: value for at, value in rows}


def versions():
    return query("SELECT metric, observed_at, version, value FROM measurements FINAL ORDER BY ALL")


def temperatures():
    return query(
        "SELECT station, observed_at, toString(vintage), value FROM weather_observations FINAL "
        "WHERE metric = 'temperature_c' ORDER BY ALL"
    )


def reasons():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason"))


def nothing_landed():
    return query("SELECT count() FROM landings") == [(0,)] and not versions()


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


def test_each_format_of_meteo_france_reaches_its_vintage_in_our_units(weather):
    weather(hourly_file([(NANTES, AT, 10.0, "1"), (BLAIN, AT, 9.0, "9")]), "meteo_hourly")
    weather(gzip.compress(synop_file([("07222", AT, 10.5)]).encode()), "meteo_synop", "synop.gz")
    climatology = f"POSTE;DATE;T;U;N\r\n{NANTES};{AT:%Y%m%d%H};10,1;81;8\r\n{BLAIN};{AT:%Y%m%d%H};;80;\r\n"
    weather(climatology, "meteo_climatology", "order.csv")
    report = {"geo_id_insee": BLAIN, "validity_time": f"{AT:%Y-%m-%dT%H:%M:%SZ}", "t": 282.25}
    weather(json.dumps([report]), "meteo_observations", "a.json")
    assert temperatures() == [
        (BLAIN, AT, "consolidated", 9.0),
        (BLAIN, AT, "realtime", 9.1),
        (NANTES, AT, "consolidated", 10.1),
        (NANTES, AT, "definitive", 10.0),
        (NANTES, AT, "realtime", 10.5),
    ]
    covered = "SELECT value FROM weather_observations WHERE metric = 'cloud_cover_pct' AND vintage = 'consolidated'"
    assert query(covered) == [(100.0,)]


def test_a_changed_weather_file_withdraws_the_reports_it_lost(weather):
    hours = [(NANTES, AT + number * HOUR, float(number), "1") for number in range(4)]
    weather(hourly_file(hours), "meteo_hourly")
    changed = [hours[0], (NANTES, AT + HOUR, 1.5, "1"), (NANTES, AT + 2 * HOUR, 99.0, "1")]
    loaded = weather(hourly_file(changed) + "\n", "meteo_hourly")
    assert loaded.first_bad_line.startswith("out_of_range")
    latest = (
        "SELECT observed_at, argMax(value, version) FROM weather_observations WHERE metric = 'temperature_c' "
        "GROUP BY observed_at ORDER BY observed_at"
    )
    values = query(latest.replace("argMax(value, version)", "argMax(tuple(value), version).1"))
    assert values == [(AT, 0.0), (AT + HOUR, 1.5), (AT + 2 * HOUR, 2.0), (AT + 3 * HOUR, None)]


def test_a_long_file_is_read_in_pieces_and_lands_only_once_all_of_it_is_sound(weather, monkeypatch):
    """SYNOP months repeat whole instants; a cut between two copies would let a contradiction pass."""
    monkeypatch.setattr(weather_pieces, "RECORDS_PER_PIECE", 10)
    monkeypatch.setattr("powersense.sources.meteo_tables._BLOCK_BYTES", 128)
    numbers, steps = ("07222", "07110", "07005"), [AT + 3 * step * HOUR for step in range(8)]
    spoiled = [(number, at, 10.0) for at in steps for number in numbers] + [("07222", steps[0] - HOUR, 99.0)]
    with pytest.raises(FileContentError, match="bad_records is 'fail': out_of_range"):
        weather(synop_file(spoiled), "meteo_synop", "synop", bad_records="fail")
    with pytest.raises(FileContentError, match="cut or damaged"):
        weather(gzip.compress(synop_file(spoiled).encode())[:-9], "meteo_synop", "synop.gz")
    assert query("SELECT count() FROM weather_landings") == [(0,)]
    twice = [(number, at, celsius) for at in steps for celsius in (10.0, 11.0) for number in numbers]
    assert weather(synop_file(twice), "meteo_synop", "synop").rows_quarantined == len(twice) / 2
    assert query("SELECT uniqExact(batch_id) > 2 FROM weather_landings") == [(True,)]
    assert [celsius for *_, celsius in temperatures()] == [11.0] * (len(twice) // 2)


def test_an_archive_older_than_the_warehouse_s_calendar_is_told_in_one_row(weather):
    old = [(NANTES, datetime(1951, 1, 1, hour, tzinfo=UTC), 1.0, "1") for hour in range(5)]
    with pytest.raises(FileContentError, match="5 records before 1970-01-01"):
        weather(hourly_file(old), "meteo_hourly")
    loaded = weather(hourly_file([*old, (NANTES, AT, 2.0, "1")]), "meteo_hourly")
    assert (loaded.rows_quarantined, [row[3] for row in temperatures()]) == (1, [2.0])


def test_a_target_that_cannot_take_the_format_is_told_before_any_file_is_read(folder):
    check_target(folder.ingestion())
    with pytest.raises(SourceDeclarationError, match="source 'rte' is not declared; known"):
        check_target(folder.ingestion(target={"kind": "measurements", "source": "rte"}))
    wrong = {"format": "meteo_synop", "target": {"kind": "weather_observations", "source": "hourly"}}
    with pytest.raises(SourceDeclarationError, match="of source 'synop'; write that"):
        check_target(folder.ingestion(**wrong))
