"""A store that fails: asked again, left in time, never taken for the whole; and the logins that it is sent."""

from __future__ import annotations

import json
import time

import pytest

from powersense.errors import FileChangedError, StoreAccessError, StoreError
from powersense.settings import Settings
from powersense.sources.object_stores.opening import open_store
from tests.object_stores.faults import SLOW_DOWN, Answer, faulty_server, object_answer
from tests.object_stores.opening import CONTENT, in_small_blocks, ingestion, listed
from tests.object_stores.peers import CONNECTION, S3_KEY, S3_SECRET

small_blocks = pytest.fixture(in_small_blocks)


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
