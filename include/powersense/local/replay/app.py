"""The replay's HTTP application: the portal's paths, the yearly files, weather, and a control room under `/replay`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from powersense.errors import ConfigurationError
from powersense.local.replay import metadata
from powersense.local.replay.answers import early_answer, quota_headers, spoiled_answer
from powersense.local.replay.control import control_routes
from powersense.local.replay.damage import damaged
from powersense.local.replay.exports import MEDIA_TYPES, ExportOptions, export
from powersense.local.replay.faults import Fault
from powersense.local.replay.portal import DATASETS
from powersense.local.replay.query import choose, read_query
from powersense.local.replay.refusals import Refusal, unknown_dataset
from powersense.local.replay.rendering import as_json, rows_of
from powersense.local.replay.state import ReplayState
from powersense.local.replay.weather.routes import weather_routes
from powersense.local.replay.yearly_files import file_content, file_names

API_ROOT = "/api/explore/v2.1/catalog/datasets"
Answer = tuple[Iterator[bytes], str]
Respond = Callable[[Request, ReplayState, str, list[Fault]], Answer]


def _records(request: Request, state: ReplayState, dataset: str, faults: list[Fault]) -> Answer:
    query = read_query(request.query_params, is_export=False)
    page = choose(state.publication.view(dataset), query)
    rows = rows_of(page, query.zone)
    if faults:
        rows = damaged(rows, faults, now=state.publication.clock.now())
    return iter([as_json({"total_count": page.total_count, "results": rows})]), MEDIA_TYPES["json"]


def _exports(request: Request, state: ReplayState, dataset: str, faults: list[Fault]) -> Answer:
    form = request.path_params["form"]
    if form not in MEDIA_TYPES:
        raise Refusal(404, "NotFoundResource", f"The requested export format {form} does not exist.")
    query = read_query(request.query_params, is_export=True)
    page = choose(state.publication.view(dataset), query)
    options = ExportOptions.of(request.query_params)
    spoiled = damaged(rows_of(page, query.zone), faults, now=state.publication.clock.now()) if faults else None
    return export(page, query, form, options, spoiled), MEDIA_TYPES[form]


def _metadata(request: Request, state: ReplayState, dataset: str, faults: list[Fault]) -> Answer:
    return iter([as_json(metadata.describe(state.publication, dataset))]), MEDIA_TYPES["json"]


def _files(request: Request, state: ReplayState, dataset: str, faults: list[Fault]) -> Answer:
    content = file_content(state.publication, dataset)
    if content is None:
        raise Refusal(404, "NotFound", f"No file {dataset}; there is {', '.join(file_names(state.publication))}.")
    return iter([content]), "application/zip" if dataset.endswith(".zip") else "application/octet-stream"


def _endpoint(state: ReplayState, endpoint: str, respond: Respond) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        dataset = request.path_params.get("dataset", "")
        fault, record_faults = state.faults.take(dataset=dataset, endpoint=endpoint)
        struck = [*([fault] if fault else []), *record_faults]
        response = await early_answer(fault, state.faults, request) if fault else None
        if response is None:
            response = await _data_answer(request, state, respond, fault, record_faults)
        status = response.status_code
        state.remember(request, dataset=dataset, endpoint=endpoint, status=status, faults=struck)
        return response

    return answer


async def _data_answer(
    request: Request, state: ReplayState, respond: Respond, fault: Fault | None, record_faults: list[Fault]
) -> Response:
    dataset = request.path_params.get("dataset", "")
    headers = quota_headers(used=state.calls)
    try:
        if request.url.path.startswith(API_ROOT) and dataset not in DATASETS:
            raise unknown_dataset(dataset)
        chunks, media_type = await asyncio.to_thread(respond, request, state, dataset, record_faults)
    except Refusal as refusal:
        return JSONResponse(refusal.body, status_code=refusal.status, headers=headers)
    if fault is not None:
        body = await asyncio.to_thread(b"".join, chunks)
        return spoiled_answer(fault, state.faults, body, media_type, headers)
    if request.url.path.endswith("/records"):
        return Response(b"".join(chunks), media_type=media_type, headers=headers)
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


def create_app(state: ReplayState) -> Starlette:
    """Return the application. Only loopback host names are answered: a web page elsewhere cannot reach the controls."""

    async def catalogue(request: Request) -> Response:
        described = await asyncio.to_thread(lambda: [metadata.describe(state.publication, name) for name in DATASETS])
        return JSONResponse({"total_count": len(described), "results": described})

    async def file_index(request: Request) -> Response:
        return JSONResponse({"files": list(file_names(state.publication))})

    routes = [
        Route(API_ROOT, catalogue),
        Route(API_ROOT + "/{dataset}", _endpoint(state, "metadata", _metadata)),
        Route(API_ROOT + "/{dataset}/records", _endpoint(state, "records", _records)),
        Route(API_ROOT + "/{dataset}/exports/{form}", _endpoint(state, "exports", _exports)),
        Route("/files/", file_index),
        Route("/files/{dataset}", _endpoint(state, "files", _files)),
        *weather_routes(state),
        *control_routes(state),
    ]
    loopback = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
    return Starlette(routes=routes, middleware=[loopback], exception_handlers={ConfigurationError: _misconfigured})


async def _misconfigured(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
