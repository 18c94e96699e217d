"""What the model store takes: files that hold data only."""

from __future__ import annotations

import pytest

from powersense import model_store
from powersense.errors import ModelFileError
from powersense.settings import get_settings


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path}")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_files_of_data_come_back_as_they_were():
    files = {"a.json": b"{}", "b.npz": b"\x00", "d.txt": b"x"}
    uri, sha256 = model_store.save("one", files, model="stream_ensemble")
    assert model_store.load(uri, sha256=sha256, model_id="one") == files


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.py", "model"])
def test_a_file_that_could_run_code_when_read_is_refused(name):
    with pytest.raises(ModelFileError, match=name):
        model_store.save("one", {name: b""}, model="stream_ensemble")
