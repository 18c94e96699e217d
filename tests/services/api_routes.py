"""The route table of an app with all that is mounted in it, so that tests ask every route there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Mount

# FastAPI answers these itself, and anyone may know them.
_ASKED_BY_ALL = {"HEAD", "OPTIONS"}


def routes_below(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the method and the address of every route, its parameters as `{name}`.

    Raises:
        AssertionError: a route is of a kind that may hold others, or guards itself in another way.
    """
    for route in app.routes:
        if isinstance(route, Mount):
            yield from routes_below(route.app, prefix + route.path)
            continue
        assert isinstance(route, APIRoute), f"{prefix}{route.path} is no route of FastAPI: who may ask it?"
        for method in sorted(route.methods - _ASKED_BY_ALL):
            yield method, prefix + route.path


def filled(path: str) -> str:
    """Return an address with a word for each of its parameters."""
    return re.sub(r"\{[^}]+\}", "x", path)
