"""Keys that the Data API service makes for the programs beside it, and keeps."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.key_files import keys_of_files
from powersense.errors import ConfigurationError


def test_a_key_is_made_once_and_opens_the_service_that_made_it(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "prometheus"
    entry = f"prometheus:read:{file}"
    [made] = keys_of_files(f" {entry} ,")
    key = file.read_text().strip()
    assert len(key) > 40
    assert keys_of_files(entry) == (made,)
    assert (file.read_text().strip(), list(file.parent.iterdir())) == (key, [file])
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    service = TestClient(create_service("", entry))
    asked = {"given": key, "wrong": "ps_wrong"}
    answers = {
        name: service.get(f"{URL_PREFIX}/docs", headers={"Authorization": f"Bearer {each}"}).status_code
        for name, each in asked.items()
    }
    assert answers == {"given": 200, "wrong": 401}


def test_services_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    entry = f"prometheus:read:{tmp_path / 'prometheus'}"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: keys_of_files(entry), range(32)))
    assert len(set(made)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["prometheus"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("prometheus", "is not name:scope:file"),
        ("prometheus:admin:/tmp/x", "is not name:scope:file"),
        ("prometheus:read:", "is not name:scope:file"),
        ("pro metheus:read:{folder}/x", "name='pro metheus'"),
        ("prometheus:read:{folder}", "can be neither read nor made"),
        ("prometheus:read:{folder}/empty", "is empty"),
        ("prometheus:read:{folder}/empty/x", "can be neither read nor made"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_what_is_wrong(tmp_path: Path, entry: str, told: str) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigurationError, match=told):
        keys_of_files(entry.format(folder=tmp_path))


def test_two_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    entries = f"a:read:{tmp_path / 'one'},a:write:{tmp_path / 'two'}"
    with pytest.raises(ConfigurationError, match="'a' stands twice"):
        create_service("", entries)
