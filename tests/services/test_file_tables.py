"""Files into tables of their own, on the real engine: both readers, types, schema policies, modes, activation."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from powersense.errors import ConfigurationError, FileContentError, StoreError
from powersense.warehouse.client import connect_loader
from tests.services.file_tables import LOAD_COLUMNS, Tables

HEADER = "observed_at,area,load_mw,note\n"
GOOD = (
    f"{HEADER}2017-09-30 10:00:00,Occitanie,4000.5,\n"
    '2017-09-30T10:30:00Z,Île-de-France,-1,"a, ""b"""\n'
    "2017-09-30T13:00:00+02:00,Bretagne,,late\n"
)
SHOWN = "toString(observed_at), area, load_mw, note"
GOOD_ROWS = [
    ("2017-09-30 10:00:00", "Occitanie", 4000.5, None),
    ("2017-09-30 10:30:00", "Île-de-France", -1.0, 'a, "b"'),
    ("2017-09-30 11:00:00", "Bretagne", None, "late"),
]
GOOD_JSON = [
    {"observed_at": "2017-09-30 10:00:00", "area": "Occitanie", "load_mw": 4000.5, "note": None},
    {"observed_at": "2017-09-30T10:30:00Z", "area": "Île-de-France", "load_mw": "-1", "note": 'a, "b"'},
    {"observed_at": "2017-09-30T13:00:00+02:00", "area": "Bretagne", "note": "late"},
]
READERS = pytest.mark.parametrize("reader", ["engine", "worker"])


@pytest.fixture
def tables(module_warehouse, tmp_path):
    folder = tmp_path / "in coming é"
    folder.mkdir()
    with Tables(folder, module_warehouse.files_database) as found:
        yield found


def _parquet() -> bytes:
    table = pa.table(
        {
            "observed_at": pa.array(
                [
                    datetime(2017, 9, 30, 10, tzinfo=UTC),
                    datetime(2017, 9, 30, 10, 30, tzinfo=UTC),
                    datetime(2017, 9, 30, 11, tzinfo=UTC),
                ],
                pa.timestamp("us"),
            ),
            "area": pa.array(["Occitanie", "Île-de-France", "Bretagne"]).dictionary_encode(),
            "load_mw": pa.array([4000.5, -1, None], pa.float64()),
            "note": [None, 'a, "b"', "late"],
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)
    return sink.getvalue()


def _zip(**members: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.csv", content)
    return sink.getvalue()


LINES = "\n".join(json.dumps(record, ensure_ascii=False) for record in GOOD_JSON).encode()
FORMS = {
    "csv": ("a b é.csv", GOOD.encode(), {}),
    "csv with a byte order mark and CRLF": ("b.csv", b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(), {}),
    "tsv": (
        "a.tsv",
        GOOD.replace('"a, ""b"""', "@").replace(",", "\t").replace("@", '"a, ""b"""').encode(),
        {"format": "tsv"},
    ),
    "gz": ("a.csv.gz", gzip.compress(GOOD.encode()), {}),
    "xz": ("a.csv.xz", lzma.compress(GOOD.encode()), {}),
    "zst": ("a.csv.zst", pa.Codec("zstd").compress(GOOD.encode(), asbytes=True), {}),
    "json lines": ("a.jsonl", LINES, {"format": "json_each_row"}),
    "json": ("a.json", json.dumps(GOOD_JSON).encode(), {"format": "json"}),
    "parquet": ("a.parquet", _parquet(), {"format": "parquet"}),
}
WORKER_FORMS = {
    "zip": ("a.zip", _zip(only=GOOD), {}),
    "latin letters": ("l.csv", GOOD.encode("iso-8859-1"), {"csv": {"encoding": "iso-8859-1"}}),
    "gz of parquet": ("a.parquet.gz", gzip.compress(_parquet()), {"format": "parquet"}),
}


@pytest.mark.parametrize("form", FORMS)
@READERS
def test_both_readers_give_the_same_rows(tables, form, reader):
    name, content, options = FORMS[form]
    loaded = tables.load(tables.declare(reader=reader, **options), name, content)
    assert (loaded.rows, loaded.reader, loaded.rows_quarantined, loaded.bytes) == (3, reader, 0, len(content))
    assert tables.rows(SHOWN) == GOOD_ROWS


@pytest.mark.parametrize("form", WORKER_FORMS)
def test_the_worker_reads_what_the_engine_does_not(tables, form):
    name, content, options = WORKER_FORMS[form]
    loaded = tables.load(tables.declare(**options), name, content)
    assert (loaded.rows, loaded.reader) == (3, "worker")
    assert tables.rows(SHOWN) == GOOD_ROWS


def test_without_the_loaders_connection_the_worker_streams(tables, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_CLICKHOUSE_LOADER")
    with connect_loader() as loader:
        assert loader is None
        tables.loader = loader
        loaded = tables.load(tables.declare(), "a.csv", GOOD)
    assert (loaded.rows, loaded.reader, loaded.load_id) == (3, "worker", 0)
    with pytest.raises(StoreError, match="clickhouse_loader"):
        tables.load(tables.declare(reader="engine"), "a.csv")


# One value a row: what a lenient parser makes 44, 1 October, 0 or 1.23 of.
STRICT = {
    "UInt8": (["0", "255", " 7 ", "+1"], ["300", "-1", "1.5", "", "x"], [0, 1, 7, 255]),
    "Int64": (["-9223372036854775808"], ["99999999999999999999"], [-(2**63)]),
    "Nullable(Int32)": (["", "5"], ["5000000000"], [5, None]),
    "Float64": (["1e3", "-.5"], ["1,5", "1e400", "0x10", ""], [-0.5, 1000.0]),
    "Decimal(10, 2)": (["1.20", "-12345678.9", "0001.500"], ["1.239", "123456789", "1e3"], None),
    "Date": (["2017-09-30"], ["2017-09-31", "30/09/2017", "20170930"], [date(2017, 9, 30)]),
    "DateTime('UTC')": (
        ["2017-09-30 10:00", "2017-09-30", "2017-09-30T10:00:00.123Z"],
        ["2017-09-30 25:00:00", "2017-02-30 10:00:00", "2200-01-01 00:00:00", "1506772800", "2017-02-30T10:00:00Z"],
        None,
    ),
    "DateTime('Europe/Paris')": (["2017-03-26 03:30:00"], ["2017-03-26 02:30:00"], None),
    "DateTime64(3, 'UTC')": (["2017-09-30 10:00:00.5", "2250-01-01T00:00:00+01:00"], ["2017-09-31 10:00:00"], None),
    "Bool": (["true", "0", "FALSE"], ["2", "vrai"], None),
    "UUID": (["61f0c404-5cb3-11e7-907b-a6006ad3dba0"], ["61f0c404"], None),
}


@pytest.mark.parametrize("kind", STRICT)
@READERS
def test_a_value_is_taken_as_its_type_says_or_its_record_is_set_aside(tables, kind, reader):
    good, bad, values = STRICT[kind]
    ingestion = tables.declare(columns=[{"name": "v", "type": kind}, {"name": "k", "type": "String"}], reader=reader)
    content = "v,k\n" + "".join(f'"{value}",{position}\n' for position, value in enumerate(good))
    loaded = tables.load(ingestion, "good.csv", content)
    assert (loaded.rows, loaded.rows_quarantined, loaded.reader) == (len(good), 0, reader)
    if values is not None:
        assert [value for (value,) in tables.rows("v")] == values
    loaded = tables.load(ingestion, "bad.csv", content + "".join(f'"{value}",bad\n' for value in bad))
    assert (loaded.rows, loaded.rows_quarantined) == (len(good), len(bad))
    set_aside = [json.loads(record)["content"]["v"] for _, _, record in tables.set_aside()]
    assert sorted(set_aside) == sorted(bad)
    assert tables.rows("countIf(k = 'bad')") == [(0,)]
    assert loaded.first_bad_line.startswith(f"record {len(good) + 1}: 'v' is ")


def test_a_typed_file_is_cast_as_strictly(tables):
    columns = [
        {"name": "small", "type": "UInt8"},
        {"name": "at", "type": "DateTime('UTC')"},
        {"name": "text", "type": "String"},
    ]
    table = pa.table(
        {
            "small": [1, 300, 2],
            "at": pa.array(
                [datetime(2017, 9, 30, tzinfo=UTC)] * 2 + [datetime(2200, 1, 1, tzinfo=UTC)], pa.timestamp("us")
            ),
            "text": [[1], [2], [3]],
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    loaded = tables.load(tables.declare(columns=columns, format="parquet"), "a.parquet", sink.getvalue())
    assert (loaded.rows, loaded.rows_quarantined, loaded.reader) == (1, 2, "worker")
    assert tables.rows("small, text") == [(1, "[1]")]
    assert {reason for reason, _, _ in tables.set_aside()} == {"not_a_number", "bad_instant"}
    with pytest.raises(FileContentError, match=r"DateTime64.*does not become Bool"):
        tables.load(
            tables.declare(columns=[{"name": "at", "type": "Bool"}], format="parquet", schema_policy="rescue"),
            "a.parquet",
        )


@READERS
def test_decimal_commas_and_words_for_nothing(tables, reader):
    options = {"delimiter": ";", "decimal": ",", "null_values": ["ND", "-"]}
    ingestion = tables.declare(
        columns=[{"name": "v", "type": "Nullable(Float64)"}, {"name": "k", "type": "Nullable(String)"}],
        csv=options,
        reader=reader,
    )
    assert tables.load(ingestion, "a.csv", "v;k\n1,5;a\nND;b\n2;-\n").rows == 3
    assert tables.rows("k, v") == [("a", 1.5), ("b", None), (None, 2.0)]
    loaded = tables.load(ingestion, "b.csv", "v;k\n1.500;a\n3;c\n")
    assert (loaded.rows, loaded.rows_quarantined) == (1, 1), "a point may group thousands: it is not guessed"


@READERS
def test_a_changed_file_replaces_exactly_its_rows(tables, reader):
    ingestion = tables.declare(columns=[{"name": "v", "type": "Int64"}], reader=reader)
    for name in ("a", "b"):
        tables.load(ingestion, f"{name}.csv", "v\n1\n2\n")
    tables.load(ingestion, "a.csv", "v\n2\n3\n4\n")
    assert tables.rows("v") == [(1,), (2,), (2,), (3,), (4,)]
    tables.load(ingestion, "a.csv", "v\n")
    assert tables.rows("v") == [(1,), (2,)]
    ids = "SELECT uniqExact(_file_id), uniqExact(_load_id), count() FROM "
    assert tables.reader.query(f"{ids}{tables.files_database}.{tables.table}__loads").first_row == (2, 3, 7)


def test_the_file_id_is_that_of_its_state(tables):
    ingestion = tables.declare(columns=[{"name": "v", "type": "Int64"}])
    tables.load(ingestion, "a.csv", "v\n1\n")
    file = tables.file(ingestion, "a.csv")
    tables.client.insert("file_states", [[ingestion.name, file.path]], column_names=["ingestion", "path"])
    found = tables.reader.query(
        "SELECT file_id FROM file_states WHERE ingestion = {name:String}", parameters={"name": ingestion.name}
    ).result_rows
    assert tables.rows("_file_id") == found


@READERS
def test_an_upsert_shows_the_row_of_the_file_modified_last_and_of_its_last_line(tables, reader):
    ingestion = tables.declare(
        columns=[{"name": "k", "type": "String"}, {"name": "v", "type": "Nullable(Int64)"}],
        mode="upsert",
        key=["k"],
        reader=reader,
    )
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    tables.load(ingestion, "new.csv", "k,v\na,1\nb,2\nb,\n", modified_at=noon)
    tables.load(ingestion, "old.csv", "k,v\na,8\nb,8\nc,8\n", modified_at=noon - timedelta(hours=1))
    assert tables.rows("k, v") == [("a", 1), ("b", None), ("c", 8)], "a late file with earlier content changes nothing"
    tables.load(ingestion, "new.csv", "k,v\nb,3\n", modified_at=noon)
    assert tables.rows("k, v") == [("a", 8), ("b", 3), ("c", 8)], (
        "what the changed file no longer says comes from the other"
    )


@READERS
def test_policy_evolve_adds_columns_and_fills_missing_ones(tables, reader):
    ingestion = tables.declare(
        columns=[{"name": "k", "type": "String", "is_required": True}, {"name": "v", "type": "Nullable(Int64)"}],
        schema_policy="evolve",
        reader=reader,
    )
    loaded = tables.load(ingestion, "a.csv", "k,Température (°C)\na,12.5\n")
    assert [change.split(" ")[1] for change in loaded.schema_changes] == ["'temperature_c'", "'v'"]
    assert tables.load(ingestion, "b.csv", "v,k,Température (°C)\n1,b,\n").schema_changes == ()
    assert tables.rows("k, v, temperature_c") == [("a", None, "12.5"), ("b", 1, None)]
    with pytest.raises(FileContentError, match="lacks column 'k', which is declared as required"):
        tables.load(ingestion, "c.csv", "v\n1\n")


def test_a_table_without_declared_columns_takes_them_from_its_first_file(tables):
    ingestion = tables.declare(columns=[], schema_policy="evolve", format="parquet", key=["area"], mode="upsert")
    loaded = tables.load(ingestion, "a.parquet", _parquet())
    assert (loaded.rows, len(loaded.schema_changes)) == (3, 4)
    types = "toTypeName(observed_at), toTypeName(load_mw)"
    assert tables.rows(f"DISTINCT {types}") == [("Nullable(DateTime64(6, 'UTC'))", "Nullable(Float64)")]
    assert tables.load(ingestion, "a.parquet").schema_changes == ()


@READERS
def test_policy_rescue_keeps_unknown_columns_as_json(tables, reader):
    ingestion = tables.declare(columns=[{"name": "k", "type": "String"}], schema_policy="rescue", reader=reader)
    loaded = tables.load(ingestion, "a.csv", 'k,x y,"it\'s"\na,1,\nb,,"q""é"\nc,,\n')
    assert loaded.schema_changes == ("column 'x y' rescued", 'column "it\'s" rescued')
    assert tables.rows("k, _rescued") == [("a", '{"x y":"1"}'), ("b", '{"it\'s":"q\\"é"}'), ("c", None)]


def test_records_of_json_may_bring_further_keys_at_any_time(tables):
    lines = '{"k": "a"}\n{"k": "b", "n": 12345678901234567890.5}\n{"k": "c", "o": {"p": [1, true]}}\n'
    columns = [{"name": "k", "type": "String"}]
    rescue = tables.declare(columns=columns, schema_policy="rescue", format="json_each_row")
    assert tables.load(rescue, "a.jsonl", lines).rows == 3
    assert tables.rows("k, _rescued")[1:] == [
        ("b", '{"n":"12345678901234567890.5"}'),
        ("c", '{"o":"{\\"p\\":[1,true]}"}'),
    ]
    evolve = tables.declare(columns=columns, schema_policy="evolve", format="json_each_row")
    assert len(tables.load(evolve, "a.jsonl").schema_changes) == 2
    assert tables.rows("k, n, o")[1:] == [("b", "12345678901234567890.5", None), ("c", None, '{"p":[1,true]}')]
    with pytest.raises(FileContentError, match="unknown columns 'n'"):
        tables.load(tables.declare(columns=columns, format="json_each_row"), "a.jsonl")


def test_a_column_declared_otherwise_than_it_is_stops_the_run(tables):
    ingestion = tables.declare(columns=[{"name": "v", "type": "Int64"}])
    tables.load(ingestion, "a.csv", "v\n1\n")
    other = tables.declare(table=tables.table, columns=[{"name": "v", "type": "String"}])
    with pytest.raises(ConfigurationError, match=r"column 'v' of table .* is Int64, declared as String"):
        tables.load(other, "a.csv")
    more = tables.declare(
        table=tables.table, columns=[*ingestion.target.columns, {"name": "w", "type": "Nullable(Int8)"}]
    )
    tables.load(more, "b.csv", "v,w\n2,3\n")
    assert tables.rows("v, w") == [(1, None), (2, 3)]


def test_the_time_of_a_batch_ends_before_anything_is_shown(tables):
    ingestion = tables.declare(columns=LOAD_COLUMNS)
    with pytest.raises(StoreError, match="time-out"):
        tables.load(ingestion, "a.csv", GOOD, seconds=-1)
    assert tables.rows("count()") == [(0,)]


def test_what_the_loader_may_the_writer_may_not(tables):
    from clickhouse_connect.driver.exceptions import DatabaseError

    path = str(tables.write("a.csv", GOOD))
    question = "SELECT count() FROM file({path:String}, 'CSVWithNames')"
    assert tables.loader.query(question, parameters={"path": path}).first_row == (3,)
    for client in (tables.client, tables.reader):
        with pytest.raises(DatabaseError, match=r"READ ON FILE|ACCESS_DENIED"):
            client.query(question, parameters={"path": path})
