"""What the portal would show at the recording's clock: the public view of each dataset."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from powersense.calendar import local_midnight
from powersense.local.replay.clock import Clock
from powersense.local.replay.portal import KEPT_WHEN_BLANK
from powersense.local.replay.recording import Recording
from powersense.local.replay.shift import (
    DAY_S,
    automatic_shift_days,
    instants_of,
    paris_wall,
    wall_seconds,
)
from powersense.local.replay.table import Column, Table, empty_column

STEP_S = 900
PUBLICATION_DAY_OF_MONTH = 15


def is_realtime(dataset: str) -> bool:
    """Tell whether a dataset is filled in real time."""
    return dataset.endswith("-tr")


@dataclass
class Publication:
    """The recording, moved by a whole number of weeks and shown as it was public at the clock.

    Real time: a row of 15 minutes gets its values when its step is over; until then, and to the end of tomorrow, rows
    hold only their keys and forecasts (of tomorrow, only the day-ahead one: RTE has no intraday forecast yet).
    Later vintages: month M appears on the 15th of M+1 of the recording's own calendar.

    Attributes:
        recording: the recorded data.
        clock: now, in the served timeline.
        shift_days: served wall-clock time minus recorded wall-clock time; a multiple of 7.
    """

    recording: Recording
    clock: Clock
    shift_days: int
    _shifted: dict[str, Table] = field(default_factory=dict, repr=False)
    _views: dict[str, tuple[tuple[int, ...], Table]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, recording: Recording, *, clock: Clock, shift_days: int | None) -> Publication:
        """Return the publication of a recording; a shift of None brings the recording's clock to now."""
        if shift_days is None:
            shift_days = automatic_shift_days(now=clock.now(), starts_at=recording.starts_at)
        return cls(recording, clock, shift_days)

    @property
    def recorded_wall(self) -> datetime:
        """Where the clock stands in the recording, naive Paris wall-clock time."""
        return paris_wall(self.clock.now()) - timedelta(days=self.shift_days)

    @property
    def runs_out_at(self) -> datetime | None:
        """When the last recorded real-time load has been shown, UTC in the served timeline; None without any."""
        newest = max(self.recording.newest_wall_s(name) for name in ("eco2mix-national-tr", "eco2mix-regional-tr"))
        if not newest:
            return None
        served = instants_of(np.array([newest + self.shift_days * DAY_S], dtype=np.int64))
        return datetime.fromtimestamp(int(served[0]) + STEP_S, UTC)

    def view(self, dataset: str) -> Table:
        """Return the public rows of a dataset, in time order; computed again only when the clock uncovers more."""
        with self._lock:
            table = self._shifted.get(dataset)
            if table is None:
                table = self._shifted[dataset] = self._shift(self.recording.table(dataset))
            key = self._realtime_bounds(table) if is_realtime(dataset) else (wall_seconds(self.published_before()),)
            cached = self._views.get(dataset)
            if cached is None or cached[0] != key:
                view = _partly_blank(table, *key) if is_realtime(dataset) else self._published_months(table, key[0])
                cached = self._views[dataset] = (key, view)
            return cached[1]

    def _shift(self, table: Table) -> Table:
        wall_s = table.wall_s + self.shift_days * DAY_S
        moved = replace(table, wall_s=wall_s, instant_s=instants_of(wall_s))
        if np.all(np.diff(moved.instant_s) >= 0):
            return moved  # shares the recording's columns
        return moved.take(np.argsort(moved.instant_s, kind="stable"))

    def _realtime_bounds(self, table: Table) -> tuple[int, int, int]:
        """Return how many rows are filled, how many are of days up to today, and how many are listed at all."""
        now = self.clock.now()
        today = paris_wall(now).date()
        midnights = [int(local_midnight(today + timedelta(days=days)).timestamp()) for days in (1, 2)]
        filled = int(np.searchsorted(table.instant_s, int(now.timestamp()) - STEP_S, side="right"))
        todays, listed = (int(np.searchsorted(table.instant_s, midnight)) for midnight in midnights)
        return filled, todays, listed

    def published_before(self) -> datetime:
        """Return where the unpublished months of later vintages start, naive wall-clock time of the recording."""
        wall = self.recorded_wall
        month = wall.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return month if wall.day >= PUBLICATION_DAY_OF_MONTH else (month - timedelta(days=1)).replace(day=1)

    def _published_months(self, table: Table, bound_s: int) -> Table:
        # No clock change falls on the first of a month, so rows in instant order are cut in wall-clock order too.
        return table.take(slice(0, int(np.count_nonzero(table.wall_s - self.shift_days * DAY_S < bound_s))))


def _partly_blank(table: Table, filled: int, todays: int, listed: int) -> Table:
    """Return the listed rows, without values from row `filled` on, and without `prevision_j` after today."""
    shown = table.take(slice(0, listed))
    columns: dict[str, Column] = dict(shown.columns)
    for entry in shown.fields:
        first_blank = todays if entry.name == "prevision_j" else filled
        if entry.name in columns and (entry.name not in KEPT_WHEN_BLANK or entry.name == "prevision_j"):
            blank = empty_column(entry, max(0, listed - first_blank))
            columns[entry.name] = np.concatenate([columns[entry.name][: min(first_blank, listed)], blank])
    return replace(shown, columns=columns)
