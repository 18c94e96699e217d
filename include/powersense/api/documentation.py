"""The API's own documentation: its description, and the page that shows it, with nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

PageFile = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]


def documentation_routes(app: FastAPI) -> APIRouter:
    """Return the routes that describe an app; who may read them is for the app to say.

    FastAPI's own page loads Swagger UI from a public network, which a control room does not reach: these files come
    with the package `fastapi-offline`.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/openapi.json")
    async def openapi(request: Request) -> dict[str, Any]:
        return {**app.openapi(), "servers": [{"url": _root(request) or "/"}]}

    @routes.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        root = _root(request)
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=app.title,
            swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/favicon.png",
        )

    @routes.get("/docs/{name}")
    async def page_file(name: PageFile) -> FileResponse:
        return FileResponse(str(files("fastapi_offline").joinpath("static", name)))

    return routes


def _root(request: Request) -> str:
    return str(request.scope.get("root_path") or "")
