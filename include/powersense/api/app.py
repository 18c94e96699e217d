"""The application: its routes by who may call them, its errors, and its own documentation."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, FastAPI

from powersense import __version__
from powersense.api.alerts import alert_routes
from powersense.api.auth import Access
from powersense.api.data import data_routes
from powersense.api.deadman import Heartbeat, Pulse, look_seconds
from powersense.api.documentation import documentation_routes
from powersense.api.files import file_routes
from powersense.api.labels import label_routes
from powersense.api.limits import rate_limit
from powersense.api.metrics import metrics_routes
from powersense.api.problems import ProblemError, answers, describe_problems
from powersense.api.prometheus_alerts import prometheus_routes
from powersense.api.push import push_routes
from powersense.api.streaming import streaming_routes
from powersense.errors import ConfigurationError, WarehouseError
from powersense.settings import get_settings


def create_app(access: Access, heartbeat: Heartbeat | None = None) -> FastAPI:
    """Return the API, to be mounted at `powersense.api.URL_PREFIX`.

    Only `/health`, `/ready` and `/alive` are open. The documentation is not FastAPI's own, which anyone could read.

    Args:
        access: who may read and write.
        heartbeat: what `/alive` tells of; one of its own by default.
    """
    app = FastAPI(title="PowerSense", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    describe_problems(app)
    app.include_router(_open_routes(heartbeat or Heartbeat()))
    protected = APIRouter(
        dependencies=[Depends(access.read), Depends(rate_limit(access))],
        responses=answers(
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    )
    protected.include_router(streaming_routes(access))
    protected.include_router(file_routes(access))
    protected.include_router(data_routes())
    protected.include_router(alert_routes(access))
    protected.include_router(label_routes(access))
    protected.include_router(push_routes(access))
    protected.include_router(prometheus_routes(access))
    protected.include_router(metrics_routes())
    protected.include_router(documentation_routes(app))
    app.include_router(protected)
    return app


def _open_routes(heartbeat: Heartbeat) -> APIRouter:
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

    @routes.get("/alive", responses=answers(HTTPStatus.SERVICE_UNAVAILABLE))
    async def alive() -> dict[str, str]:
        """Tell whether runs reach their end; for monitors that watch from outside."""
        reading = await heartbeat.look(max_age_seconds=look_seconds(get_settings()))
        if reading.pulse is not Pulse.ALIVE:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "No run reaches its end, or the warehouse is away.")
        return {"status": "alive"}

    return routes
