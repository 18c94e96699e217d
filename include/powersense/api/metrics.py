"""Figures for Prometheus, read from the warehouse whenever it asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from powersense.warehouse.file_metrics import IngestionFigures, ingestion_figures

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, float | None]


def metrics_routes() -> APIRouter:
    """Return the route that Prometheus scrapes, with a key that may read."""
    routes = APIRouter(tags=["metrics"])

    @routes.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Return where each ingestion of files stands, in Prometheus' text format, version 0.0.4."""
        from powersense.warehouse.client import connect

        with connect("reader", max_execution_time=10) as client:
            figures = ingestion_figures(client)
        return PlainTextResponse(exposition(figures, now=datetime.now(UTC)), media_type=_CONTENT_TYPE)

    return routes


def exposition(figures: Sequence[IngestionFigures], *, now: datetime) -> str:
    """Return the figures as Prometheus reads them; a figure that is not there yet has no sample.

    Args:
        figures: one per ingestion; names need no escaping.
        now: the instant that ages are measured from, UTC.
    """
    lines: list[str] = []

    def add(name: str, about: str, samples: Iterable[Sample]) -> None:
        full = f"powersense_files_{name}"
        lines.extend((f"# HELP {full} {about}", f"# TYPE {full} gauge"))
        lines.extend(f"{full}{{{labels}}} {value:.15g}" for labels, value in samples if value is not None)

    def each(name: str, about: str, values: Iterable[float | None]) -> None:
        add(name, about, [(_label(row), value) for row, value in zip(figures, values, strict=True)])

    each("ingestion_enabled", "Whether the ingestion is scheduled.", [row.is_enabled for row in figures])
    by_state = [(f'{_label(row)},state="{state}"', row.files[state]) for row in figures for state in sorted(row.files)]
    add("files", "Files by state.", by_state)
    each("rows", "Rows of the content that readers see.", [row.rows for row in figures])
    each("bytes", "Size of the files as stored.", [row.size_bytes for row in figures])
    newest = [_age(row.newest_file_at, now) for row in figures]
    each("newest_file_age_seconds", "Since the newest file came or was changed.", newest)
    each("last_run_age_seconds", "Since the last run began.", [_age(row.last_run_at, now) for row in figures])
    each("last_run_seconds", "Duration of the last run.", [row.last_run_seconds for row in figures])
    failed = [row.is_last_run_failed if row.last_run_at else None for row in figures]
    each("last_run_failed", "Whether the last run failed.", failed)
    return "\n".join(lines) + "\n"


def _label(row: IngestionFigures) -> str:
    return f'ingestion="{row.ingestion}"'


def _age(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else max(0.0, (now - instant).total_seconds())
