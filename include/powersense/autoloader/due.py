"""Which ingestions are due: by their schedules, and because somebody asked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from croniter import croniter

if TYPE_CHECKING:
    from powersense.autoloader.declarations import Declared
    from powersense.warehouse.files.runs import Standing


class Start(TypedDict):
    """A run of `load_files` to start; the names of the fields are TriggerDagRunOperator's."""

    trigger_run_id: str
    conf: dict[str, Any]


def last_tick(schedule: str, now: datetime) -> datetime:
    """Return the newest instant of a cron expression that is not in the future, UTC.

    >>> last_tick("*/15 * * * *", datetime(2024, 3, 10, 10, 15, tzinfo=UTC)).isoformat()
    '2024-03-10T10:15:00+00:00'
    """
    # croniter looks strictly before; a tick at this very second counts.
    found: datetime = croniter(schedule, datetime.fromtimestamp(now.timestamp() + 1, UTC)).get_prev(datetime)
    return found


def due_starts(declared: Iterable[Declared], standings: Mapping[str, Standing], *, now: datetime) -> list[Start]:
    """Return the scheduled runs that are due, one an ingestion at most.

    Ticks that passed while nothing ran are not made up for: one run loads all that has come. An ingestion whose run is
    still under way waits for its end.

    Args:
        declared: all ingestions.
        standings: by name, what their runs have come to.
        now: the present, UTC.
    """
    starts: list[Start] = []
    for one in declared:
        ingestion, standing = one.ingestion, standings.get(one.ingestion.name)
        if not ingestion.enabled or not ingestion.schedule or (standing and standing.is_running):
            continue
        tick = last_tick(ingestion.schedule, now)
        # A declaration does not reach back: its first tick is the one after it.
        before = standing.last_tick if standing and standing.last_tick else one.changed_at
        if tick > before:
            conf = {"ingestion": ingestion.name, "scheduled_for": tick.isoformat()}
            starts.append({"trigger_run_id": f"scheduled__{ingestion.name}__{tick:%Y%m%dT%H%M}", "conf": conf})
    return starts


def requested_starts(requests: Iterable[Mapping[str, Any]]) -> list[Start]:
    """Return the runs that people asked for; the request's id is in the run's, so that none starts twice."""
    return [
        {
            "trigger_run_id": f"requested__{request['request_id']}",
            "conf": {
                "ingestion": request["ingestion"],
                "dry_run": bool(request["is_dry_run"]),
                "request_id": request["request_id"],
            },
        }
        for request in requests
    ]
