"""The application: its routes by who may call them, its errors, and its own documentation."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, FastAPI

from powersense import __version__
from powersense.api.alerts.labels import label_routes
from powersense.api.alerts.prometheus import prometheus_routes
from powersense.api.alerts.reads import add_alert_reads
from powersense.api.alerts.routes import alert_routes
from powersense.api.auth import Access
from powersense.api.data.answers import DataAnswers
from powersense.api.data.findings import add_findings
from powersense.api.data.push import push_routes
from powersense.api.data.routes import add_data
from powersense.api.documentation import documentation_routes
from powersense.api.files.routes import file_routes
from powersense.api.limits import rate_limit
from powersense.api.monitoring.deadman import Heartbeat, Pulse, look_seconds
from powersense.api.monitoring.metrics import metrics_routes
from powersense.api.page.load import add_load
from powersense.api.page.quality import add_quality
from powersense.api.problems import ProblemError, answers, describe_problems
from powersense.api.streaming.routes import streaming_routes
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
    protected.include_router(_reading_routes())
    protected.include_router(alert_routes(access))
    protected.include_router(label_routes(access))
    protected.include_router(push_routes(access))
    protected.include_router(prometheus_routes(access))
    protected.include_router(metrics_routes())
    protected.include_router(documentation_routes(app))
    app.include_router(protected)
    return app


def _reading_routes() -> APIRouter:
    """Return the routes that read in pages or streams; they share the reader's clients, and the gates before them."""
    routes = APIRouter(tags=["data"])
    shared = DataAnswers()
    for add in (add_data, add_findings, add_alert_reads, add_quality, add_load):
        add(routes, shared)
    return routes


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
