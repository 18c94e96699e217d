"""Where each area's load stands now, and what was expected of it over any range: what the page's first view asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from powersense.api.data.answers import DataAnswers, data_answers
from powersense.api.data.buckets import MAX_POINTS, Points, bucket_seconds
from powersense.api.data.parameters import DAY, Areas, End, Start, areas_of, range_of, within_limits
from powersense.api.page.rows import ExpectedRow, LatestRow
from powersense.contracts import AREAS, LOAD_METRIC, NATIONAL_AREA
from powersense.warehouse.data_reads import Question

Detector = Annotated[str, Query(min_length=1, max_length=100, description="whose expectation")]


def add_load(routes: APIRouter, shared: DataAnswers) -> None:
    """Add the routes."""

    @routes.get("/latest", responses=data_answers(LatestRow))
    async def latest(request: Request, areas: Areas = None, detector: Detector = "baseline_zscore") -> Response:
        """Return each area's newest load, the newest one that a detector judged, and how far its forecast reaches."""
        parameters = {"areas": areas_of(areas), "metric": LOAD_METRIC, "detector": detector}
        return await shared.answer(request, Question("api_latest", ("area",), parameters))

    @routes.get("/expected", responses=data_answers(ExpectedRow))
    async def expected(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        start: Start = "",
        end: End = "",
        points: Points = MAX_POINTS,
        detector: Detector = "baseline_zscore",
    ) -> Response:
        """Return what a detector expected of the load, in the buckets of `/curve`; France and 24 hours by default."""
        asked = range_of(start, end, default=DAY)
        chosen = areas_of(areas or [NATIONAL_AREA])
        within_limits(asked, series=len(chosen))
        parameters = asked.bounds() | {"areas": chosen, "metric": LOAD_METRIC, "detector": detector}
        question = Question(
            "api_expected", ("area", "bucket_at"), parameters | {"width": bucket_seconds(asked, points=points)}
        )
        return await shared.answer(request, question, default_rows=len(AREAS) * MAX_POINTS)
