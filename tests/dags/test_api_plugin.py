"""The API inside Airflow's own server: its sessions and tokens decide, and who may not train may still read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from powersense.api import URL_PREFIX
from powersense.page import URL_PREFIX as PAGE
from tests.services.api_routes import filled, routes_below

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::airflow.exceptions.RemovedInAirflow4Warning"),
]

STATUS, TRAIN = f"{URL_PREFIX}/anomalies/status", f"{URL_PREFIX}/anomalies/train"
OPEN = {f"{URL_PREFIX}/{name}" for name in ("health", "ready", "alive")}
# What an empty body of another type than JSON gets once its sender may train.
ALLOWED_TO_TRAIN = 415


@pytest.fixture(scope="module")
def server(airflow_home) -> Iterator[Any]:
    """Airflow's server, with the plugins mounted."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_hex(32))
        yield TestClient(create_app(apps="core"))


def token(role: str, seconds: int = 600) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username=f"a-{role}", role=role)
    return get_auth_manager().generate_jwt(user, expiration_time_in_seconds=seconds)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_only_health_is_open_of_all_that_plugins_mount(server):
    from airflow.plugins_manager import get_fastapi_plugins

    mounted = {plugin["url_prefix"]: plugin["app"] for plugin in get_fastapi_plugins()[0]}
    # The third is Cosmos's own, which has nothing to show: see powersense.dbt_docs.
    assert set(mounted) == {URL_PREFIX, PAGE, "/dbt-docs", "/cosmos"}
    routes = [route for prefix in (URL_PREFIX, PAGE, "/dbt-docs") for route in routes_below(mounted[prefix], prefix)]
    assert {path for _, path in routes} >= OPEN
    closed = [(method, path) for method, path in routes if path not in OPEN]
    assert len(closed) > 40
    for method, path in closed:
        for headers in ({}, {"X-API-Key": "ps_x"}):
            answer = server.request(method, filled(path), headers=headers, content=b"{}")
            assert answer.status_code == 401, (method, path)
            assert path.startswith((PAGE, "/dbt-docs")) or answer.headers["content-type"] == "application/problem+json"


def test_a_viewer_changes_nothing(server):
    from airflow.plugins_manager import get_fastapi_plugins

    (app,) = [plugin["app"] for plugin in get_fastapi_plugins()[0] if plugin["url_prefix"] == URL_PREFIX]
    changing = [(method, path) for method, path in routes_below(app, URL_PREFIX) if method != "GET"]
    assert len(changing) > 8
    headers = bearer(token("viewer")) | {"Content-Type": "application/json", "Idempotency-Key": "a"}
    for method, path in changing:
        assert server.request(method, filled(path), headers=headers, content=b"{}").status_code == 403, (method, path)


def test_a_forged_token_an_expired_one_and_an_api_key_are_refused(server):
    expired = token("op", seconds=-60)
    for headers in (bearer("forged"), bearer(token("op")[:-4] + "AAAA"), bearer(expired), {"X-API-Key": "ps_x"}):
        assert server.get(STATUS, headers=headers).status_code in (401, 403)
        assert server.post(TRAIN, headers=headers).status_code in (401, 403)


def test_a_viewer_reads_and_may_not_train(server, warehouse):
    headers = bearer(token("viewer"))
    assert server.get(STATUS, headers=headers).json()["streaming"] == "not set up"
    assert server.post(TRAIN, headers=headers).status_code == 403


def test_who_may_trigger_trainings_may_train(server, warehouse):
    for role in ("user", "op", "admin"):
        assert server.post(TRAIN, headers=bearer(token(role))).status_code == ALLOWED_TO_TRAIN


def test_the_session_of_the_ui_counts_too(server, warehouse):
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

    headers = {"Cookie": f"{COOKIE_NAME_JWT_TOKEN}={token('viewer')}"}
    assert server.get(STATUS, headers=headers).status_code == 200


def test_who_may_trigger_runs_has_files_loaded_and_who_may_change_connections_declares(server, warehouse):
    ingestions = f"{URL_PREFIX}/file-ingestions"
    runs, release = f"{ingestions}/unknown/runs", f"{ingestions}/unknown/files/release"

    def statuses(role: str) -> tuple[int, ...]:
        headers = bearer(token(role))
        return (
            server.get(ingestions, headers=headers).status_code,
            server.post(runs, headers=headers, json={}).status_code,
            server.post(release, headers=headers, json={"path": "a"}).status_code,
            server.post(ingestions, headers=headers, json={}).status_code,
            server.put(f"{ingestions}/unknown", headers=headers, json={}).status_code,
            server.delete(f"{ingestions}/unknown", headers=headers).status_code,
        )

    # Nothing is there: 404 and 422 are what one gets who may.
    assert statuses("viewer") == (200, 403, 403, 403, 403, 403)
    assert statuses("user") == (200, 404, 404, 403, 403, 403)
    assert statuses("op") == statuses("admin") == (200, 404, 404, 422, 422, 404)


def test_the_page_is_for_people_who_are_logged_in_and_stands_in_the_navigation(server):
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

    cookie = {"Cookie": f"{COOKIE_NAME_JWT_TOKEN}={token('viewer')}"}
    for file in ("", "style.css", "views/file_loads/run.js"):
        assert server.get(f"{PAGE}/{file}").status_code == 401
        assert server.get(f"{PAGE}/{file}", headers=cookie).status_code == 200
    assert 'data-sign="session"' in server.get(f"{PAGE}/", headers=cookie).text
    plugins = server.get("/api/v2/plugins", headers=bearer(token("admin")), params={"limit": 100}).json()["plugins"]
    views = {view["name"]: view for plugin in plugins for view in plugin["external_views"]}
    assert (views["File loads"]["href"], views["File loads"]["destination"]) == (f"{PAGE}/#/file-loads", "nav")
    assert (views["Power load"]["href"], views["Power load"]["nav_top_level"]) == (f"{PAGE}/#/load", True)


def test_the_documentation_names_its_own_address(server):
    told = server.get(f"{URL_PREFIX}/openapi.json", headers=bearer(token("viewer"))).json()
    assert told["servers"] == [{"url": URL_PREFIX}]
