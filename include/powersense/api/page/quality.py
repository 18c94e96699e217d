"""How good the data is: how fresh each area's is, and which records were set aside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from powersense.api.data.answers import DataAnswers, data_answers
from powersense.api.data.parameters import After, Areas, End, Limit, Start, areas_of, range_of
from powersense.api.page.rows import FreshnessRow, QuarantineCountRow, QuarantineRow
from powersense.contracts import LOAD_METRIC
from powersense.settings import get_settings
from powersense.warehouse.data_reads import Question

MONTH = timedelta(days=31)
_HOUR_MINUTES = 60

Texts = Annotated[list[str] | None, Query(max_length=50, description="repeat for several; default: all")]


def add_quality(routes: APIRouter, shared: DataAnswers) -> None:
    """Add the routes."""
    _add_freshness(routes, shared)
    _add_quarantine(routes, shared)


def _add_freshness(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/freshness", responses=data_answers(FreshnessRow))
    async def freshness(request: Request, areas: Areas = None, after: After = "", limit: Limit = None) -> Response:
        """Return each area's newest load, weather and forecast, and whether the checks call it stale."""
        settings = get_settings()
        parameters = {
            "areas": areas_of(areas),
            "metric": LOAD_METRIC,
            "now": datetime.now(UTC).replace(microsecond=0),
            "load_limit": settings.quality_stale_minutes,
            "weather_limit": settings.quality_stale_weather_hours * _HOUR_MINUTES,
            "forecast_limit": settings.quality_stale_forecast_hours * _HOUR_MINUTES,
        }
        return await shared.answer(request, Question("api_freshness", ("area",), parameters), after=after, limit=limit)


def _add_quarantine(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/quarantine", responses=data_answers(QuarantineRow))
    async def quarantine(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        sources: Texts = None,
        reasons: Texts = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List records that were set aside within a range, the last 31 days by default, the newest first."""
        asked = range_of(start, end, default=MONTH)
        question = Question(
            "api_quarantine",
            ("last_seen_at", "source", "reason", "record_hash"),
            asked.bounds() | {"sources": sources or [], "reasons": reasons or []},
        )
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/quarantine/counts", responses=data_answers(QuarantineCountRow))
    async def quarantine_counts(
        request: Request, start: Start = "", end: End = "", after: After = "", limit: Limit = None
    ) -> Response:
        """Count those records by source and reason, with the newest one's detail."""
        asked = range_of(start, end, default=MONTH)
        question = Question("api_quarantine_counts", ("source", "reason"), asked.bounds())
        return await shared.answer(request, question, after=after, limit=limit)
