"""The weather paths, with the replay's faults and its log of requests."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powersense.local.replay.answers import early_answer, spoiled_answer
from powersense.local.replay.faults import Fault, FaultKind
from powersense.local.replay.rendering import as_json
from powersense.local.replay.state import ReplayState
from powersense.local.replay.weather import hourly, observations, open_meteo, spoiling, synop
from powersense.local.replay.weather.columns import SYNOP_MISSING
from powersense.local.replay.weather.open_meteo_question import RefusedQuery, read_question
from powersense.local.replay.weather.stations import department_number

OBSERVATIONS_PATH = "/meteofrance/public/DPPaquetObs/v1/paquet/horaire"
_DEPARTMENT = "id-departement"
_MISSING_KEY = {
    "code": "900902",
    "message": "Missing Credentials",
    "description": (
        "Invalid Credentials. Make sure your API invocation call has a header: 'Authorization : Bearer ACCESS_TOKEN' "
        "or 'Authorization : Basic ACCESS_TOKEN' or 'apikey : API_KEY'"
    ),
}
Respond = Callable[[Request, ReplayState, list[Fault]], Response]


def _gzipped(rows: list[list[str]]) -> Response:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\").writerows(rows)
    # A fixed time stamp: the same file has the same bytes in every run.
    content = gzip.compress(text.getvalue().encode("utf-8"), compresslevel=1, mtime=0)
    return Response(content, media_type="application/gzip")


def _no_such_file() -> Response:
    return Response("<html><head><title>404 Not Found</title></head></html>", 404, media_type="text/html")


def _synop(request: Request, state: ReplayState, faults: list[Fault]) -> Response:
    rows = synop.month_rows(state.weather, request.path_params["name"])
    if rows is None:
        return _no_such_file()
    if faults:
        rows = spoiling.spoiled_rows(rows, faults, spoiling.SYNOP, missing=SYNOP_MISSING, now=state.weather.now)
    return _gzipped(rows)


def _hourly(request: Request, state: ReplayState, faults: list[Fault]) -> Response:
    rows = hourly.department_rows(state.weather, request.path_params["name"])
    if rows is None:
        return _no_such_file()
    if faults:
        rows = spoiling.spoiled_rows(rows, faults, spoiling.HOURLY, missing="", now=state.weather.now)
    return _gzipped(rows)


def _observations(request: Request, state: ReplayState, faults: list[Fault]) -> Response:
    if not request.headers.get("apikey"):
        return JSONResponse(_MISSING_KEY, status_code=401)
    asked = request.query_params
    department = department_number(asked.get(_DEPARTMENT, ""))
    if department is None or asked.get("format", "json") != "json":
        wrong = _DEPARTMENT if department is None else "format"
        return JSONResponse({"message": f"Paramètre {wrong} sémantiquement incorrect"}, status_code=400)
    records = observations.department_observations(state.weather, department)
    if faults:
        records = spoiling.spoiled_records(records, faults, spoiling.OBSERVATIONS, now=state.weather.now)
    return Response(as_json(records), media_type="application/json")


def _forecast(request: Request, state: ReplayState, faults: list[Fault]) -> Response:
    try:
        question = read_question(request.query_params, now=state.weather.now)
    except RefusedQuery as refusal:
        return JSONResponse({"error": True, "reason": str(refusal)}, status_code=400)
    return Response(as_json(open_meteo.answer(state.weather, question)), media_type="application/json; charset=utf-8")


def _over_quota(fault: Fault, endpoint: str) -> Response:
    """Return 429 as the two gateways word it; Retry-After is the fault's."""
    wait_s = fault.options["retry_after"]
    body: dict[str, Any]
    if endpoint == "forecast":
        body = {"error": True, "reason": "Minutely API request limit exceeded. Please try again in one minute."}
    else:
        again = f"{datetime.now(UTC) + timedelta(seconds=float(wait_s or 60)):%Y-%b-%d %H:%M:%S}+0000 UTC"
        body = {
            "code": "900804",
            "message": "Message throttled out",
            "description": f"You have exceeded your quota .You can access API after {again}",
            "nextAccessTime": again,
        }
    return JSONResponse(body, 429, headers={} if wait_s is None else {"Retry-After": str(wait_s)})


def _endpoint(state: ReplayState, endpoint: str, respond: Respond) -> Callable[[Request], Awaitable[Response]]:
    async def respond_with_faults(request: Request) -> Response:
        dataset = request.path_params.get("name") or request.query_params.get(_DEPARTMENT) or "open-meteo"
        fault, record_faults = state.faults.take(dataset=dataset, endpoint=endpoint)
        response: Response | None = None
        if fault is not None:
            is_quota = fault.kind is FaultKind.RATE_LIMIT
            response = _over_quota(fault, endpoint) if is_quota else await early_answer(fault, state.faults, request)
        if response is None:
            response = await asyncio.to_thread(respond, request, state, record_faults)
            if fault is not None and response.status_code == 200:
                media_type = response.headers["content-type"]
                response = spoiled_answer(fault, state.faults, bytes(response.body), media_type, {})
        struck = [*([fault] if fault else []), *record_faults]
        state.remember(request, dataset=dataset, endpoint=endpoint, status=response.status_code, faults=struck)
        return response

    return respond_with_faults


def weather_routes(state: ReplayState) -> list[Route]:
    """Return the routes of the weather that is replayed beside the portal."""

    async def synop_index(request: Request) -> Response:
        return JSONResponse({"files": await asyncio.to_thread(synop.file_names, state.weather)})

    async def hourly_index(request: Request) -> Response:
        return JSONResponse({"files": hourly.file_names(state.weather)})

    return [
        Route("/meteofrance/synop/", synop_index),
        Route("/meteofrance/synop/{name}", _endpoint(state, "synop", _synop)),
        Route("/meteofrance/hourly/", hourly_index),
        Route("/meteofrance/hourly/{name}", _endpoint(state, "hourly", _hourly)),
        Route(OBSERVATIONS_PATH, _endpoint(state, "observations", _observations)),
        Route("/open-meteo/v1/forecast", _endpoint(state, "forecast", _forecast)),
    ]
