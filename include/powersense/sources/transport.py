"""HTTP to an upstream, mostly through its Airflow connection: time-outs, retries, quota."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from powersense.errors import (
    MalformedResponseError,
    RateLimitedError,
    SourceNotFoundError,
    SourceRequestError,
    SourceUnavailableError,
    TruncatedExportError,
)
from powersense.settings import Settings, get_settings

if TYPE_CHECKING:
    from airflow.providers.http.hooks.http import HttpHook

logger = logging.getLogger(__name__)
Parsed = TypeVar("Parsed")

LONGEST_QUOTA_WAIT_SECONDS = 20.0
LONGEST_BACKOFF_SECONDS = 20.0
ODRE_ACCESS = "API_URL and the connection odre_default"
# A trickling answer never trips the read time-out, so the whole body has one too.
BODY_TIMEOUT_FACTOR = 10
LOW_QUOTA = 100


@dataclass(frozen=True)
class Answer:
    """A complete 200 answer.

    Attributes:
        url: what was asked.
        body: the whole body.
        retrieved_at: when the answer began, UTC.
    """

    url: str
    body: bytes
    retrieved_at: datetime


class Portal:
    """One session with a portal, or with a file server.

    Args:
        session: carries the connection's credentials, headers and proxies.
        root: scheme, host and path before `/api/`.
        timeout_seconds: of connecting (at most 10) and of each read; a body may take ten times as long.
        max_attempts: requests sent for one question before its last error is raised.
        access: the options that lead here, for messages.
        longest_quota_wait_seconds: a quota that comes back later is not waited for.
    """

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        session: requests.Session,
        root: str,
        *,
        timeout_seconds: float,
        max_attempts: int,
        access: str = ODRE_ACCESS,
        longest_quota_wait_seconds: float = LONGEST_QUOTA_WAIT_SECONDS,
    ) -> None:
        self.session = session
        self.root = root
        self.timeout_seconds = timeout_seconds
        self.max_attempts = max_attempts
        self.access = access
        self.longest_quota_wait_seconds = longest_quota_wait_seconds

    def ask(self, path: str, params: Mapping[str, str | int], parse: Callable[[Answer], Parsed]) -> Parsed:
        """Send a GET until `parse` accepts the answer, and return what it made of it.

        Server errors, time-outs, broken connections and unusable bodies are tried again, with exponential backoff
        and jitter. A used-up quota is waited for only when it comes back within seconds.

        Args:
            path: below the root, or a whole URL.
            params: query parameters.
            parse: raises MalformedResponseError on a body that is not what it should be.

        Raises:
            SourceUnavailableError: no answer, or a server error, after all attempts.
            RateLimitedError: quota used up for longer than this session waits for it.
            SourceNotFoundError: what is asked for is not there (404, 410).
            SourceRequestError: the request is refused (4xx).
            MalformedResponseError: the body stays unusable after all attempts.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.max_attempts),
            wait=_BackoffOrQuota(),
            retry=retry_if_exception(self._is_worth_another_try),
            before_sleep=_log_retry,
            reraise=True,
        )
        return retrying(lambda: parse(self._get(path, params)))

    def _get(self, path: str, params: Mapping[str, str | int]) -> Answer:
        url = path if "://" in path else f"{self.root}/{path.lstrip('/')}"
        timeout = (min(10.0, self.timeout_seconds), self.timeout_seconds)
        try:
            with self.session.get(url, params=dict(params), timeout=timeout, stream=True) as response:
                retrieved_at = datetime.now(UTC)
                body = self._read(response)
                _refuse_failure(response, body, access=self.access)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise SourceUnavailableError(
                f"{url} does not answer within {self.timeout_seconds:g} s: {error}. Check the network, {self.access}."
            ) from error
        _warn_of_low_quota(response)
        return Answer(response.url, body, retrieved_at)

    def _is_worth_another_try(self, error: BaseException) -> bool:
        if isinstance(error, RateLimitedError):
            wait = error.retry_after_seconds
            return wait is not None and wait <= self.longest_quota_wait_seconds
        return isinstance(error, SourceUnavailableError | MalformedResponseError)

    def _read(self, response: requests.Response) -> bytes:
        """Read a body within its time.

        Raises:
            TruncatedExportError: the connection closes before the announced length.
            SourceUnavailableError: the body takes too long.
        """
        limit = self.timeout_seconds * BODY_TIMEOUT_FACTOR
        deadline = time.monotonic() + limit
        chunks: list[bytes] = []
        try:
            for chunk in response.iter_content(chunk_size=1 << 16):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise SourceUnavailableError(f"{response.url} is not complete after {limit:g} s")
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise TruncatedExportError(f"{response.url}: the body ends early: {error}") from error
        except (urllib3.exceptions.ReadTimeoutError, requests.ConnectionError) as error:
            raise SourceUnavailableError(f"{response.url}: no more data for {self.timeout_seconds:g} s") from error
        return b"".join(chunks)


@contextmanager
def open_portal(settings: Settings | None = None) -> Iterator[Portal]:
    """Open a session on the connection `odre_default`; `API_URL` replaces the connection's address."""
    from airflow.providers.http.hooks.http import HttpHook

    settings = settings or get_settings()
    hook: HttpHook = HttpHook(method="GET", http_conn_id=settings.odre_connection)
    session = hook.get_conn()
    session.headers.setdefault("User-Agent", "PowerSense")
    root = (settings.api_url or hook.base_url).split("/api/")[0].rstrip("/")
    try:
        yield Portal(
            session, root, timeout_seconds=settings.http_timeout_seconds, max_attempts=settings.http_max_attempts
        )
    finally:
        session.close()


@contextmanager
def open_files(settings: Settings | None = None, *, root: str = "", access: str = ODRE_ACCESS) -> Iterator[Portal]:
    """Open a session for what needs no login: same time-outs and retries, none of the portal's credentials.

    Args:
        settings: time-outs and attempts; the process's by default.
        root: address below which relative paths are asked for.
        access: the options that lead there, for messages.
    """
    settings = settings or get_settings()
    with requests.Session() as session:
        session.headers["User-Agent"] = "PowerSense"
        yield Portal(
            session,
            root.rstrip("/"),
            timeout_seconds=settings.http_timeout_seconds,
            max_attempts=settings.http_max_attempts,
            access=access,
        )


class _BackoffOrQuota(wait_base):
    """Wait what upstream asks for, else exponentially longer with jitter."""

    backoff = wait_random_exponential(multiplier=0.5, max=LONGEST_BACKOFF_SECONDS)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, RateLimitedError) and error.retry_after_seconds is not None:
            return error.retry_after_seconds
        return self.backoff(retry_state)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    logger.warning("Attempt %d failed, next in %.1f s: %s", state.attempt_number, wait, error)


def _refuse_failure(response: requests.Response, body: bytes, *, access: str) -> None:
    """Raise the named error of a status that is not 200.

    Raises:
        RateLimitedError: 429.
        SourceNotFoundError: 404 or 410.
        SourceRequestError: another 4xx, or a redirect that leads nowhere.
        SourceUnavailableError: 5xx.
    """
    if response.status_code == requests.codes.ok:
        return
    text = body[:500].decode("utf-8", "replace")
    told = f"{response.url} answered {response.status_code}: {text}"
    if response.status_code == requests.codes.too_many_requests:
        wait = _quota_wait_seconds(response, body)
        raise RateLimitedError(
            f"{told}. Wait for the reset, or ask for a larger quota; it belongs to {access}.", retry_after_seconds=wait
        )
    if response.status_code >= requests.codes.server_error:
        raise SourceUnavailableError(told)
    refusal = SourceNotFoundError if response.status_code in (404, 410) else SourceRequestError
    raise refusal(f"{told}. Correct {access}, or the source's declaration.")


def _quota_wait_seconds(response: requests.Response, body: bytes) -> float | None:
    """Return how long upstream asks to wait: Retry-After in seconds or as a date, else the body's reset_time."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isdigit():
        return float(header)
    try:
        if header:
            reset = parsedate_to_datetime(header)
        else:
            reset = datetime.fromisoformat(str(response_json(body)["reset_time"]))
    except (KeyError, TypeError, ValueError):
        return None
    reset = reset if reset.tzinfo else reset.replace(tzinfo=UTC)
    return max(0.0, (reset - datetime.now(UTC)).total_seconds())


def response_json(body: bytes) -> dict[str, object]:
    """Return a JSON object, or an empty one where the body is none."""
    import json

    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _warn_of_low_quota(response: requests.Response) -> None:
    remaining = response.headers.get("X-RateLimit-Remaining", "")
    if remaining.isdigit() and int(remaining) < LOW_QUOTA:
        reset = response.headers.get("X-RateLimit-Reset", "unknown")
        logger.warning("Only %s calls of the portal's quota are left until %s", remaining, reset)
