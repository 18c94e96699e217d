"""The dbt docs page: for people who are logged in, and helpful where it is not written yet."""

from __future__ import annotations

import pytest
import yaml
from fastapi import FastAPI

from powersense.transform.artifacts import project_dir
from powersense.transform.profile import PROFILE, TARGET, ClickHouseProfile

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def app(airflow_home, monkeypatch, tmp_path) -> FastAPI:
    from powersense.dbt_docs import create_app

    monkeypatch.setenv("POWERSENSE_PROJECT_ROOT", str(tmp_path))
    return create_app()


def test_strangers_get_nothing(app):
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        assert client.get("/").status_code == 401
        assert {client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")} == {404}


def test_a_missing_page_names_the_command_and_a_written_one_is_served(app, tmp_path):
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    app.dependency_overrides[get_user] = lambda: "vera"
    with TestClient(app) as client:
        missing = client.get("/")
        assert missing.status_code == 404
        assert "python -m powersense.transform.artifacts" in missing.text
        page = tmp_path / "dbt" / "target" / "static_index.html"
        page.parent.mkdir(parents=True)
        page.write_text("<title>dbt Docs</title>")
        answer = client.get("/")
    assert answer.status_code == 200
    assert answer.text == "<title>dbt Docs</title>"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


def test_airflow_fills_every_variable_of_the_profile(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_CLICKHOUSE_DEFAULT",
        '{"conn_type": "clickhouse", "host": "ch", "port": 8443, "login": "me", "password": "pw", '
        '"extra": {"secure": true}}',
    )
    profile = ClickHouseProfile(conn_id="clickhouse_default")
    text = profile.get_profile_file_contents(PROFILE, TARGET)
    assert text == (project_dir() / "profiles.yml").read_text()
    variables = profile.env_vars
    assert variables["CLICKHOUSE_HOST"] == "ch"
    assert (variables["CLICKHOUSE_PORT"], variables["CLICKHOUSE_SECURE"]) == ("8443", "true")
    output = yaml.safe_load(text)[PROFILE]["outputs"][TARGET]
    wanted = {value.split("'")[1] for value in output.values() if isinstance(value, str) and "env_var(" in value}
    assert wanted - {"DBT_THREADS"} <= set(variables)
    assert "pw" not in text
