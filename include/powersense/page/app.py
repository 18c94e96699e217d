"""Serves the page: files that are fixed at start, under a policy that lets nothing in from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

from fastapi import Depends, FastAPI, Request, Response

Sign = Literal["session", "key"]

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# The page runs its own scripts and calls its own API; Airflow alone may frame it.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Each use asks whether the file is still the same, so that an upgrade shows at once.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class _PageFile:
    content: bytes
    media_type: str
    tag: str


def airflow_page() -> FastAPI:
    """Return the page for Airflow's API server: for people who are logged in."""
    from airflow.api_fastapi.core_api.security import get_user

    return create_page("session", access=get_user)


def create_page(sign: Sign, *, access: Callable[..., Any] | None = None) -> FastAPI:
    """Return the application that serves the page, to be mounted at `powersense.page.URL_PREFIX`.

    Args:
        sign: how the page's calls of the API show who makes them: by Airflow's session, or by a key that it asks for.
        access: dependency that refuses strangers. The files hold no data; a browser cannot send a key for them.
    """
    app = FastAPI(dependencies=[Depends(access)] if access else [], docs_url=None, redoc_url=None, openapi_url=None)
    served = _read(files(__package__).joinpath("static"), sign)

    @app.get("/{name:path}")
    async def page_file(name: str, request: Request) -> Response:
        found = served.get(name or "index.html")
        if found is None:
            return Response("There is no such file on this page.", 404, media_type="text/plain")
        headers = {**_HEADERS, "ETag": found.tag}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.media_type)

    return app


def _read(folder: Traversable, sign: Sign, prefix: str = "") -> dict[str, _PageFile]:
    """Return the files of a folder and those below it, by their address below the page's."""
    found: dict[str, _PageFile] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _read(entry, sign, f"{prefix}{entry.name}/")
        elif (ending := entry.name.rpartition(".")[2]) in _TYPES:
            content = entry.read_bytes().replace(b'data-sign="session"', f'data-sign="{sign}"'.encode())
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[prefix + entry.name] = _PageFile(content, f"{_TYPES[ending]}; charset=utf-8", tag)
    return found
