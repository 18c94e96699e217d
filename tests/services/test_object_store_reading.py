"""Listing and reading files, the same on each kind of store: names, folders, blocks, and files that change."""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from datetime import UTC, datetime

import pytest

from powersense.errors import FileChangedError
from powersense.sources.file_patterns import pattern_of
from powersense.sources.object_stores import remote as object_store_remote
from tests.object_stores.opening import BLOCK, CONTENT, in_small_blocks, listed, store_of
from tests.object_stores.peers import CONNECTION, S3Peer

NAMES = ["a.csv", "x y/é à.csv", "x y/a%20b+c.csv", "x y/a#&='(1)~.csv", "x y/日本/{1}.csv", "x y/empty.csv"]
small_blocks = pytest.fixture(in_small_blocks)


def test_a_listing_names_every_file_as_a_look_at_it_does(object_store_peer):
    peer = object_store_peer
    for name in NAMES:
        peer.put(name, b"" if "empty" in name else name.encode())
    store = store_of(peer)
    found = listed(store, pattern_of(peer.uri("**")).prefix)
    assert set(found) == {peer.path(name) for name in NAMES}
    for name in NAMES:
        row, file = found[peer.path(name)], store.stat(peer.path(name))
        assert (row["size"], row["etag"]) == (file.size, file.etag)
        assert row["modified_at"].replace(microsecond=0) == file.modified_at.replace(microsecond=0)
        assert '"' not in row["etag"]
        with store.open(file) as stream:
            assert stream.read() == (b"" if "empty" in name else name.encode())


def test_a_folder_is_listed_without_its_neighbours(object_store_peer):
    for name in ("raw/2017/09/a.csv", "raw/2017/091.csv", "raw/2017/10/b.csv", "raw/2017/a.csv"):
        object_store_peer.put(name, b"1")
    pattern = pattern_of(object_store_peer.uri("raw/{yyyy}/{mm}/*.csv"))
    dated = pattern.prefixes(datetime(2017, 8, 1, tzinfo=UTC), datetime(2017, 9, 30, tzinfo=UTC))
    store = store_of(object_store_peer, "raw/{yyyy}/{mm}/*.csv")
    found = [path for prefix in dated for path in listed(store, prefix)]
    assert found == [object_store_peer.path("raw/2017/09/a.csv")]  # nothing of August is no error


def test_one_file_is_looked_up(object_store_peer):
    object_store_peer.put("in/one.csv", b"12")
    store = store_of(object_store_peer, "in/one.csv")
    assert [row["size"] for row in listed(store, object_store_peer.path("in/one.csv")).values()] == [2]
    assert listed(store, object_store_peer.path("in/two.csv")) == {}


def test_a_file_is_read_in_blocks_from_anywhere(object_store_peer, small_blocks):
    object_store_peer.put("big.bin", CONTENT)
    store = store_of(object_store_peer)
    file = store.stat(object_store_peer.path("big.bin"))
    with store.open(file) as stream:
        assert stream.read() == CONTENT
        assert stream.seek(-20, os.SEEK_END) == len(CONTENT) - 20
        assert stream.read() == CONTENT[-20:]
        stream.seek(BLOCK - 3)
        assert stream.read(6) == CONTENT[BLOCK - 3 : BLOCK + 3]
    assert store.first_bytes(file, 10) == CONTENT[:10]
    assert store.first_bytes(file, 10_000) == CONTENT


def test_an_archive_is_read_where_it_lies(object_store_peer, small_blocks):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside.csv", CONTENT)
    object_store_peer.put("packed.zip", packed.getvalue())
    store = store_of(object_store_peer)
    with store.open(store.stat(object_store_peer.path("packed.zip"))) as stream, zipfile.ZipFile(stream) as archive:
        assert archive.read("inside.csv") == CONTENT


def test_a_file_replaced_since_the_listing_is_refused(object_store_peer):
    object_store_peer.put("a.csv", b"before")
    store = store_of(object_store_peer)
    file = store.stat(object_store_peer.path("a.csv"))
    object_store_peer.put("a.csv", b"after!")
    assert store.stat(file.path).version != file.version
    with pytest.raises(FileChangedError, match=r"a\.csv.* changed since it was listed"), store.open(file) as stream:
        stream.read()
    with pytest.raises(FileChangedError):
        store.first_bytes(file, 3)


def test_a_file_replaced_while_it_is_read_is_refused(object_store_peer, small_blocks):
    object_store_peer.put("a.bin", CONTENT)
    store = store_of(object_store_peer)
    file = store.stat(object_store_peer.path("a.bin"))

    def read_on() -> None:
        with store.open(file) as stream:
            stream.read(BLOCK // 2)
            if object_store_peer.kind == "folder":
                with open("/" + file.path, "r+b") as same:  # a writer in place; a rename would leave us the old file
                    same.write(b"new")
            else:
                object_store_peer.put("a.bin", CONTENT[::-1])
            stream.read()

    with pytest.raises(FileChangedError, match=r"a\.bin.* changed since it was listed"):
        read_on()


def test_a_file_deleted_since_the_listing_is_told_so(object_store_peer):
    for name in ("a.csv", "empty.csv"):
        object_store_peer.put(name, b"12" if name == "a.csv" else b"")
    store = store_of(object_store_peer)
    files = [store.stat(object_store_peer.path(name)) for name in ("a.csv", "empty.csv")]
    for file, name in zip(files, ("a.csv", "empty.csv"), strict=True):
        object_store_peer.delete(name)
        with pytest.raises(FileChangedError, match=f"{name}.* is gone"):
            store.stat(file.path)
        with pytest.raises(FileChangedError, match=f"{name}.*is gone"), store.open(file) as stream:
            stream.read()
        with pytest.raises(FileChangedError, match=f"{name}.*is gone"):
            store.first_bytes(file, 3)


def test_a_listing_of_more_than_a_page_is_whole(s3_server, monkeypatch):
    peer = S3Peer(s3_server, f"test-{secrets.token_hex(4)}")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json())
    monkeypatch.setattr(object_store_remote, "PAGE_ROWS", 300)
    names = [f"raw/{number:04}.csv" for number in range(1_010)]  # S3 itself answers with 1,000 at a time
    s3_server.fill(peer.bucket, names)
    pages = list(store_of(peer).list_pages("raw/"))
    assert [path for page in pages for path in page["path"].to_pylist()] == names
    assert max(page.num_rows for page in pages) == 300
