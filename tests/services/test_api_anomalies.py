"""The API alone, with keys: every route asks who is calling, status and training work on the real warehouse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.routing import APIRoute

from powersense import model_store
from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.app import create_app
from powersense.api.auth import key_access, new_key
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.stream.models import newest
from powersense.warehouse.stream.rows import (
    Beat,
    DeadLetter,
    StreamResult,
    WorkerState,
    beat,
    insert_dead_letters,
    insert_results,
)
from tests.services.api_data import served

ROOT = Path(__file__).resolve().parents[2]
OPEN = {"/health", "/ready", "/alive"}
STATUS, TRAIN = "/anomalies/status", "/anomalies/train"
INGESTIONS, INGESTION = "/file-ingestions", "/file-ingestions/{name}"
ROUTES = {
    STATUS,
    TRAIN,
    INGESTIONS,
    INGESTION,
    f"{INGESTION}/runs",
    f"{INGESTION}/runs/{{run_id}}",
    f"{INGESTION}/runs/{{run_id}}/planned",
    f"{INGESTION}/files",
    f"{INGESTION}/files/release",
    f"{INGESTION}/loads",
    "/metrics",
    "/prometheus-alerts",
    "/areas",
    "/series",
    "/measurements",
    "/curve",
    "/coverage",
    "/weather",
    "/scores",
    "/episodes",
    "/episodes/{episode_id}",
    "/episodes/{episode_id}/label",
    "/thresholds",
    "/forecasts",
    "/forecasts/scorecard",
    "/models",
    "/alerts",
    "/alert-groups",
    "/alert-groups/{group_id}",
    "/alert-groups/{group_id}/acknowledgement",
    "/alert-groups/{group_id}/comments",
    "/silences",
    "/silences/{silence_id}",
    "/rules",
    "/runs",
    "/freshness",
    "/quarantine",
    "/quarantine/counts",
    "/latest",
    "/expected",
}
FEATURES = ["flow", "pressure", "vibration"]


def _keys() -> tuple[dict[str, str], str]:
    made = {scope: new_key(f"test-{scope}", scope) for scope in ("read", "write")}
    configured = ",".join(f"{entry.name}:{entry.scope}:{entry.sha256}" for _, entry in made.values())
    return {scope: key for scope, (key, _) in made.items()}, configured


KEYS, CONFIGURED = _keys()


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The service on a free port, and its address."""
    with served(CONFIGURED) as address:
        yield address


@pytest.fixture
def _models(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_STORE_URL", f"file://{tmp_path}")
    get_settings.cache_clear()


def call(address: str, method: str, path: str, *, scope: str | None = None, **options: Any) -> httpx.Response:
    """Call a route with a key of a scope, or with none."""
    headers = {"Authorization": f"Bearer {KEYS[scope]}"} if scope else {}
    return httpx.request(method, address + path, headers=headers | options.pop("headers", {}), timeout=120, **options)


def rows(count: int = 400) -> list[list[float]]:
    """Return usual rows of three features that move together, with a little noise."""
    random = np.random.default_rng(seed=3)
    day = np.sin(np.arange(count) / 10)
    return np.column_stack([day + random.normal(0, 0.1, count) for _ in FEATURES]).round(4).tolist()


def request(**changes: Any) -> dict[str, Any]:
    return {"data": rows(), "feature_names": FEATURES, "models": ["isolation_forest"]} | changes


def protected_routes() -> list[tuple[str, str]]:
    found = [
        (method, route.path)
        for route in create_app(key_access(())).routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    assert {path for _, path in found} >= OPEN
    return [(method, path) for method, path in found if path not in OPEN]


def test_the_route_table_holds_nothing_but_routes_that_are_tested_here():
    assert {type(route) for route in create_app(key_access(())).routes} == {APIRoute}
    assert {path for _, path in protected_routes()} == ROUTES | {"/docs", "/docs/{name}", "/openapi.json"}


def test_a_key_to_read_cannot_train(service):
    answer = call(service, "POST", TRAIN, scope="read", json=request())
    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")


def test_both_ways_to_give_a_key_open_the_documentation(service):
    answer = call(service, "GET", "/openapi.json", headers={"X-API-Key": KEYS["read"]})
    assert set(answer.json()["paths"]) == ROUTES | OPEN


def test_the_documentation_loads_nothing_from_elsewhere(service):
    page = call(service, "GET", "/docs", scope="read").text
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(linked) == 3
    for address in linked:
        assert address.startswith(f"{URL_PREFIX}/docs/")
        file = call(service, "GET", address.removeprefix(URL_PREFIX), scope="read")
        assert (file.status_code, len(file.content) > 1_000) == (200, True)
    assert call(service, "GET", "/docs/redoc.standalone.js", scope="read").status_code == 422


def test_without_any_key_the_answer_says_how_to_make_one():
    transport = httpx.ASGITransport(create_service(""))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://alone") as client:
            return await client.get(URL_PREFIX + STATUS, headers={"X-API-Key": "anything"})

    import anyio

    answer = anyio.run(ask)
    assert answer.status_code == 401
    assert "python -m powersense.api new-key" in answer.json()["detail"]


def test_health_is_open_and_ready_follows_the_warehouse(service, warehouse, monkeypatch):
    assert call(service, "GET", "/health").json() == {"status": "ok"}
    assert call(service, "GET", "/ready").json() == {"status": "ready"}
    away = f'{{"conn_type": "clickhouse", "host": "127.0.0.1", "port": {free_port()}, "login": "powersense_reader"}}'
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", away)
    ready, status = call(service, "GET", "/ready"), call(service, "GET", STATUS, scope="read")
    assert (ready.status_code, status.status_code) == (503, 503)
    assert status.headers["retry-after"]
    assert "127.0.0.1" not in status.text + ready.text


def test_status_tells_what_is_missing(service, warehouse):
    told = call(service, "GET", STATUS, scope="read").json()
    assert told["streaming"] == "not set up"
    assert "KAFKA_BOOTSTRAP_SERVERS" in told["detail"]
    assert (told["models"], told["workers"], told["lag"]) == ([], [], None)
    assert told["last_day"]["messages"] == 0


def test_status_tells_of_workers_lag_and_the_last_day(service, warehouse, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    get_settings.cache_clear()
    now = datetime.now(UTC)
    with connect("writer") as client:
        for name, age, state in (("a", 1, "running"), ("b", 400, "running"), ("c", 2, "stopped")):
            one = Beat(name, now - timedelta(seconds=age), WorkerState(state), messages=5, lag=7)
            beat(client, one)
        insert_results(client, [result(offset, is_anomaly=offset == 2) for offset in (1, 2, 2)])
        insert_dead_letters(client, [DeadLetter("in", 0, 9, "invalid_json", "x", b"{", now)])
    told = call(service, "GET", STATUS, scope="read").json()
    assert told["streaming"] == "untrained"
    assert {worker["worker_id"]: worker["is_alive"] for worker in told["workers"]} == {
        "a": True,
        "b": False,
        "c": False,
    }
    assert told["lag"] == 7
    assert (told["last_day"]["messages"], told["last_day"]["anomalies"], told["last_day"]["dead_letters"]) == (2, 1, 1)


def result(offset: int, *, is_anomaly: bool) -> StreamResult:
    now = datetime.now(UTC)
    return StreamResult(
        topic="in",
        partition=0,
        offset=offset,
        asset_id="pump",
        sensor_id="",
        observed_at=datetime(2024, 1, 1, tzinfo=UTC),
        final_score=0.5,
        is_anomaly=is_anomaly,
        criticality="low",
        model_id="m",
        model_names=["isolation_forest"],
        scores=[0.5],
        thresholds=[0.9],
        flags=[is_anomaly],
        features={"flow": 1.0},
        metadata="{}",
        notes=[],
        scored_at=now,
    )


@pytest.mark.usefixtures("_models")
def test_what_is_trained_is_stored_and_serves(service, warehouse):
    from powersense.detection.stream.ensemble import TrainedEnsemble

    answer = call(service, "POST", TRAIN, scope="write", json=request(asset_id="pump 7"))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["scopes"], told["rows_trained"], told["feature_names"]) == (["pump 7"], 400, FEATURES)
    assert told["metrics"]
    with connect("reader") as client:
        stored = newest(client)["pump 7"]
    assert stored.model_id == told["model_id"]
    files = model_store.load(stored.artefact_uri, sha256=stored.artefact_sha256, model_id=stored.model_id)
    assert TrainedEnsemble.from_files(files).feature_names == tuple(FEATURES)
    (listed,) = call(service, "GET", STATUS, scope="read").json()["models"]
    assert (listed["scope"], listed["model_id"], listed["source"]) == ("pump 7", told["model_id"], "api")
    assert listed["run_id"] == "api:test-write"
    assert listed["metrics"] == told["metrics"]


@pytest.mark.usefixtures("_models")
def test_while_one_training_runs_others_wait_and_questions_are_answered(service, warehouse):
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(call, service, "POST", TRAIN, scope="write", json=request()) for _ in range(2)]
        answered = 0
        while not all(one.done() for one in both):
            assert call(service, "GET", "/health").status_code == 200
            answered += 1
            time.sleep(0.05)
    assert sorted(one.result().status_code for one in both) == [201, 409]
    (refused,) = [one.result() for one in both if one.result().status_code == 409]
    assert refused.headers["retry-after"]
    assert answered > 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"data": [[1, 2, 3], [1, 2]]}, 422, "data[1]"),
        ({"data": rows(3)}, 422, "rows"),
        ({"models": ["crystal_ball"]}, 422, "crystal_ball"),
        ({"feature_names": ["a", "b", "a"]}, 422, "feature_names[2]"),
    ],
    ids=["ragged rows", "too few rows", "an unknown model", "a name twice"],
)
@pytest.mark.usefixtures("_models")
def test_what_cannot_be_learnt_from_is_refused_by_name(service, warehouse, changes, status, words):
    answer = call(service, "POST", TRAIN, scope="write", json=request(**changes))
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    with connect("reader") as client:
        assert newest(client) == {}


def test_a_body_beyond_the_limit_is_not_read(service, monkeypatch):
    monkeypatch.setenv("STREAM_TRAIN_MAX_BYTES", "2000")
    get_settings.cache_clear()
    announced = call(service, "POST", TRAIN, scope="write", json=request())
    headers = {"Content-Type": "application/json"}
    chunks = (b"[" * 1000 for _ in range(10))
    streamed = call(service, "POST", TRAIN, scope="write", content=chunks, headers=headers)
    monkeypatch.undo()
    get_settings.cache_clear()
    assert (announced.status_code, streamed.status_code) == (413, 413)
    assert "STREAM_TRAIN_MAX_BYTES" in announced.json()["detail"]


def test_another_type_than_json_is_refused(service):
    answer = call(service, "POST", TRAIN, scope="write", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_the_commands_make_a_key_and_serve_with_it(tmp_path):
    def run(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "powersense.api", *arguments]

    made = subprocess.run(run("new-key", "bob", "--scope", "write"), capture_output=True, text=True, check=True)
    key, entry = (line.rsplit(" ", 1)[1] for line in made.stdout.splitlines())
    port = free_port()
    environment = os.environ | {"POWERSENSE_API_KEYS": entry, "PYTHONPATH": str(ROOT / "include")}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(run("--port", str(port)), env=environment, stdout=output, stderr=output)
    try:
        address = f"http://127.0.0.1:{port}{URL_PREFIX}"
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = httpx.get(address + "/openapi.json", headers={"X-API-Key": key})
                break
            except httpx.ConnectError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        assert answer.status_code == 200
        assert httpx.get(address + STATUS).status_code == 401
    finally:
        process.terminate()
        process.wait(20)
