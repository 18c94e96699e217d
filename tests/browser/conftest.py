"""A real browser, and the service that it looks at."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from starlette.requests import Request as ServedRequest
from starlette.responses import HTMLResponse
from starlette.routing import Route

from powersense import page
from powersense.api.alone import create_service
from powersense.local.ports import free_port
from tests.debian import program

KEYS = {"read": "ps_browser_read", "write": "ps_browser_write"}
ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
# Time is measured in benchmarks/, never in a test: a busy machine may be slow.
expect.set_options(timeout=30_000)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What Airflow 3.3 puts around an external view: its theme on the root element, its language in the storage, a sandbox.
_AIRFLOW = """<!doctype html><html class="dark"><head><base href="/"><title>Airflow</title></head>
<body style="margin:0"><iframe title="File loads" src="{address}" style="width:100%;height:880px;border:0"
 sandbox="allow-scripts allow-same-origin allow-forms allow-downloads"></iframe></body></html>"""


@dataclass
class Visit:
    """A page of the browser, what it asked for beyond the service, and what it complained about."""

    page: Page
    service: str
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str = "#/file-loads", *, key: str | None = "write") -> Page:
        """Open a view, with a key of a scope."""
        if self.page.url == "about:blank":
            self.page.goto(f"{self.service}{page.URL_PREFIX}/icon.svg")
        if key:
            self.page.evaluate("key => sessionStorage.setItem('powersense.key', key)", KEYS[key])
        self.page.goto("about:blank")
        self.page.goto(f"{self.service}{page.URL_PREFIX}/{address}")
        return self.page

    def note_request(self, request: Request) -> None:
        if not request.url.startswith((self.service, "about:", "data:")):
            self.strangers.append(request.url)


# Playwright keeps an event loop running in its thread while it lives, so it ends before other files' tests begin.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, installed where it may be."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(_FLAGS))
        yield browser
        browser.close()


def _chromium() -> str:
    return next(filter(None, map(shutil.which, _NAMES)), None) or program("chromium", package="chromium")


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The API and its page alone, on a free port, beside a page that frames it as Airflow does; its address."""
    entries = ",".join(f"{scope}:{scope}:{hashlib.sha256(key.encode()).hexdigest()}" for scope, key in KEYS.items())
    app = create_service(entries)
    app.router.routes.append(Route("/plugin/{rest:path}", _airflow))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


async def _airflow(_: ServedRequest) -> HTMLResponse:
    return HTMLResponse(_AIRFLOW.replace("{address}", f"{page.URL_PREFIX}/#/file-loads"))


@pytest.fixture
def visitor(browser: Browser, service: str) -> Iterator[Callable[..., Visit]]:
    """Opens pages of the browser as people with other screens, themes and languages."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def visit(*, width: int = 1280, height: int = 900, theme: str = "light", locale: str = "en-GB") -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type] # light or dark
            locale=locale,
            timezone_id="Europe/Paris",
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        one = Visit(context.new_page(), service)
        one.page.on("request", one.note_request)
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("console", lambda message: _note(one, message))
        visits.append(one)
        return one

    yield visit
    for context in contexts:
        context.close()
    assert [stranger for one in visits for stranger in one.strangers] == []
    assert [complaint for one in visits for complaint in one.complaints] == []


def _note(visit: Visit, message: Any) -> None:
    # Chromium itself logs answers of 4xx and 5xx, calls that a test lets fail, and what it thinks of Airflow's frame.
    expected = ("Failed to load resource", "can escape its sandboxing")
    if message.type in ("error", "warning") and not any(words in message.text for words in expected):
        visit.complaints.append(message.text)
