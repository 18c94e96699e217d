"""Météo-France's observation API: the last 24 hours of a department's stations. Its key is in an Airflow connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import requests

from powersense.errors import MalformedResponseError, MissingCredentialError, TruncatedExportError
from powersense.settings import Settings, get_settings
from powersense.sources.meteo.records import Answer
from powersense.sources.meteo.source import meteo_source
from powersense.sources.transport import Answer as HttpAnswer
from powersense.sources.transport import Portal

# The quota is one of each minute, so it is back within one.
LONGEST_QUOTA_WAIT_SECONDS = 75.0


def require_key(settings: Settings | None = None) -> None:
    """Check that the API's connection has a key.

    Raises:
        MissingCredentialError: it has none, or there is no such connection; names it and the remedy.
    """
    _access(settings or get_settings())


def fetch_observations(departments: Sequence[str], *, settings: Settings | None = None) -> list[Answer]:
    """Return what the API remembers of each department, asking no faster than its quota allows.

    Args:
        departments: two digits each; `20` for Corsica.
        settings: connection, pace, time-outs; the process's by default.

    Raises:
        MissingCredentialError: the connection has no key.
        SourceError: see transport.Portal.ask.
    """
    settings = settings or get_settings()
    source = meteo_source("observations")
    pace = _Pace(settings.meteo_requests_per_minute)
    answers = []
    with _open(settings) as portal:
        for department in departments:
            pace.keep()
            answers.append(portal.ask(source.address.format(department=department), {}, parse_observations))
    return answers


def parse_observations(answer: HttpAnswer) -> Answer:
    """Parse the API's answer: an array of records.

    Raises:
        TruncatedExportError: the body breaks off.
        MalformedResponseError: the body is no array of records.
    """
    try:
        items = json.loads(answer.body)
    except ValueError as error:
        text = answer.body.strip()
        kind = TruncatedExportError if text[:1] == b"[" and text[-1:] != b"]" else MalformedResponseError
        raise kind(f"{answer.url}: {error}, in a body like {text[:80]!r}") from error
    if not isinstance(items, list):
        raise MalformedResponseError(f"{answer.url}: {answer.body[:200]!r} is no array of records")
    records = [item for item in items if isinstance(item, dict)]
    source = meteo_source("observations")
    return Answer(
        records=pd.DataFrame.from_records(records, columns=None if records else list(source.known_columns)),
        retrieved_at=answer.retrieved_at,
        origin=source.dataset,
        broken_lines=tuple(json.dumps(item, ensure_ascii=False) for item in items if not isinstance(item, dict)),
    )


@dataclass
class _Pace:
    """Keeps a distance between requests; 0 a minute means none."""

    requests_per_minute: int
    _next_at: float = field(default=0.0, init=False)

    def keep(self) -> None:
        if self.requests_per_minute:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + 60 / self.requests_per_minute


class _KeyedSession(requests.Session):
    """A session whose key stays with the host that it is for, as requests does with its own Authorization header."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        is_elsewhere = self.should_strip_auth(response.request.url, prepared_request.url)  # type: ignore[no-untyped-call]
        if is_elsewhere:
            prepared_request.headers.pop("apikey", None)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


@contextmanager
def _open(settings: Settings) -> Iterator[Portal]:
    root, key = _access(settings)
    with _KeyedSession() as session:
        session.headers.update({"User-Agent": "PowerSense", "apikey": key, "Accept": "application/json"})
        yield Portal(
            session,
            root,
            timeout_seconds=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            access=f"the connection {settings.meteo_france_connection}",
            longest_quota_wait_seconds=LONGEST_QUOTA_WAIT_SECONDS,
        )


def _access(settings: Settings) -> tuple[str, str]:
    """Return the API's root and key.

    Raises:
        MissingCredentialError: see `require_key`.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    name = settings.meteo_france_connection
    remedy = f"put it into the password of the Airflow connection {name!r} (portail-api.meteofrance.fr gives it free)"
    try:
        connection: Any = BaseHook.get_connection(name)
    except AirflowNotFoundException as error:
        raise MissingCredentialError(f"there is no key for Météo-France's observation API: {remedy}") from error
    if not connection.password:
        raise MissingCredentialError(f"there is no key for Météo-France's observation API: {remedy}")
    host = connection.host or ""
    root = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return (f"{root}:{connection.port}" if connection.port else root).rstrip("/"), connection.password
