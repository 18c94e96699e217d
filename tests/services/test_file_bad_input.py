"""Every bad file that the issue names, through a whole run: its end state, its reason, and what readers see."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zipfile
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from powersense.autoloader.steps import run_once
from powersense.errors import FileChangedError, FileContentError
from powersense.sources.object_stores.folder import FolderStore
from tests.services.file_tables import Tables

COLUMNS = ({"name": "k", "type": "String"}, {"name": "v", "type": "Nullable(Int64)"})
GOOD = "k,v\na,1\nb,2\n"
MANY = "k,v\n" + "".join(f"key{number},{number * 7919}\n" for number in range(20_000))


@pytest.fixture
def tables(module_warehouse, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with Tables(folder, module_warehouse.files_database) as found:
        yield found


def _zip(*files: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return sink.getvalue()


def _parquet(rows: int = 1000) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"k": ["a"] * rows, "v": [1] * rows}), sink)
    return sink.getvalue()


HTML = b"<!DOCTYPE html>\n<html><body>503, please come back, later</body></html>\n"
# What is wrong with the whole file: it is quarantined at once, with this reason.
REFUSED = {
    "truncated gzip": ("a.csv.gz", gzip.compress(MANY.encode())[:-500], {}, "cut or damaged"),
    "truncated xz": ("a.csv.xz", lzma.compress(MANY.encode())[:-500], {}, "cut or damaged"),
    "gzip that is none": ("a.csv.gz", MANY.encode(), {}, "its name ends in 'gz'"),
    "wrong delimiter": ("a.csv", b"k;v\na;1\n", {}, "has no ',', but ';'"),
    "another wrong delimiter": ("a.csv", b"k.v\na.1\n", {}, "is the delimiter really"),
    "wrong delimiter without a header": ("a.csv", b"a;1\n", {"csv": {"has_header": False}}, "has 1 fields, 2 columns"),
    "html named csv": ("a.csv", HTML, {}, "it is a web page"),
    "html named json": ("a.json", HTML, {"format": "json"}, "it is a web page"),
    "html in a gzip": ("a.csv.gz", gzip.compress(HTML), {}, "it is a web page"),
    "wrong encoding": ("a.csv", "k,é\n".encode("iso-8859-1"), {}, "its first line is not utf-8"),
    "undefined letters": ("a.csv", b"k,v\n\x81,1\n", {"csv": {"encoding": "cp1252"}}, "the encoding another"),
    "extra column": ("a.csv", b"k,v,w\na,1,2\n", {}, "unknown columns 'w'"),
    "missing column": ("a.csv", b"k\na\n", {}, "lacks column 'v', and schema_policy 'fail'"),
    "missing key": ("a.csv", b"v\n1\n", {"schema_policy": "rescue"}, "lacks column 'k', whose type String takes no"),
    "twice the same column": ("a.csv", b"k,v,v\na,1,2\n", {}, "has 'v' twice"),
    "empty": ("a.csv", b"", {}, "it is empty, without even a header"),
    "empty gzip": ("a.csv.gz", gzip.compress(b""), {}, "it is empty, without even a header"),
    "blank": ("a.csv", b"\n\n", {}, "it is empty, without even a header"),
    "empty json": ("a.json", b" ", {"format": "json"}, "it is empty"),
    "empty parquet": ("a.parquet", b"", {"format": "parquet"}, "no Parquet file, cut, or damaged"),
    "truncated parquet": ("a.parquet", _parquet()[:-100], {"format": "parquet"}, "no Parquet file, cut, or damaged"),
    "truncated json": ("a.json", b'[{"k": "a", "v": 1}, {"k": "b"', {"format": "json"}, "after record 1 it is no JSON"),
    "json with two ends": ("a.json", b'[{"k": "a", "v": 1}] [1]', {"format": "json"}, "behind the end of its array"),
    "zip with two members": ("a.zip", _zip(("a.csv", b"k,v\n"), ("b.csv", b"k,v\n")), {}, "holds 2 files"),
    "zip bomb": ("a.zip", _zip(("a.csv", b"k,v\n" + b"a,1\n" * 4_000_000)), {}, "as a bomb does"),
    "gzip bomb": ("a.csv.gz", gzip.compress(b"k,v\n" + b"a,1\n" * 4_000_000), {}, "as a bomb does"),
    "parquet bomb": (
        "a.parquet",
        _parquet(200_000),
        {"format": "parquet", "limits": {"unpacked_bytes": 300_000}},
        "200,000 rows of 2 columns exceed",
    ),
    "larger than allowed": ("a.csv", MANY.encode(), {"limits": {"file_bytes": 1000}}, "exceed the limit of 1,000"),
    "binary": ("a.csv", bytes(range(256)) * 300, {}, "correct `csv"),
    "no line ends": ("a.csv", b"x" * 100_000, {}, "no line ends within"),
    "nothing sound in it": ("a.csv", b"k,v\na,x\nb,y\n", {}, "none of its 2 records is sound.*record 1: 'v' is 'x'"),
    "quotes that never end": ("a.csv", b'k,v\n"a,1\nb,2\n', {}, "none of its 1 records is sound|a quote may be open"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_wrong_as_a_whole_is_quarantined_at_once(tables, case):
    name, content, options, reason = REFUSED[case]
    ingestion = tables.declare(columns=COLUMNS, **options)
    tables.write(name, content)
    with pytest.raises(FileContentError, match=f"{name}.*(?s:{reason})"):
        tables.load(ingestion, name)
    assert tables.rows("count()") == [(0,)]


# What is wrong with single records: the others are loaded, these set aside with their reason.
MENDED = {
    "mixed encodings": ("k,v\né,1\n".encode() + "ç,2\n".encode("iso-8859-1"), {}, ["record 2: 'k' is not UTF-8"]),
    "too few and too many fields": (b"k,v\na,1\nb\nc,3,4\nd,5\n", {}, ["record 2: 1 fields", "record 3: 3 fields"]),
    "a word among numbers": (b"k,v\na,1\nb,n/a\n", {}, ["record 2: 'v' is 'n/a', no Int64"]),
    "a quote that never ends": (b'k,v\na,1\nb,"2\nc,3\nd,4\n', {}, ["record 2: "]),
    "a swallowing quote in the last text": (
        b'v,k\n1,a\n2,"b\n3,c\n',
        {},
        ["record 2: its quote is never closed"],
    ),
    "a cut last line": (b"k,v\na,1\nb", {}, ["record 2: 1 fields"]),
    "a header in the middle": (b"k,v\na,1\nk,v\nb,2\n", {}, ["record 2: 'v' is 'v'"]),
    "json lines, one cut": (
        b'{"k": "a", "v": 1}\n{"k": "b", "v\n[1]\n\n{"k": "c", "v": 2}\n',
        {"format": "json_each_row"},
        ["record 2: it is no JSON object", "record 3: it is no JSON object"],
    ),
    "json, one number in words": (
        b'[{"k": "a", "v": 1}, {"k": "b", "v": "two"}]',
        {"format": "json"},
        ["record 2: 'v' is 'two'"],
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_malformed_records_are_set_aside_and_the_others_loaded(tables, case):
    content, options, reasons = MENDED[case]
    ingestion = tables.declare(columns=COLUMNS, **options)
    loaded = tables.load(ingestion, "a.txt", content)
    assert loaded.rows == tables.rows("count()")[0][0] >= 1
    assert loaded.rows_quarantined == len(tables.set_aside()) == len(reasons)
    assert loaded.first_bad_line.startswith(reasons[0])
    tables.load(ingestion, "a.txt")
    assert len(tables.set_aside()) == len(reasons), "the same record met again is the same row"
    strict = tables.declare(columns=COLUMNS, bad_records="fail", **options)
    with pytest.raises(FileContentError, match="record 2") as refused:
        tables.load(strict, "a.txt")
    assert refused.value.first_bad_line.startswith(reasons[0][:8])
    assert tables.rows("count()") == [(0,)]


HARMLESS = {
    "byte order mark": ("a.csv", b"\xef\xbb\xbf" + GOOD.encode(), {}, 2),
    "line ends of an old Mac": ("a.csv", GOOD.replace("\n", "\r").encode(), {}, 2),
    "no last line end, blank lines": ("a.csv", b"\n".join([*GOOD.encode().split(), b""]).rstrip() + b"\n\n", {}, 2),
    "lines inside a quoted text": ("a.csv", b'v,k\n1,"a\nb"\n2,"c\n\nd"\n', {}, 2),
    "UTF-16": ("a.csv", GOOD.encode("utf-16"), {"csv": {"encoding": "utf-16"}}, 2),
    "a header alone": ("a.csv", b"k,v\n", {}, 0),
    "no lines of JSON": ("a.jsonl", b"", {"format": "json_each_row"}, 0),
    "an empty array": ("a.json", b"[]", {"format": "json"}, 0),
    "path with spaces, accents and quotes": ("à b's %20 #1.csv", GOOD.encode(), {}, 2),
    "zip of one member and clutter": ("a.zip", _zip(("__MACOSX/x", b"x"), ("a.csv", GOOD.encode())), {}, 2),
    "zip of two members where two are allowed": (
        "a.zip",
        _zip(("a.csv", GOOD.encode()), ("b.csv", GOOD.encode())),
        {"limits": {"archive_members": 2}},
        4,
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_only_looks_odd_is_loaded(tables, case):
    name, content, options, rows = HARMLESS[case]
    loaded = tables.load(tables.declare(columns=COLUMNS, **options), name, content)
    assert (loaded.rows, loaded.rows_quarantined) == (rows, 0)
    assert tables.rows("count()") == [(rows,)]


# A file that is deleted while this process has it open is still read to its end, as it was listed.
@pytest.mark.parametrize(
    ("reader", "moment", "change"),
    [
        (reader, moment, change)
        for reader in ("engine", "worker")
        for moment in ("before it is read", "while it is read")
        for change in ("replaced", "deleted")
        if (reader, moment, change) != ("worker", "while it is read", "deleted")
    ],
)
def test_a_file_that_changes_under_the_load_shows_nothing_new(tables, monkeypatch, reader, moment, change):
    ingestion = tables.declare(columns=COLUMNS, reader=reader)
    tables.load(ingestion, "a.csv", GOOD)
    path = tables.write("a.csv", GOOD.replace("1", "8"), modified_at=datetime.now(tz=UTC) - timedelta(hours=1))
    listed = tables.file(ingestion, "a.csv")

    def replace_it() -> None:
        if change == "deleted":
            path.unlink()
        else:
            path.write_text(GOOD.replace("1", "9"))

    if moment == "before it is read":
        replace_it()
    else:
        # Its first bytes, or its stream, were just given: the real store, interrupted at the worst moment.
        name = "first_bytes" if reader == "engine" else "open"
        original = getattr(FolderStore, name)

        def interrupted(store, file, *more):
            given = original(store, file, *more)
            if name == "first_bytes":
                replace_it()
                return given
            return _replacing(given, replace_it)

        monkeypatch.setattr(FolderStore, name, interrupted)
    with pytest.raises(FileChangedError):
        tables.load(ingestion, "a.csv", file=listed)
    assert tables.rows("k, v") == [("a", 1), ("b", 2)]


class _replacing:
    def __init__(self, opened, replace_it) -> None:
        self._opened, self._replace_it = opened, replace_it

    def __enter__(self):
        stream = self._opened.__enter__()
        self._replace_it()
        return stream

    def __exit__(self, *failure):
        return self._opened.__exit__(*failure)


def test_a_run_over_good_and_bad_files_tells_them_apart(tables):
    ingestion = tables.declare(columns=COLUMNS, retries=0)
    bad = ("truncated gzip", "html named csv", "zip bomb", "extra column")
    for case in bad:
        name, content, _, _ = REFUSED[case]
        tables.write(f"{case} {name}", content)
    tables.write("good.csv", GOOD)
    tables.write("mended.csv", b"k,v\na,1\nb,x\n")
    run = run_once(ingestion)
    assert str(run.state) == "partial"
    states = tables.reader.query(
        "SELECT splitByChar('/', path)[-1], state, error FROM file_states FINAL WHERE ingestion = {name:String}",
        parameters={"name": ingestion.name},
    ).result_rows
    found = {name: state for name, state, _ in states}
    assert {name for name, state in found.items() if state == "quarantined"} == {
        f"{case} {REFUSED[case][0]}" for case in bad
    }
    assert (found["good.csv"], found["mended.csv"]) == ("loaded", "loaded")
    assert all(error for _, state, error in states if state == "quarantined")
    log = tables.reader.query(
        "SELECT rows, rows_quarantined, first_bad_line, load_id IN (SELECT load_id FROM file_activations FINAL) "
        "FROM file_loads WHERE ingestion = {name:String} AND path LIKE '%mended.csv'",
        parameters={"name": ingestion.name},
    ).result_rows
    assert log == [(1, 1, log[0][2], True)]
    assert log[0][2].startswith("record 2: 'v' is 'x', no Int64")
    assert tables.rows("k, v") == [("a", 1), ("a", 1), ("b", 2)]
    os.utime(tables.folder / "good.csv")
    assert str(run_once(ingestion).state) == "success", "what is quarantined is left alone until it changes"
