"""What the stack says while it starts: a line for each stage, with its seconds, and a box at the end."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.status import Status
from rich.text import Text


class Progress:
    """Prints stages as they end; safe to use from several threads.

    Args:
        console: where to print; by default the standard output, plain when it is no terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._active: list[str] = []
        self._status: Status | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the first moment."""
        return time.monotonic() - self._begun

    @contextmanager
    def stage(self, title: str) -> Iterator[list[str]]:
        """Run a stage; the list takes details that its line shows.

        An error is marked on the line and passed on.
        """
        details: list[str] = []
        begun = time.monotonic()
        self._show(title, is_active=True)
        try:
            yield details
        except BaseException:
            self._finish(title, "[red]✗[/]", begun, details)
            raise
        self._finish(title, "[green]✓[/]", begun, details)

    def note(self, text: str) -> None:
        """Print a line that is no stage."""
        self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """Print a line that people should notice."""
        self.console.print(f"! {text}", style="yellow", markup=False)

    def box(self, title: str, lines: list[str]) -> None:
        """Print a framed block, its long lines folded."""
        width = min(self.console.width, 110) - 6
        folded = [part for line in lines for part in (_fold(line, width) or [""])]
        self.console.print(Panel(Text("\n".join(folded)), title=title, expand=False, padding=(1, 2)))

    def _finish(self, title: str, mark: str, begun: float, details: list[str]) -> None:
        self._show(title, is_active=False)
        text = f"{mark} {title:<34} {time.monotonic() - begun:5.1f} s"
        self.console.print(text + (f"   [dim]{' · '.join(details)}[/]" if details else ""))

    def _show(self, title: str, *, is_active: bool) -> None:
        """Keep the list of running stages; a terminal shows it in its last line."""
        with self._lock:
            if is_active:
                self._active.append(title)
            else:
                self._active.remove(title)
            if not self.console.is_terminal:
                return
            if self._status is None:
                self._status = self.console.status("")
            self._status.update(" · ".join(self._active))
            if self._active:
                self._status.start()
            else:
                self._status.stop()


def _fold(line: str, width: int) -> list[str]:
    """Break a line that is too wide, keeping its indentation."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, replace_whitespace=False, drop_whitespace=True)
