"""The replayed portal on 5 October 2017, and how tests ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from powersense.local.replay import ReplayServer

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "odre"
CLOCK = "2017-10-05T12:00:00+02:00"
NATIONAL, REGIONAL = "eco2mix-national-tr", "eco2mix-regional-tr"


def serving() -> Iterator[ReplayServer]:
    """The server, whose data is read once; a fixture of the modules that want it, `running`."""
    with ReplayServer(clock=CLOCK) as server:
        yield server


def restored(running: ReplayServer) -> Iterator[ReplayServer]:
    """The server, put back after the test: no faults, its clock, an empty log; a fixture upon `running`."""
    yield running
    running.clear()
    running.set_clock(CLOCK)
    running.requests.clear()


def get(portal: ReplayServer, path: str, timeout: float = 10, **parameters: Any) -> requests.Response:
    return requests.get(f"{portal.api_url}/{path}", params=parameters, timeout=timeout)


def records(portal: ReplayServer, dataset: str = NATIONAL, **parameters: Any) -> list[dict[str, Any]]:
    answer = get(portal, f"{dataset}/records", **parameters)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results
