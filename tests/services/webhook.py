"""Somebody who is told of alerts: a real HTTP server that keeps what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from powersense.settings import get_settings
from powersense.warehouse.client import connect

TABLES = ("alerts", "alert_notices", "alert_actions", "alert_silences")


class Webhook:
    """A real HTTP server that keeps what Apprise posts to it."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if webhook.status == 200:
                    webhook.received.append(json.loads(body))
                self.send_response(webhook.status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://watch:s3cr3t-t0ken@127.0.0.1:{self.server.server_port}/hook"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.received]


@contextmanager
def opened() -> Iterator[Webhook]:
    """A webhook that listens."""
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that `ALERT_NOTIFY_URLS` names; a fixture of the modules that want it."""
    with opened() as hook:
        monkeypatch.setenv("ALERT_NOTIFY_URLS", hook.url)
        get_settings.cache_clear()
        yield hook
    get_settings.cache_clear()


def clear() -> None:
    """Forget all alerts, and what was told and done about them."""
    with connect("writer") as client:
        for table in TABLES:
            client.command(f"TRUNCATE TABLE {table}")
