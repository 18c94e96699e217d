"""What `POST /anomalies/train` takes: every fault is named by field, value and remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from powersense.api.auth import new_key, parse_keys
from powersense.api.problems import ProblemError
from powersense.api.streaming.training_request import parse
from powersense.errors import ConfigurationError
from powersense.settings import get_settings


def body(**changes: Any) -> bytes:
    fields = {"data": [[1, 2.5], [3, 4]], "feature_names": ["a", "b"]} | changes
    return json.dumps(fields).encode()


def refusal(content: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        parse(content)
    return caught.value


def test_a_request_is_read_as_it_was_sent():
    rows = parse(body(series=["x", "y"], models=["isolation_forest"], asset_id="pump"))
    assert (rows.data, rows.feature_names) == ([[1, 2.5], [3, 4]], ["a", "b"])
    assert (rows.scope, rows.series, rows.models) == ("pump", ["x", "y"], ["isolation_forest"])
    assert parse(body()).scope == ""


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"data": [[1, 2], [3]]}, "data[1]", "1 values"),
        ({"data": [[1, None]]}, "data[0][1]", None),
        ({"data": [[1, "2"]]}, "data[0][1]", "2"),
        ({"data": [[True, 2]]}, "data[0][0]", True),
        ({"data": [3]}, "data[0]", 3),
        ({"data": []}, "data", "[]"),
        ({"data": "rows"}, "data", "rows"),
        ({"feature_names": ["a", "a"]}, "feature_names[1]", "a"),
        ({"feature_names": ["a", ""]}, "feature_names[1]", ""),
        ({"feature_names": ["a", 7]}, "feature_names[1]", 7),
        ({"feature_names": []}, "feature_names", "[]"),
        ({"series": ["x"]}, "series", "1 texts"),
        ({"series": [1, 2]}, "series", "[1, 2]"),
        ({"models": []}, "models", "[]"),
        ({"models": ["knn", "knn"]}, "models", "['knn', 'knn']"),
        ({"scope": 7}, "scope", 7),
        ({"scope": "a", "asset_id": "b"}, "asset_id", "b"),
        ({"rows": 1}, "rows", 1),
    ],
)
def test_a_fault_is_named_with_its_value_and_a_remedy(changes, field, value):
    error = refusal(body(**changes))
    assert error.status == 422
    named = {problem["field"]: problem for problem in error.fields}
    assert named[field]["value"] == value
    assert named[field]["remedy"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b'{"data": [[NaN]]}', b'{"data": [[1e999]]}', b"\xff\xfe", b"[" * 5000]
)
def test_what_is_no_object_of_json_is_refused(content):
    assert refusal(content).status == 422


def test_at_most_twenty_faults_are_told():
    assert len(refusal(body(data=[[None, None]] * 1000)).fields) == 20


def test_more_rows_than_allowed_are_too_large(monkeypatch):
    monkeypatch.setenv("STREAM_TRAIN_MAX_ROWS", "100")
    get_settings.cache_clear()
    try:
        error = refusal(body(data=[[1, 2]] * 101))
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert error.status == 413
    assert "STREAM_TRAIN_MAX_ROWS" in error.detail


def test_a_new_key_is_configured_by_its_hash_alone():
    key, entry = new_key("bob", "write")
    text = f"{entry.name}:{entry.scope}:{entry.sha256}"
    assert parse_keys(f" {text}, ") == (entry,)
    assert key not in text
    assert new_key("bob", "write")[0] != key


@pytest.mark.parametrize(
    "text", ["bob", "bob:write", "bob:admin:" + "0" * 64, "bob:read:secret", ":read:" + "0" * 64, "b:read:" + "0" * 65]
)
def test_a_malformed_key_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError, match="POWERSENSE_API_KEYS") as caught:
        parse_keys(text)
    assert "secret" not in str(caught.value)
    assert "0" * 64 not in str(caught.value)


def test_two_keys_of_one_name_are_refused():
    entry = "bob:read:" + "0" * 64
    with pytest.raises(ConfigurationError, match="'bob' stands twice"):
        parse_keys(f"{entry},{entry}")
