"""Listing and reading files on each kind of store, and what each kind of trouble becomes."""

from __future__ import annotations

import io
import json
import os
import secrets
import time
import traceback
import zipfile
from datetime import UTC, datetime

import pytest

from powersense.errors import ConfigurationError, FileChangedError, StoreAccessError, StoreError
from powersense.files.declaration import Ingestion
from powersense.settings import Settings
from powersense.sources import object_store_remote
from powersense.sources.file_patterns import pattern_of
from powersense.sources.object_store import open_store
from powersense.sources.object_store_remote import RemoteStore
from tests.object_stores.faults import SLOW_DOWN, Answer, faulty_server, object_answer
from tests.object_stores.peers import CONNECTION, S3_KEY, S3_SECRET, AzurePeer, Peer, S3Peer
from tests.object_stores.servers import AZURITE_KEY

TARGET = {"kind": "table", "table": "meters", "columns": [{"name": "a"}]}
NAMES = ["a.csv", "x y/é à.csv", "x y/a%20b+c.csv", "x y/a#&='(1)~.csv", "x y/日本/{1}.csv", "x y/empty.csv"]
# Three blocks and a bit, when a block is this small.
BLOCK = 1_000
CONTENT = os.urandom(3 * BLOCK + 17)


def ingestion(uri: str, connection: str = "") -> Ingestion:
    return Ingestion.model_validate(
        {"name": "meters", "uri": uri, "connection": connection, "format": "csv", "target": TARGET}
    )


def store_of(peer: Peer, pattern: str = "**", **settings):
    return open_store(ingestion(peer.uri(pattern), peer.connection), settings=Settings(**settings))


def listed(store, prefix: str) -> dict:
    return {row["path"]: row for page in store.list_pages(prefix) for row in page.to_pylist()}


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(RemoteStore, "block_bytes", BLOCK)


# What every store does


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


# Who may read, and what is not there


@pytest.mark.parametrize("pattern", ["*.csv", "a.csv"])
def test_a_missing_bucket_is_told_by_name(pattern, s3_server, azure_server, tmp_path, monkeypatch):
    s3, azure = S3Peer(s3_server, "test-there"), AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    monkeypatch.setenv("AIRFLOW_CONN_S3_TEST", s3.connection_json())
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_TEST", azure.connection_json())
    for uri, connection in (
        (f"s3://not-there/{pattern}", "s3_test"),
        (f"abfs://not-there@devstoreaccount1/{pattern}", "azure_test"),
    ):
        with pytest.raises(StoreAccessError, match=r"not-there.*: there is no such bucket or container \(404"):
            listed(open_store(ingestion(uri, connection)), pattern_of(uri).prefix)


def test_a_missing_folder_is_told_by_name(tmp_path):
    uri = f"file://{tmp_path}/not there/*.csv"
    with pytest.raises(StoreAccessError, match=r"folder '.*not there/' is not there; make or mount it"):
        listed(open_store(ingestion(uri)), pattern_of(uri).prefix)


def test_refused_s3_keys_are_told_with_the_connection(s3_server, monkeypatch):
    peer = S3Peer(s3_server, f"test-{secrets.token_hex(4)}")
    peer.put("a.csv", b"1")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json())
    store = store_of(peer)
    file = store.stat("a.csv")
    s3_server.check_logins(checked=True)
    try:
        refuse(store, file, match=r"the store refuses \(403.*Airflow connection 'files_test'", secret=S3_SECRET)
    finally:
        s3_server.check_logins(checked=False)


def test_refused_azure_keys_are_told_with_the_connection(azure_server, monkeypatch):
    peer = AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    peer.put("a.csv", b"1")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json())
    file = store_of(peer).stat("a.csv")
    other = "AAAA" + AZURITE_KEY[4:]
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json().replace(AZURITE_KEY, other))
    refuse(store_of(peer), file, match=r"the store refuses \(403.*Airflow connection 'files_test'", secret=other)


def test_a_refused_signed_address_is_not_quoted(azure_server, monkeypatch):
    peer = AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    fields = {"conn_type": "wasb", "host": azure_server.account_url, "login": "devstoreaccount1"}
    token = "sv=2021-08-06&se=2030-01-01&sr=c&sp=rl&sig=dGhlLXNpZ25hdHVyZQ%3D%3D"
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields | {"extra": {"sas_token": token}}))
    peer.put("a.csv", b"1")
    refuse(store_of(peer), None, match="the store refuses", secret="dGhlLXNpZ25hdHVyZQ")


def refuse(store, file, *, match: str, secret: str) -> None:
    """Assert that listing and reading are refused, and that nothing of it tells the secret."""
    for attempt in (lambda: listed(store, ""), *([lambda: store.first_bytes(file, 1)] if file else [])):
        with pytest.raises(StoreAccessError, match=match) as refusal:
            attempt()
        told = "".join(traceback.format_exception(refusal.value))
        assert secret not in told
        assert secret not in repr(store.engine_source(file)) if file else True


# A server that fails


def faulty_store(server, monkeypatch, *, extra: dict | None = None, **settings):
    fields = {"conn_type": "aws", "login": S3_KEY, "password": S3_SECRET}
    options = {"endpoint_url": server.url} | (extra or {})
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields | {"extra": options}))
    return open_store(ingestion("s3://bucket/*.csv", CONNECTION), settings=Settings(**settings))


def test_a_store_that_asks_to_slow_down_is_asked_again_and_then_left(monkeypatch):
    answers = [Answer(503, SLOW_DOWN), object_answer(b"12")]
    with faulty_server(lambda asked: answers.pop(0)) as server:
        assert faulty_store(server, monkeypatch).stat("a.csv").size == 2
    with faulty_server(lambda asked: Answer(503, SLOW_DOWN)) as server:
        store = faulty_store(server, monkeypatch, http_max_attempts=2)
        with pytest.raises(StoreError, match=r"no usable answer after all attempts \(503 SlowDown\)") as error:
            listed(store, "")
        assert not isinstance(error.value, StoreAccessError)  # trying again later can help
        assert len(server.requests) == 2


def test_a_silent_store_is_left_in_time(monkeypatch):
    with faulty_server(lambda asked: Answer(is_silent=True)) as server:
        store = faulty_store(server, monkeypatch, http_max_attempts=1, http_timeout_seconds=0.3)
        begin = time.monotonic()
        with pytest.raises(StoreError, match=r"no usable answer after all attempts"):
            store.stat("a.csv")
        assert time.monotonic() - begin < 10


def test_nobody_at_the_address_is_a_store_error(monkeypatch):
    with faulty_server(lambda asked: Answer()) as server:
        pass
    store = faulty_store(server, monkeypatch, http_max_attempts=1)
    with pytest.raises(StoreError, match=r"Check the network and the Airflow connection 'files_test'"):
        store.stat("a.csv")


@pytest.mark.parametrize("is_cut", [True, False], ids=["connection lost", "server at odds with itself"])
def test_a_body_that_ends_early_is_never_taken_for_the_whole(is_cut, monkeypatch):
    def half(asked: str) -> Answer:
        answer = object_answer(CONTENT, asked=asked)
        if asked:
            answer.announced_bytes = len(answer.body) if is_cut else None
            answer.body = answer.body[: len(answer.body) // 2]
        return answer

    with faulty_server(half) as server:
        store = faulty_store(server, monkeypatch, http_max_attempts=1)
        file = store.stat("a.csv")
        with pytest.raises(StoreError), store.open(file) as stream:
            stream.read()


def test_a_server_that_ignores_the_condition_is_found_out(monkeypatch, small_blocks):
    etags = iter(["one", "one", "two", "two", "two"])
    with faulty_server(lambda asked: object_answer(CONTENT, etag=next(etags), asked=asked)) as server:
        store = faulty_store(server, monkeypatch)
        file = store.stat("a.csv")
        with pytest.raises(FileChangedError), store.open(file) as stream:
            stream.read()
        assert server.requests[1][1]["if-match"] == '"one"'


def test_a_login_of_the_connection_is_not_mixed_with_the_environment_s(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token-of-somebody-else")
    with faulty_server(lambda asked: object_answer(b"12")) as server:
        faulty_store(server, monkeypatch).stat("a.csv")
        headers = server.requests[0][1]
    assert f"Credential={S3_KEY}/" in headers["authorization"]
    assert "x-amz-security-token" not in headers
    assert S3_SECRET not in json.dumps(headers)


def test_an_anonymous_connection_sends_no_login(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key-of-somebody-else")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-somebody-else")
    with faulty_server(lambda asked: object_answer(b"12")) as server:
        store = faulty_store(server, monkeypatch, extra={"anonymous": True})
        file = store.stat("a.csv")
        assert "authorization" not in server.requests[0][1]
    source = store.engine_source(file)
    assert (source.function, source.arguments) == ("s3", "{_url:String}, NOSIGN")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_google_login_is_told_with_the_connection(status, monkeypatch):
    body = b"<Error><Code>AccessDenied</Code><StringToSign>what-was-signed</StringToSign></Error>"
    with faulty_server(lambda asked: Answer(status, body)) as server:
        fields = {"conn_type": "google_cloud_platform", "extra": {"endpoint": server.url}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields))
        store = open_store(ingestion("gs://bucket/*.csv", CONNECTION))
        with pytest.raises(StoreAccessError, match=rf"refuses \({status} AccessDenied\).*'files_test'") as error:
            listed(store, "")
    assert "what-was-signed" not in "".join(traceback.format_exception(error.value))


# A folder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    return root


def test_links_are_followed_inside_the_declared_folder_only(folder, tmp_path, caplog):
    (tmp_path / "secret.csv").write_text("secret")
    (folder / "real.csv").write_text("real")
    (folder / "inside.csv").symlink_to(folder / "real.csv")
    (folder / "outside.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.csv").symlink_to(folder / "not there")
    store = open_store(ingestion(f"file://{folder}/**/*.csv"))
    found = listed(store, f"{folder}/"[1:])
    assert set(found) == {f"{folder}/{name}.csv"[1:] for name in ("real", "inside")}
    assert "outside.csv' is a link that leaves" in caplog.text
    with pytest.raises(StoreAccessError, match="is a link that leaves"):
        store.stat(f"{folder}/outside.csv"[1:])


def test_the_declared_folder_itself_may_be_a_link(folder, tmp_path):
    (folder / "a.csv").write_text("1")
    (tmp_path / "link").symlink_to(folder)
    store = open_store(ingestion(f"file://{tmp_path}/link/*.csv"))
    (path,) = listed(store, f"{tmp_path}/link/"[1:])
    assert path == f"{tmp_path}/link/a.csv"[1:]
    assert store.first_bytes(store.stat(path), 5) == b"1"


def test_a_link_put_in_a_listed_file_s_place_is_not_read(folder, tmp_path):
    (tmp_path / "secret.csv").write_text("1234")
    (folder / "a.csv").write_text("abcd")
    store = open_store(ingestion(f"file://{folder}/*.csv"))
    file = store.stat(f"{folder}/a.csv"[1:])
    (folder / "a.csv").unlink()
    (folder / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(StoreAccessError, match="is a link that leaves"):
        store.first_bytes(file, 4)


def test_what_is_no_file_or_has_no_readable_name_is_left_out(folder, caplog):
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    with open(os.fsencode(f"{folder}/") + b"latin-\xe9.csv", "w") as file:
        file.write("1")
    (folder / "a.csv").write_text("1")
    store = open_store(ingestion(f"file://{folder}/*.csv"))
    assert set(listed(store, f"{folder}/"[1:])) == {f"{folder}/a.csv"[1:]}
    assert "its name is not UTF-8" in caplog.text
    with pytest.raises(StoreAccessError, match="is no regular file"):
        store.stat(f"{folder}/pipe.csv"[1:])


def test_a_pattern_without_deep_wildcards_does_not_enter_deeper_folders(folder):
    (folder / "deep/deeper").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv", "deep/deeper/c.csv"):
        (folder / name).write_text("1")
    found = listed(open_store(ingestion(f"file://{folder}/*/*.csv")), f"{folder}/"[1:])
    assert f"{folder}/deep/b.csv"[1:] in found
    assert f"{folder}/deep/deeper/c.csv"[1:] not in found


def test_a_changed_file_is_refused_before_any_of_it_is_read(folder):
    (folder / "a.csv").write_text("before")
    store = open_store(ingestion(f"file://{folder}/*.csv"))
    file = store.stat(f"{folder}/a.csv"[1:])
    (folder / "a.csv").write_text("longer than before")
    handed_out = []
    with pytest.raises(FileChangedError), store.open(file) as stream:
        handed_out.append(stream)
    assert not handed_out


@pytest.mark.parametrize("uri", ["file:///proc/self/*", "file:///sys/**", "file:///dev/*"])
def test_the_kernel_s_folders_are_no_source(uri):
    with pytest.raises(ConfigurationError, match="hold no data files"):
        open_store(ingestion(uri))


def test_folders_outside_of_the_allowed_ones_are_refused(folder, tmp_path):
    allowed = Settings(file_source_folders=f"/nowhere:{folder}")
    open_store(ingestion(f"file://{folder}/deep/*.csv"), settings=allowed)
    (folder / "out").symlink_to(tmp_path)
    for uri in (f"file://{tmp_path}/*.csv", f"file://{folder}-2/*.csv", f"file://{folder}/out/*.csv"):
        with pytest.raises(ConfigurationError, match="in none of FILE_SOURCE_FOLDERS=/nowhere:"):
            open_store(ingestion(uri), settings=allowed)
