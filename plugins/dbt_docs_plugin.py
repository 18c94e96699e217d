"""Registers the dbt docs page with Airflow."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from powersense.dbt_docs import URL_PREFIX, create_app


class DbtDocsPlugin(AirflowPlugin):
    """dbt docs under Browse, for people who are logged in."""

    name = "powersense_dbt_docs"
    fastapi_apps = [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "dbt docs"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012 - Airflow reads plain lists
        {
            "name": "dbt docs",
            "href": f"{URL_PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "dbt-docs",
        }
    ]
