"""A real HTTP server in a thread that answers as Météo-France and Open-Meteo do, and what they would answer with."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HOUR = timedelta(hours=1)
API_PATH = "/public/DPPaquetObs/v1/paquet/horaire"
API_KEY = "the-secret-key"
HOURLY_HEADER = "NUM_POSTE;NOM_USUEL;LAT;LON;ALTI;AAAAMMJJHH;T;QT;FF;QFF;U;QU;N;QN"
SYNOP_HEADER = "numer_sta;date;pmer;ff;t;u;n;"


@dataclass
class Reply:
    """One answer: status, body, headers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Mapping[str, list[str]]], Reply]


@dataclass
class WeatherServer:
    """Answers each path with its handler; `queued` answers go first, once each.

    Attributes:
        handlers: by path; what has none is a 404.
        queued: replies to give before a path's handler is asked.
        calls: requests by path.
        keys: the `apikey` headers seen.
        forecast_queries: query parameters of the forecasts asked for.
    """

    handlers: dict[str, Handler] = field(default_factory=dict)
    queued: dict[str, list[Reply]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    keys: set[str | None] = field(default_factory=set)
    forecast_queries: list[dict[str, list[str]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reply(self, path: str, query: dict[str, list[str]], key: str | None) -> Reply:
        self.calls[path] += 1
        if path == API_PATH:
            self.keys.add(key)
        if path == "/forecast":
            self.forecast_queries.append(query)
        if self.queued.get(path):
            return self.queued[path].pop(0)
        handler = self.handlers.get(path)
        return handler(query) if handler else Reply(b"no such file", 404)

    def file(self, path: str, text: str) -> None:
        """Publish a gzipped file; read when it is asked for, so it can be replaced."""
        self.handlers[path] = lambda _: Reply(gzip.compress(text.encode()))

    def observations(self, records: Callable[[str], list[dict[str, object]]]) -> None:
        """Answer the observation API with what `records` gives for a department."""
        self.handlers[API_PATH] = lambda query: Reply(json.dumps(records(query["id-departement"][0])).encode())

    def __enter__(self) -> WeatherServer:
        served = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                reply = served.reply(parts.path, parse_qs(parts.query), self.headers.get("apikey"))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def observation(station: str, at: datetime, celsius: float | None = 10.0, **fields: object) -> dict[str, object]:
    """Return a record of the observation API."""
    return {
        "geo_id_insee": station,
        "validity_time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "t": None if celsius is None else round(celsius + 273.15, 2),
        "ff": 3.0,
        "u": 80.0,
        "n": None,
        "pmer": 101320.0,
        **fields,
    }


def hourly_file(rows: Iterable[tuple[str, datetime, float, str]]) -> str:
    """Return an hourly climatology file of (station, instant, °C, quality)."""
    lines = [f"{station};NAME;45.0;2.0;10;{at:%Y%m%d%H};{value};{code};2.0;1;;;;" for station, at, value, code in rows]
    return "\n".join([HOURLY_HEADER, *lines]) + "\n"


def synop_file(rows: Iterable[tuple[str, datetime, float]]) -> str:
    """Return a SYNOP file of (number, instant, °C)."""
    lines = [f"{number};{at:%Y%m%d%H%M%S};101320;2.0;{value + 273.15:.2f};80;50;" for number, at, value in rows]
    return "\n".join([SYNOP_HEADER, *lines]) + "\n"


def forecast_answer(
    query: Mapping[str, list[str]], *, begins_at: datetime, celsius: float = 8.0, days: int = 9
) -> Reply:
    """Return Open-Meteo's answer: the same weather at every point and hour."""
    hours = [begins_at + number * HOUR for number in range(24 * days)]
    place = {
        "hourly_units": {"time": "iso8601", "temperature_2m": "°C", "wind_speed_10m": "m/s", "cloud_cover": "%"},
        "hourly": {
            "time": [f"{hour:%Y-%m-%dT%H:%M}" for hour in hours],
            "temperature_2m": [celsius] * len(hours),
            "wind_speed_10m": [4.0] * len(hours),
            "cloud_cover": [50] * len(hours),
        },
    }
    return Reply(json.dumps([place] * len(query["latitude"][0].split(","))).encode())
