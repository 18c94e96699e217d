"""The dbt docs inside the Airflow UI, for people who are logged in; Cosmos's own docs pages are open to anyone."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

URL_PREFIX = "/dbt-docs"
# The page draws itself from data inside it: it needs no other host, and no other site may frame it.
_POLICY = "frame-ancestors 'self'"


def create_app() -> FastAPI:
    """Return the application that serves the generated docs page behind Airflow's login.

    It has no schema pages of its own: FastAPI would serve those to anyone.
    """
    from airflow.api_fastapi.core_api.security import get_user

    app = FastAPI(dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    def page() -> HTMLResponse:
        return docs_page()

    return app


def docs_page() -> HTMLResponse:
    """Return the docs page, or how to write it where it is missing (404)."""
    from powersense.transform.artifacts import docs_path

    file = docs_path()
    if not file.is_file():
        remedy = "The dbt docs are not written yet. Run <code>python -m powersense.transform.artifacts</code>."
        return HTMLResponse(f"<p>{remedy}</p>", status_code=404)
    return HTMLResponse(file.read_text(encoding="utf-8"), headers={"Content-Security-Policy": _POLICY})
