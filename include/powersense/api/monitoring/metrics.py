"""Figures for Prometheus, read from the warehouse whenever it asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from powersense import __version__
from powersense.api.monitoring.exposition import CONTENT_TYPE, Exposition
from powersense.errors import WarehouseUnavailableError
from powersense.settings import get_settings
from powersense.warehouse.files.metrics import IngestionFigures, ingestion_figures
from powersense.warehouse.metrics import warehouse_samples

_QUERY_SECONDS = 10


def metrics_routes() -> APIRouter:
    """Return the route that Prometheus scrapes, with a key that may read."""
    routes = APIRouter(tags=["metrics"])

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Return how ingestion, scores, forecasts, the stream, alerts and runs stand, in Prometheus' text format 0.0.4.

        A warehouse that does not answer is a figure too: `powersense_warehouse_up 0`, and no others of it.
        """
        return PlainTextResponse(exposition(), media_type=CONTENT_TYPE)

    return routes


def exposition() -> str:
    """Return every figure as Prometheus reads it."""
    from powersense.warehouse.client import connect

    written = Exposition()
    written.add("build_info", "Version that answers.", [([("version", __version__)], 1)])
    about = "Whether the warehouse answers."
    try:
        with connect("reader", max_execution_time=_QUERY_SECONDS) as client:
            for family, samples in warehouse_samples(client, settings=get_settings()):
                written.add(family.name, family.about, [(sample.labels, sample.value) for sample in samples])
            add_file_figures(written, ingestion_figures(client), now=datetime.now(UTC))
    except WarehouseUnavailableError:
        written.add("warehouse_up", about, [([], 0)])
    else:
        written.add("warehouse_up", about, [([], 1)])
    return written.text()


def add_file_figures(written: Exposition, figures: Sequence[IngestionFigures], *, now: datetime) -> None:
    """Add where each ingestion of files stands; a figure that is not there yet has no sample.

    Args:
        written: gets them.
        figures: one per ingestion.
        now: the instant that ages are measured from, UTC.
    """

    def each(name: str, about: str, values: Iterable[float | None]) -> None:
        labelled = [([("ingestion", row.ingestion)], value) for row, value in zip(figures, values, strict=True)]
        written.add(f"files_{name}", about, labelled)

    each("ingestion_enabled", "Whether the ingestion is scheduled.", [row.is_enabled for row in figures])
    by_state = [
        ([("ingestion", row.ingestion), ("state", state)], float(row.files[state]))
        for row in figures
        for state in sorted(row.files)
    ]
    written.add("files_files", "Files by state.", by_state)
    each("rows", "Rows of the content that readers see.", [row.rows for row in figures])
    each("bytes", "Size of the files as stored.", [row.size_bytes for row in figures])
    newest = [_age(row.newest_file_at, now) for row in figures]
    each("newest_file_age_seconds", "Since the newest file came or was changed.", newest)
    each("last_run_age_seconds", "Since the last run began.", [_age(row.last_run_at, now) for row in figures])
    each("last_run_seconds", "Duration of the last run.", [row.last_run_seconds for row in figures])
    failed = [row.is_last_run_failed if row.last_run_at else None for row in figures]
    each("last_run_failed", "Whether the last run failed.", failed)


def _age(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else max(0.0, (now - instant).total_seconds())
