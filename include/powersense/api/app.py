"""The application: its routes by who may call them, its errors, and its own documentation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from powersense import __version__
from powersense.api.auth import Access
from powersense.api.problems import ProblemError, answers, describe_problems
from powersense.api.streaming import streaming_routes
from powersense.errors import ConfigurationError, WarehouseError


def create_app(access: Access) -> FastAPI:
    """Return the API, to be mounted at `powersense.api.URL_PREFIX`.

    Only `/health` and `/ready` are open. The documentation is not FastAPI's own, which anyone could read.

    Args:
        access: who may read and write.
    """
    app = FastAPI(title="PowerSense", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    describe_problems(app)
    app.include_router(_open_routes())
    protected = APIRouter(
        dependencies=[Depends(access.read)],
        responses=answers(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    protected.include_router(streaming_routes(access))
    _add_documentation(protected, app)
    app.include_router(protected)
    return app


def _open_routes() -> APIRouter:
    """Return what anyone may ask; it tells whether the service works, and no more."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @routes.get("/ready", responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
    def ready() -> dict[str, str]:
        """Tell whether the warehouse answers."""
        from powersense.warehouse.client import connect

        try:
            with connect("reader", max_execution_time=2) as client:
                client.query("SELECT 1 FROM schema_migrations LIMIT 1")
        except (ConfigurationError, WarehouseError) as error:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "The warehouse does not answer.") from error
        return {"status": "ready"}

    return routes


def _add_documentation(routes: APIRouter, app: FastAPI) -> None:
    @routes.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> dict[str, Any]:
        return {**app.openapi(), "servers": [{"url": request.scope.get("root_path") or "/"}]}

    @routes.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return get_swagger_ui_html(openapi_url=f"{request.scope.get('root_path', '')}/openapi.json", title=app.title)
