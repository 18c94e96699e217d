"""The dead-man's switch: outside the scheduler, it notices that no run reaches its end any more, and tells people."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from powersense.errors import PowerSenseError
from powersense.settings import Settings, get_settings

logger = logging.getLogger(__name__)

RUNBOOK = "docs/observability.md#powersensenothingfinished"
_LOOK_SECONDS = 15.0
# Shorter limits are looked at more often, but the warehouse is not asked all the time.
_LOOKS_PER_LIMIT = 4
_LEAST_LOOK_SECONDS = 1.0
_PROBE_SECONDS = 5.0
_IN_MINUTES_FROM = 120.0
# A restart of the warehouse is no alarm.
WAREHOUSE_PATIENCE_SECONDS = 120.0


class Pulse(StrEnum):
    """What the switch sees."""

    ALIVE = "alive"
    SILENT = "silent"
    NO_WAREHOUSE = "no_warehouse"


@dataclass(frozen=True)
class Reading:
    """What the switch sees, and the same in a sentence for people."""

    pulse: Pulse
    text: str


class Heartbeat:
    """Asks the warehouse when a run last reached its end, and judges the answer, or that there is none.

    Silence counts from the newest end or from the start of this object, whichever is later, so that a stack that is
    started after a pause has its minutes. Ages come from the warehouse's clock and this process's monotonic one.

    Args:
        probe: returns the age of the newest end in seconds, None where no run ever ended.
        clock: seconds that only grow.
    """

    def __init__(
        self, *, probe: Callable[[], float | None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe = probe or newest_age_seconds
        self._clock = clock
        self._probing = threading.Lock()
        self._begun_at = self._answered_at = clock()
        self._looked_at: float | None = None
        self._finished_at: float | None = None
        self._is_unanswered = False

    async def look(self, *, max_age_seconds: float = 0.0) -> Reading:
        """Ask the warehouse, unless it was asked just now, and return what is known then.

        Args:
            max_age_seconds: an answer of so long ago does as well.
        """
        is_due = self._looked_at is None or self._clock() - self._looked_at >= max_age_seconds
        if is_due and self._probing.acquire(blocking=False):
            done = self._start(asyncio.get_running_loop())
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _PROBE_SECONDS)
        return self.reading()

    def reading(self) -> Reading:
        """Judge by what is known now."""
        now, limit = self._clock(), silent_after_seconds(get_settings())
        if self._is_unanswered and now - self._answered_at >= WAREHOUSE_PATIENCE_SECONDS:
            return Reading(
                Pulse.NO_WAREHOUSE, f"the warehouse has not answered for {_duration(now - self._answered_at)}"
            )
        last = self._begun_at if self._finished_at is None else max(self._finished_at, self._begun_at)
        if limit and now - last >= limit:
            known = (
                "none ever did"
                if self._finished_at is None
                else f"the newest did {_duration(now - self._finished_at)} ago"
            )
            return Reading(Pulse.SILENT, f"no run has reached its end for {_duration(now - last)}; {known}")
        return Reading(Pulse.ALIVE, "runs reach their end, and the warehouse answers")

    def _start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """Probe in a thread that nobody has to wait for: one that hangs must not keep the server from ending."""
        done = asyncio.Event()
        self._is_unanswered, self._looked_at = True, self._clock()

        def run() -> None:
            try:
                age = self._probe()
            except PowerSenseError as error:
                logger.warning("The dead-man's switch got no answer: %s", error)
            else:
                self._answered_at = self._clock()
                self._finished_at = None if age is None else self._answered_at - age
                self._is_unanswered = False
            finally:
                self._probing.release()
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(done.set)

        threading.Thread(target=run, name="dead-man", daemon=True).start()
        return done


class Teller:
    """Tells each target of `ALERT_NOTIFY_URLS` once of each change; what a target did not take is told again."""

    def __init__(self) -> None:
        self._told: dict[str, Pulse] = {}

    def tell(self, reading: Reading) -> None:
        """Tell what changed since a target last heard."""
        from powersense.quality import notify

        is_alive = reading.pulse is Pulse.ALIVE
        title = f"PowerSense {'is alive again' if is_alive else 'is silent'}: {reading.text}"
        body = f"Told by the Data API service, which watches from outside the scheduler. Runbook: {RUNBOOK}"
        for target in notify.targets(get_settings()):
            if self._told.get(target.name, Pulse.ALIVE) is reading.pulse:
                continue
            if not notify.try_send_text(target, title, body, notify_type="success" if is_alive else "failure"):
                self._told[target.name] = reading.pulse


async def watch(heartbeat: Heartbeat, teller: Teller, *, every_seconds: float | None = None) -> None:
    """Look and tell for ever; ends by cancellation only.

    Args:
        heartbeat: what looks.
        teller: what tells people.
        every_seconds: between two looks; `look_seconds` of the settings by default.
    """
    while True:
        await asyncio.sleep(look_seconds(get_settings()) if every_seconds is None else every_seconds)
        try:
            reading = await heartbeat.look()
            await asyncio.to_thread(teller.tell, reading)
        except Exception:
            # Whatever is wrong with one look, the switch has to outlive it.
            logger.exception("The dead-man's switch failed to look; it looks again")


def newest_age_seconds() -> float | None:
    """Return how long ago, by the warehouse's clock, a run last reached its end; None where none did.

    Raises:
        ConfigurationError: the reader's connection is not defined.
        WarehouseError: the warehouse does not answer, or refuses.
    """
    from powersense.warehouse.client import connect
    from powersense.warehouse.finished_runs import newest_finishes

    with connect("reader", max_execution_time=_PROBE_SECONDS) as client:
        return min((newest.age_seconds for newest in newest_finishes(client)), default=None)


def silent_after_seconds(settings: Settings) -> float:
    """Return after how long without an ended run the switch speaks; 0 where runs are not expected by themselves."""
    from powersense.schedules import schedules_are_on

    return 60.0 * settings.deadman_minutes if schedules_are_on() else 0.0


def look_seconds(settings: Settings) -> float:
    """Return how long to wait between two looks: 15 seconds, or a quarter of a `DEADMAN_MINUTES` below one."""
    limit = silent_after_seconds(settings)
    often = max(_LEAST_LOOK_SECONDS, limit / _LOOKS_PER_LIMIT)
    return min(_LOOK_SECONDS, often) if limit else _LOOK_SECONDS


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _IN_MINUTES_FROM else f"{seconds / 60:.0f} min"
