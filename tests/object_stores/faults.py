"""An S3 server in a thread that answers by a script: errors, silence, half answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass
class Answer:
    """One answer.

    Attributes:
        announced_bytes: another content length than the body's; the connection closes after the body.
        is_silent: take the request and never answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced_bytes: int | None = None
    is_silent: bool = False


@dataclass
class FaultyServer:
    """Answers every request by `script`, and keeps the requests' headers."""

    script: Callable[[str], Answer]
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def object_answer(content: bytes, *, etag: str = "one", asked: str = "") -> Answer:
    """Return the answer to a GET of an object, or of the range asked for."""
    headers = {"ETag": f'"{etag}"', "Last-Modified": "Sat, 30 Sep 2017 12:00:00 GMT"}
    if not asked:
        return Answer(body=content, headers=headers)
    start, _, last = asked.removeprefix("bytes=").partition("-")
    end = min(int(last) + 1, len(content))
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
    return Answer(206, content[int(start) : end], headers)


@contextmanager
def faulty_server(script: Callable[[str], Answer]) -> Iterator[FaultyServer]:
    """Run a server until the block ends.

    Args:
        script: gives the answer to a request, by the value of its header `Range` (empty without one).
    """
    server = FaultyServer(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        owner: ClassVar[FaultyServer] = server

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.owner.requests.append((f"{self.command} {self.path}", headers))
            answer = self.owner.script(headers.get("range", ""))
            if answer.is_silent:
                self.owner.ended.wait(30)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.announced_bytes is None else answer.announced_bytes
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.close_connection = answer.announced_bytes is not None

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing: the requests are kept."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        http.shutdown()
        http.server_close()
        thread.join()
