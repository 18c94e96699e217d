"""A folder as a store: its links, what is no file, how deep it is listed, and which folders may be declared."""

from __future__ import annotations

import os

import pytest

from powersense.errors import ConfigurationError, FileChangedError, StoreAccessError
from powersense.settings import Settings
from powersense.sources.object_stores.opening import open_store
from tests.object_stores.opening import ingestion, listed


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
