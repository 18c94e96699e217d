"""Puts the page into Airflow's navigation."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from powersense.page import URL_PREFIX
from powersense.page.app import airflow_page


class PagePlugin(AirflowPlugin):
    """Power load in the navigation itself, File loads under Browse, for people who are logged in."""

    name = "powersense_page"
    fastapi_apps = [{"app": airflow_page(), "url_prefix": URL_PREFIX, "name": "PowerSense page"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012 - Airflow reads plain lists
        {
            "name": "Power load",
            "href": f"{URL_PREFIX}/#/load",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "power-load",
        },
        {
            "name": "File loads",
            "href": f"{URL_PREFIX}/#/file-loads",
            "destination": "nav",
            "category": "browse",
            "url_route": "file-loads",
        },
    ]
