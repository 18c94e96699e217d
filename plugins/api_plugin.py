"""Mounts the HTTP API in Airflow's API server."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from powersense.api import URL_PREFIX
from powersense.api.app import create_app
from powersense.api.auth import airflow_access


class ApiPlugin(AirflowPlugin):
    """The API at `/powersense/api/v1`, for people who are logged in and programs with a token of Airflow's."""

    name = "powersense_api"
    fastapi_apps = [  # noqa: RUF012 - Airflow reads a plain list
        {"app": create_app(airflow_access()), "url_prefix": URL_PREFIX, "name": "PowerSense API"}
    ]
