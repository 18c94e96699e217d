"""Who may ask what of the service, from its route table: a new route is closed, and one that changes wants more.

tests/dags/test_api_plugin.py does the same for what is mounted in Airflow.
"""

from __future__ import annotations

from http import HTTPStatus

import pytest
from starlette.testclient import TestClient

from powersense import page
from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.auth import new_key
from tests.services.api_routes import filled, routes_below

READ, READ_ENTRY = new_key("reader", "read")
# What anyone may ask tells no more than whether the service works; the page's files hold no data.
OPEN = {f"{URL_PREFIX}/{name}" for name in ("health", "ready", "alive")} | {f"{page.URL_PREFIX}/{{name:path}}"}
SERVICE = create_service(f"{READ_ENTRY.name}:{READ_ENTRY.scope}:{READ_ENTRY.sha256}")
ROUTES = list(routes_below(SERVICE))
CLOSED = [(method, path) for method, path in ROUTES if path not in OPEN]
CHANGING = [(method, path) for method, path in CLOSED if method != "GET"]
STRANGERS = {
    "nobody": {},
    "a forged bearer": {"Authorization": "Bearer forged"},
    "a forged key": {"X-API-Key": "forged"},
    "the key's hash": {"X-API-Key": READ_ENTRY.sha256},
    "a user's password": {"Authorization": "Basic eDp5"},
    "an empty key": {"X-API-Key": ""},
    "a cookie": {"Cookie": f"_token={READ}"},
}


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(SERVICE, base_url="http://alone", raise_server_exceptions=False)


def test_what_is_open_is_there_and_is_read_only():
    assert {(method, path) for method, path in ROUTES if path in OPEN} == {("GET", path) for path in OPEN}
    assert len(CHANGING) > 8
    assert len(CLOSED) > 40


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_get_nothing_from_any_closed_route(client, who):
    for method, path in CLOSED:
        answer = client.request(method, filled(path), headers=STRANGERS[who], content=b"{}")
        assert answer.status_code == HTTPStatus.UNAUTHORIZED, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert READ_ENTRY.sha256 not in answer.text


def test_a_key_to_read_changes_nothing(client):
    headers = {"X-API-Key": READ, "Content-Type": "application/json", "Idempotency-Key": "a"}
    for method, path in CHANGING:
        answer = client.request(method, filled(path), headers=headers, content=b"{}")
        assert (answer.status_code, answer.json()["title"]) == (HTTPStatus.FORBIDDEN, "Forbidden"), (method, path)


def test_methods_that_a_route_lacks_are_refused_with_those_that_it_has(client):
    by_path: dict[str, set[str]] = {}
    for method, path in CLOSED:
        by_path.setdefault(filled(path), set()).add(method)
    for path, methods in by_path.items():
        answer = client.request("PATCH", path, headers={"X-API-Key": READ})
        assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        # Several addresses may lead to one path: /episodes/x is also one with a name.
        assert set(answer.headers["allow"].split(", ")) >= methods, path


def test_a_new_route_is_found_wherever_it_is_mounted():
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    inner = FastAPI(openapi_url=None)
    inner.add_api_route("/secret", lambda: None, methods=["POST"])
    assert list(routes_below(Starlette(routes=[Mount("/a", Starlette(routes=[Mount("/b", inner)]))]))) == [
        ("POST", "/a/b/secret")
    ]
    with pytest.raises(AssertionError, match="who may ask it"):
        list(routes_below(Starlette(routes=[Route("/plain", lambda _: None)])))
