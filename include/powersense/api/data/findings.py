"""What steps found in the data: scores, episodes, forecasts and how they did, alerts, runs and models."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request, Response

from powersense.api.data.answers import DataAnswers, data_answers
from powersense.api.data.parameters import (
    ALL_TIME,
    DAY,
    After,
    Areas,
    End,
    KnownAt,
    Limit,
    Metrics,
    Range,
    Start,
    areas_of,
    instant,
    known_at,
    range_of,
    within_limits,
)
from powersense.api.data.rows import (
    AlertRow,
    AlertState,
    EpisodeLabelOrNone,
    EpisodeRow,
    EpisodeState,
    ForecastRow,
    IngestionRunRow,
    ModelRow,
    RunState,
    ScorecardRow,
    ScoreRow,
    Severity,
)
from powersense.api.problems import answers
from powersense.settings import get_settings
from powersense.warehouse.data_reads import Question

OnlyAnomalies = Annotated[bool, Query(description="leave out what is no anomaly")]
EpisodeStates = Annotated[list[EpisodeState] | None, Query(max_length=3, description="default: open and closed")]
EpisodeLabels = Annotated[
    list[EpisodeLabelOrNone] | None, Query(max_length=4, description="none: without; default: all")
]
Detectors = Annotated[list[str] | None, Query(max_length=50, description="names of detectors; default: all")]
AlertStates = Annotated[list[AlertState] | None, Query(max_length=2, description="default: open and closed")]
Severities = Annotated[list[Severity] | None, Query(max_length=3, description="default: all")]
RunStates = Annotated[list[RunState] | None, Query(max_length=3, description="default: all")]
Sources = Annotated[list[str] | None, Query(max_length=50, description="ids of sources; default: all")]
IssuedAt = Annotated[str, Query(max_length=64, description="the issue of this instant; default: each area's newest")]


def add_findings(routes: APIRouter, shared: DataAnswers) -> None:
    """Add the routes."""
    _add_scores(routes, shared)
    _add_forecasts(routes, shared)
    _add_operations(routes, shared)


def _add_scores(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/scores", responses=data_answers(ScoreRow))
    async def scores(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        metrics: Metrics = None,
        start: Start = "",
        end: End = "",
        only_anomalies: OnlyAnomalies = False,
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """Return each detector's scores of a range, the last 24 hours by default."""
        asked = range_of(start, end, default=DAY)
        chosen, wanted = areas_of(areas), await shared.known_metrics(metrics)
        within_limits(asked, series=len(chosen) * len(wanted))
        parameters = asked.bounds() | {"areas": chosen, "metrics": wanted, "only_anomalies": int(only_anomalies)}
        question = Question("api_scores", ("detector", "metric", "area", "observed_at"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/episodes", responses=data_answers(EpisodeRow))
    async def episodes(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        states: EpisodeStates = None,
        labels: EpisodeLabels = None,
        detectors: Detectors = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List episodes that overlap a range (all by default), the newest first."""
        asked = half_open(start, end)
        chosen = {
            "areas": areas_of(areas),
            "states": states or ["open", "closed"],
            "labels": labels or list(get_args(EpisodeLabelOrNone)),
            "detectors": detectors or [],
            "episode_ids": [],
        }
        parameters = asked.bounds() | known_at("") | chosen
        question = Question("api_episodes", ("started_at", "episode_id"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)


def _add_forecasts(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/forecasts", responses=data_answers(ForecastRow))
    async def forecasts(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        areas: Areas = None,
        issued_at: IssuedAt = "",
        known: KnownAt = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """Return each area's newest forecast, the newest known at an instant, or the one issued at an instant."""
        issue = instant("issued_at", issued_at) if issued_at else None
        issued = (Range(issue, issue) if issue else ALL_TIME).bounds()
        issues = {"newest_issue": issued["end"], "oldest_issue": issued["start"]}
        question = Question(
            "api_forecasts", ("area", "target_at"), issues | known_at(known) | {"areas": areas_of(areas)}
        )
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/forecasts/scorecard", responses=data_answers(ScorecardRow) | answers(HTTPStatus.SERVICE_UNAVAILABLE))
    async def scorecard(request: Request, areas: Areas = None, after: After = "", limit: Limit = None) -> Response:
        """Return how the last year's forecasts did, by area, season, days ahead and model; 503 until dbt has run."""
        parameters = {"marts": get_settings().clickhouse_marts_database, "areas": areas_of(areas)}
        question = Question("api_scorecard", ("area", "season", "day_lead", "model"), parameters)
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/models", responses=data_answers(ModelRow))
    async def models(request: Request, areas: Areas = None, after: After = "", limit: Limit = None) -> Response:
        """List trained forecast models, with the last decision about each."""
        question = Question("api_models", ("area", "model_id"), {"areas": areas_of(areas)})
        return await shared.answer(request, question, after=after, limit=limit)


def _add_operations(routes: APIRouter, shared: DataAnswers) -> None:
    @routes.get("/alerts", responses=data_answers(AlertRow))
    async def alerts(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        states: AlertStates = None,
        severities: Severities = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List alerts that were open within a range (all by default), the newest first."""
        chosen = {
            "states": states or list(get_args(AlertState)),
            "severities": severities or list(get_args(Severity)),
            "group_ids": [],
        }
        question = Question("api_alerts", ("opened_at", "alert_id"), half_open(start, end).bounds() | chosen)
        return await shared.answer(request, question, after=after, limit=limit)

    @routes.get("/runs", responses=data_answers(IngestionRunRow))
    async def runs(  # noqa: PLR0913, PLR0917 - query parameters
        request: Request,
        sources: Sources = None,
        states: RunStates = None,
        start: Start = "",
        end: End = "",
        after: After = "",
        limit: Limit = None,
    ) -> Response:
        """List batches of ingestion runs that started within a range (all by default), the newest first."""
        chosen = {"states": states or list(get_args(RunState)), "sources": sources or []}
        question = Question("api_runs", ("started_at", "batch_id"), half_open(start, end).bounds() | chosen)
        return await shared.answer(request, question, after=after, limit=limit)


def half_open(start: str, end: str) -> Range:
    """Return a range of which either end may be left out."""
    return range_of(start or ALL_TIME.start.isoformat(), end or ALL_TIME.end.isoformat(), default=DAY)
