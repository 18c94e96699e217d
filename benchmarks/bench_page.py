"""The page's first view in Chromium on ten years of load: its first paint, its curve, and all years at once."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VISITS = 9
GOAL_MS = 1_000.0
DATABASE = "powersense_bench"
_ENGINE = "this machine's Chromium, without a GPU, a fresh profile each visit"
# Notes when the curve, and the last region's, are first on the page.
_WATCH = """new MutationObserver(() => {
  if (document.querySelector('.load-chart .load-line')) window.curveAt ??= performance.now();
  if (document.querySelectorAll('.tile .spark .load-line').length === 13) window.regionsAt ??= performance.now();
}).observe(document, {subtree: true, childList: true});"""


def run() -> list[dict[str, Any]]:
    """Return the rows of the bench runner."""
    with _service() as (address, key):
        visits = list(_visits(address, key))
    names = (
        "first contentful paint",
        "load curve drawn",
        "curves of all 13 areas drawn",
        "ten years drawn after a click",
    )
    return [_row(name, statistics.median(taken)) for name, taken in zip(names, zip(*visits, strict=True), strict=True)]


def _row(name: str, milliseconds: float) -> dict[str, Any]:
    return {
        "name": f"page Power load, ten years stored: {name}, median of {VISITS}",
        "value": milliseconds,
        "unit": "ms",
        "reference": _ENGINE,
        "ratio": None,
        "goal": f"≤ {GOAL_MS:.0f} ms",
        "holds": milliseconds <= GOAL_MS,
    }


def _visits(address: str, key: str) -> Iterator[tuple[float, float, float, float]]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        for _ in range(VISITS):
            yield _visit(browser, address, key)
        browser.close()


def _visit(browser: Browser, address: str, key: str) -> tuple[float, float, float, float]:
    """Return milliseconds: from the start of the visit to its first paint and its curves, from a click to ten years."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/icon.svg")
    page.evaluate("key => sessionStorage.setItem('powersense.key', key)", key)
    page.add_init_script(_WATCH)
    page.goto(f"{address}/")
    page.wait_for_load_state("networkidle")
    curve, regions = _told(page, "window.curveAt"), _told(page, "window.regionsAt")
    paint = _told(page, "performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    page.evaluate(
        """() => {
          const all = [...document.querySelectorAll('.load-toolbar .chip')].at(-1);
          new MutationObserver(() => {
            // Until the answer comes the old curve is drawn, far to the right.
            const line = document.querySelector('.load-chart .load-line')?.getAttribute('d');
            if (line && parseFloat(line.slice(1)) < 70) window.yearsAt ??= performance.now();
          }).observe(document.querySelector('.load-chart'), {childList: true});
          window.clickedAt = performance.now();
          all.click();
        }"""
    )
    years = _told(page, "window.yearsAt && window.yearsAt - window.clickedAt")
    context.close()
    return paint, curve, regions, years


def _told(page: Page, expression: str) -> float:
    """Return a number of the page, once there is one."""
    deadline = time.monotonic() + 60
    while not (value := page.evaluate(expression)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the page has no {expression} after a minute")
        page.wait_for_timeout(50)
    return float(value)


@contextmanager
def _service() -> Iterator[tuple[str, str]]:
    """The service alone, in a process of its own, over ten years of load: the page's address, and a key."""
    from powersense.api.auth import new_key
    from powersense.local.clickhouse import EmbeddedClickHouse
    from powersense.local.ports import free_port
    from powersense.settings import get_settings

    key, entry = new_key("bench", "read")
    port, before = free_port(), dict(os.environ)
    with (
        tempfile.TemporaryDirectory(prefix="powersense-bench-") as folder,
        EmbeddedClickHouse(Path(folder), free_port(), secrets.token_hex(8), secrets.token_hex(8)) as server,
    ):
        for name, role, password in (
            ("DEFAULT", "writer", server.writer_password),
            ("READER", "reader", server.reader_password),
        ):
            facts = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": server.http_port, "schema": DATABASE}
            login = {"login": f"powersense_{role}", "password": password}
            os.environ[f"AIRFLOW_CONN_CLICKHOUSE_{name}"] = json.dumps(facts | login)
        os.environ |= {"CLICKHOUSE_DATABASE": DATABASE, "CLICKHOUSE_MARTS_DATABASE": f"{DATABASE}_marts"}
        get_settings.cache_clear()
        environment = os.environ | {
            "POWERSENSE_API_KEYS": f"{entry.name}:{entry.scope}:{entry.sha256}",
            "API_REQUESTS_PER_MINUTE": "0",
        }
        process: subprocess.Popen[bytes] | None = None
        try:
            _fill()
            command = [sys.executable, "-m", "powersense.api", "--port", str(port)]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _await(f"http://127.0.0.1:{port}/powersense/api/v1/ready", process)
            yield f"http://127.0.0.1:{port}/powersense/page", key
        finally:
            if process is not None:
                process.terminate()
                process.wait(20)
            os.environ.clear()
            os.environ |= before
            get_settings.cache_clear()


def _fill() -> None:
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect
    from powersense.warehouse.migrate import migrate
    from tests.browser.load_data import fill_load

    with connect("writer", database="default") as client:
        migrate(client, settings=get_settings())
    fill_load()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address):  # noqa: S310 - our own service
                return
        except urllib.error.URLError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the service did not start") from None
            time.sleep(0.1)
