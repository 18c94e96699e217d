"""Open clients of the reader, kept between questions: opening one asks the server three of its own."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from powersense.settings import get_settings
from powersense.warehouse.client import connect

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# A changed Airflow connection counts after so long.
_MAX_AGE_SECONDS = 60.0


@dataclass(frozen=True)
class _Open:
    client: Client
    exits: ExitStack
    target: tuple[str, str, str]
    opened_at: float


class ReaderPool:
    """Clients of the reader; a leased one belongs to its lease alone.

    Args:
        keep: how many idle ones are kept at most.
    """

    def __init__(self, *, keep: int = 8) -> None:
        self._keep = keep
        self._idle: list[_Open] = []
        self._lock = threading.Lock()

    @contextmanager
    def lease(self) -> Iterator[Client]:
        """Lend a client; one in whose use anything failed is not lent again.

        Raises:
            ConfigurationError: see `connect`.
            WarehouseError: see `connect`.
        """
        opened = self._take() or self._open()
        try:
            yield opened.client
        except BaseException:
            # Leaving `connect` with the driver's error raises ours.
            opened.exits.__exit__(*sys.exc_info())
            raise
        self._give_back(opened)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for opened in idle:
            opened.exits.close()

    def _open(self) -> _Open:
        with ExitStack() as exits:
            client = exits.enter_context(connect("reader"))
            return _Open(client, exits.pop_all(), _target(), time.monotonic())

    def _take(self) -> _Open | None:
        target, now = _target(), time.monotonic()
        with self._lock:
            idle, self._idle = self._idle, []
            good = [each for each in idle if each.target == target and now - each.opened_at < _MAX_AGE_SECONDS]
            taken = good.pop() if good else None
            self._idle = good
        for old in idle:
            if old is not taken and old not in good:
                old.exits.close()
        return taken

    def _give_back(self, opened: _Open) -> None:
        with self._lock:
            kept = len(self._idle) < self._keep and opened.target == _target()
            if kept:
                self._idle.append(opened)
        if not kept:
            opened.exits.close()


def _target() -> tuple[str, str, str]:
    settings = get_settings()
    connection = settings.reader_connection
    return connection, os.environ.get(f"AIRFLOW_CONN_{connection.upper()}", ""), settings.clickhouse_database
