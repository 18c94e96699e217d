"""The request to stop a stack: from a terminal, from another process, or from within."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from powersense.errors import LocalStackError


class StopRequest:
    """Ctrl-C, SIGTERM or a closed terminal: the first asks for a clean stop, the second for an immediate one."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._count = 0

    def listen(self) -> None:
        """Take over the signals; call it from the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        self._asked.set()

    def make(self) -> None:
        """Ask for a stop from within."""
        self._asked.set()

    def is_made(self) -> bool:
        """Tell whether to stop."""
        return self._asked.is_set()

    def is_repeated(self) -> bool:
        """Tell whether to stop without waiting."""
        return self._count > 1

    def wait(self, seconds: float) -> bool:
        """Wait for it at most so long; return whether it was made."""
        return self._asked.wait(seconds)


class StoppedError(LocalStackError):
    """The stack was asked to stop while it was starting."""
