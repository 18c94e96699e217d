"""The control room: `/replay/status`, `/replay/faults`, `/replay/clock`, `/replay/requests`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powersense.errors import ConfigurationError
from powersense.local.replay.state import ReplayState


async def _document(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{request.url.path} expects a JSON body: {error}") from error


def control_routes(state: ReplayState) -> list[Route]:
    """Return the routes by which a test or a demonstration steers the replay."""

    async def status(request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(state.status))

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            document = await _document(request)
            documents = document if isinstance(document, list) else [document]
            return JSONResponse([state.faults.inject_document(one).as_dict() for one in documents], status_code=201)
        if request.method == "DELETE":
            number = request.query_params.get("number")
            ended = state.faults.clear(request.query_params.get("fault"), number=int(number) if number else None)
            return JSONResponse({"cleared": ended})
        return JSONResponse([fault.as_dict() for fault in state.faults.active()])

    async def clock(request: Request) -> Response:
        document = await _document(request)
        if not isinstance(document, dict) or not isinstance(document.get("clock"), str):
            raise ConfigurationError('/replay/clock expects {"clock": "live" | "frozen" | an ISO instant}.')
        state.publication.clock.set(document["clock"])
        return JSONResponse(await asyncio.to_thread(state.status))

    async def requests(request: Request) -> Response:
        logged = [{**asdict(one), "received_at": one.received_at.isoformat()} for one in state.requests]
        return JSONResponse(logged)

    return [
        Route("/", status),
        Route("/replay/status", status),
        Route("/replay/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/replay/clock", clock, methods=["POST"]),
        Route("/replay/requests", requests),
    ]
