"""What one caller, and all callers together, may ask of the server at a time."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from fastapi import Depends

from powersense.api.auth import Access, Caller
from powersense.api.problems import ProblemError
from powersense.settings import get_settings

_WAIT_SECONDS = 5.0
# Who comes then would wait in vain.
_MAX_WAITING = 64


class Buckets:
    """A bucket of tokens per caller: a minute's requests at once, then as they drip in.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, caller: str, *, per_minute: int) -> float:
        """Take a token; return 0, or the seconds until there is one again."""
        now = self._clock()
        with self._lock:
            level, since = self._levels.get(caller, (float(per_minute), now))
            level = min(float(per_minute), level + (now - since) * per_minute / 60)
            taken = level >= 1
            self._levels[caller] = (level - taken, now)
        return 0.0 if taken else (1 - level) * 60 / per_minute


def rate_limit(access: Access) -> Callable[..., Any]:
    """Return the dependency that counts a caller's requests; who calls is asked before."""
    buckets = Buckets()

    async def limited(caller: Caller = Depends(access.read)) -> None:
        per_minute = get_settings().api_requests_per_minute
        wait = buckets.take(caller.name, per_minute=per_minute) if per_minute else 0.0
        if wait:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{caller.name!r} has used up its {per_minute} requests a minute (API_REQUESTS_PER_MINUTE).",
                headers={"Retry-After": str(math.ceil(wait))},
            )

    return limited


class Gate:
    """So many at a time; others wait in line for a little, and are then told to come back. Works across event loops.

    Args:
        kind: what passes, for people.
        slots: how many at a time; asked whenever one comes.
    """

    def __init__(self, kind: str, slots: Callable[[], int]) -> None:
        self._kind, self._slots = kind, slots
        self._lock = threading.Lock()
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Pass, after a wait if need be; each that passed must `leave`.

        Raises:
            ProblemError: 503, no slot came free in time.
        """
        with self._lock:
            if not self._line and self._inside < self._slots():
                self._inside += 1
                return
            if len(self._line) >= _MAX_WAITING:
                raise self._busy()
            place = asyncio.get_running_loop().create_future()
            self._line.append(place)
        try:
            await asyncio.wait_for(asyncio.shield(place), _WAIT_SECONDS)
        except BaseException as error:
            self._give_up(place)
            if isinstance(error, TimeoutError):
                raise self._busy() from None
            raise

    def leave(self) -> None:
        """Hand the slot to the first in line, or make it free."""
        with self._lock:
            while self._line:
                place = self._line.popleft()
                with suppress(RuntimeError):  # its loop is closed
                    place.get_loop().call_soon_threadsafe(_arrive, place)
                    return
            self._inside -= 1

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Enter, and leave at the end."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()

    def _give_up(self, place: asyncio.Future[None]) -> None:
        """Leave the line; a slot that was handed over meanwhile goes on to the next."""
        with self._lock:
            waiting = place in self._line
            if waiting:
                self._line.remove(place)
        if not waiting:
            self.leave()

    def _busy(self) -> ProblemError:
        return ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"The server is busy: {self._slots()} {self._kind} run already. Try again in a while.",
            headers={"Retry-After": "5"},
        )


def _arrive(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)
