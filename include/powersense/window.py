"""The time window of a DAG run, whichever way the run was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from powersense.errors import WindowError


@dataclass(frozen=True)
class Window:
    """A half-open interval [start, end) of UTC instants; `end` is the run's "now".

    Attributes:
        start: first instant, UTC. Equal to `end` when the run has no interval of its own.
        end: the instant as of which the run works, UTC.
        is_explicit: the operator asked for this range (params or conf).
    """

    start: datetime
    end: datetime
    is_explicit: bool = False

    @property
    def is_empty(self) -> bool:
        """True when the run names an instant, not a range."""
        return self.start >= self.end


def parse_instant(text: str, *, name: str) -> datetime:
    """Parse an ISO 8601 instant; one without an offset is UTC.

    Raises:
        WindowError: `text` is no ISO instant; names the parameter and the value.

    >>> parse_instant("2017-10-01T02:00:00+02:00", name="start").isoformat()
    '2017-10-01T00:00:00+00:00'
    """
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise WindowError(
            f"{name}={text!r} is not an ISO 8601 instant; write it like 2017-10-01T00:00:00+00:00"
        ) from error
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def window(context: Mapping[str, Any]) -> Window:
    """Resolve a run's window: params first, then a non-empty data interval, then logical_date, then run_after.

    Args:
        context: the task's Airflow context. `params` may hold ISO `start` and `end` (conf of the run overrides them).

    Raises:
        WindowError: only one end is given where both are needed, the range is reversed, or nothing gives a time.
    """
    params: Mapping[str, Any] = context.get("params") or {}
    start, end = params.get("start"), params.get("end")
    run = context.get("dag_run")
    if end:
        until = parse_instant(end, name="end")
        since = parse_instant(start, name="start") if start else until
        if since > until:
            raise WindowError(f"start={start!r} lies after end={end!r}; swap them")
        return Window(since, until, is_explicit=True)
    if start:
        raise WindowError(f"start={start!r} is given without end; give both in params or --conf")
    since_, until_ = context.get("data_interval_start"), context.get("data_interval_end")
    if since_ and until_ and since_ < until_:
        return Window(_utc(since_), _utc(until_))
    instant = context.get("logical_date") or getattr(run, "run_after", None)
    if instant is None:
        raise WindowError("the run has no data interval, logical date or run_after; give start and end in --conf")
    return Window(_utc(instant), _utc(instant))


def _utc(instant: datetime) -> datetime:
    """Return a plain UTC datetime (Airflow hands out pendulum instances)."""
    return datetime.fromtimestamp(instant.timestamp(), tz=UTC)
