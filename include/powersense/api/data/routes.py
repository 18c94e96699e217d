"""The Data API: what is stored, as known at an instant, in four formats."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request, Response

from powersense.api.data.answers import DataAnswers, data_answers
from powersense.api.data.buckets import MAX_POINTS, Points, bucket_seconds
from powersense.api.data.parameters import (
    DAY,
    After,
    Areas,
    End,
    KnownAt,
    Limit,
    Metrics,
    Start,
    UpTo,
    VintageName,
    areas_of,
    known_at,
    range_of,
    within_limits,
)
from powersense.api.data.rows import AreaRow, CoverageRow, CurveRow, MeasurementRow, SeriesRow, WeatherRow
from powersense.api.problems import answers
from powersense.contracts import AREAS, LOAD_METRIC, NATIONAL_AREA
from powersense.settings import get_settings
from powersense.warehouse.data_reads import Question

# Of weather every station's reports of the range are read: a quarter of all France's takes seconds.
MAX_WEATHER_DAYS = 92
# Up to here a question costs the server planning rather than reading.
SHORT_SERIES_DAYS = 31

Versions = Annotated[
    Literal["known", "all"],
    Query(description="known: of each instant the value that counts; all: every version of every vintage"),
]
Vintages = Annotated[list[VintageName] | None, Query(max_length=3, description="repeat for several; default: all")]
Metric = Annotated[str, Query(min_length=1, max_length=200, description="one metric")]


def add_data(routes: APIRouter, shared: DataAnswers) -> None:
    """Add the routes."""
    _add_catalogue(routes, shared)
    _add_measurements(routes, shared)
    _add_surroundings(routes, shared)


def _add_catalogue(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/areas")
    async def areas() -> list[AreaRow]:
        """List the areas: France and its regions."""
        return [AreaRow(name=area.name, insee_code=area.insee, is_national=not area.insee) for area in AREAS]

    @routes.get("/series", responses=data_answers(SeriesRow))
    async def series(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        metrics: Metrics = None,
        vintages: Vintages = None,
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List what is stored: each metric, area and vintage with its first and last instant."""
        parameters = {
            "areas": areas_of(areas),
            "metrics": await shared.known_metrics(metrics) if metrics else [],
            "vintages": vintages or list(get_args(VintageName)),
        }
        question = Question("api_series", ("metric", "area", "vintage"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)


def _add_measurements(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/measurements", responses=data_answers(MeasurementRow))
    async def measurements(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        metrics: Metrics = None,
        start: Start = "",
        end: End = "",
        up_to_vintage: UpTo = "definitive",
        known: KnownAt = "",
        versions: Versions = "known",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """Return values of a range (the last 24 hours by default), sorted by metric, area and instant."""
        asked = range_of(start, end, default=DAY)
        as_of = known_at(known)
        chosen, wanted = areas_of(areas), await shared.known_metrics(metrics)
        within_limits(asked, series=len(chosen) * len(wanted))
        parameters = asked.bounds() | as_of | {"up_to_vintage": up_to_vintage, "areas": chosen, "metrics": wanted}
        key = ("metric", "area", "observed_at")
        if versions == "all":
            question = Question("api_versions", (*key, "vintage", "publisher", "version"), parameters)
        else:
            is_short = len(chosen) * len(wanted) * asked.days <= SHORT_SERIES_DAYS
            question = Question("api_measurements", key, parameters, is_short=is_short)
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/curve", responses=data_answers(CurveRow))
    async def curve(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        metric: Metric = LOAD_METRIC,
        start: Start = "",
        end: End = "",
        points: Points = MAX_POINTS,
        up_to_vintage: UpTo = "definitive",
        known: KnownAt = "",
    ) -> Response:
        """Return least, mean and greatest value of each bucket of a range: France, the last 24 hours by default."""
        asked = range_of(start, end, default=DAY)
        chosen, wanted = areas_of(areas or [NATIONAL_AREA]), await shared.known_metrics([metric])
        within_limits(asked, series=len(chosen))
        parameters = asked.bounds() | known_at(known) | {"up_to_vintage": up_to_vintage, "areas": chosen}
        width = {"metric": wanted[0], "width": bucket_seconds(asked, points=points)}
        question = Question("api_curve", ("area", "bucket_at"), parameters | width)
        return await shared.answer(request, question, default_rows=len(AREAS) * MAX_POINTS)


def _add_surroundings(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/coverage", responses=data_answers(CoverageRow) | answers(HTTPStatus.SERVICE_UNAVAILABLE))
    async def coverage(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        metrics: Metrics = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """Return how many of each Paris day's values came, of the last 31 days by default; 503 until dbt has run."""
        asked = range_of(start, end, default=31 * DAY)
        chosen, wanted = areas_of(areas), await shared.known_metrics(metrics)
        within_limits(asked, series=len(chosen) * len(wanted))
        marts = {"marts": get_settings().clickhouse_marts_database}
        parameters = asked.bounds() | marts | {"areas": chosen, "metrics": wanted}
        question = Question("api_coverage", ("metric", "area", "day"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/weather", responses=data_answers(WeatherRow))
    async def weather(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        start: Start = "",
        end: End = "",
        known: KnownAt = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """Return the areas' hourly observed weather, of the last seven days by default, of 92 at most."""
        asked = range_of(start, end, default=7 * DAY, longest_days=MAX_WEATHER_DAYS)
        parameters = asked.bounds() | known_at(known) | {"areas": areas_of(areas)}
        question = Question("api_weather", ("area", "observed_at"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)
