"""Runs the stack's components: starts them, restarts one that dies, stops them all without leaving a process behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from powersense.errors import LocalStackError
from powersense.local.state import StateFolder
from powersense.local.tether import tethered

MAX_RESTARTS = 5
RESTART_WINDOW_SECONDS = 300.0
# Airflow's components wait for running tasks; they get this long before their tasks are ended too.
GRACE_SECONDS = 7.0
FORCE_SECONDS = 3.0


@dataclass(frozen=True)
class Component:
    """One process of the stack, in a session of its own.

    Attributes:
        name: what people and files call it.
        command: its command line; it has to stay in the foreground.
        environment: its full environment.
        log_file: takes its standard output and error.
        is_ready: tells whether it does its work.
        user: system user to run it as; None for the current one.
        stop_signal: signal that asks it for a clean stop.
        tells_children: the signal goes to its children, too, for which it would wait without telling them.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log_file: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    tells_children: bool = False


@dataclass
class _Running:
    component: Component
    process: subprocess.Popen[bytes]
    restarts: list[float] = field(default_factory=list)
    start_again_at: float | None = None


class Supervisor:
    """Starts, watches and stops components.

    Components have to be started from the thread that outlives them: Linux ends them with it.

    Args:
        state: folder that remembers the processes, so that the next run can end what a killed one left.
        report: called with a line for people whenever a component died.
    """

    def __init__(self, state: StateFolder, report: Callable[[str], None]) -> None:
        self._state = state
        self._report = report
        self._running: dict[str, _Running] = {}

    def start(self, component: Component) -> None:
        """Start a component without waiting for it to be ready."""
        self._running[component.name] = _Running(component, self._spawn(component))
        self._remember()

    def wait_until_ready(
        self, *names: str, timeout_seconds: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until components do their work; it does not restart them.

        Raises:
            LocalStackError: one ended or is not ready in time; names it and its log.
        """
        deadline = time.monotonic() + timeout_seconds
        awaited = [self._running[name] for name in names]
        while not is_cancelled():
            for running in awaited:
                code = running.process.poll()
                if code is not None:
                    raise LocalStackError(_obituary(running.component, f"ended with code {code}"))
            awaited = [running for running in awaited if not running.component.is_ready()]
            if not awaited:
                return
            if time.monotonic() > deadline:
                raise LocalStackError(_obituary(awaited[0].component, f"is not ready after {timeout_seconds:g} s"))
            time.sleep(0.1)

    def watch(self) -> None:
        """Restart what died, after a pause that doubles; call it about once a second.

        Raises:
            LocalStackError: a component died too often; names it and its log.
        """
        for running in self._running.values():
            if running.start_again_at is None:
                code = running.process.poll()
                if code is not None:
                    self._plan_restart(running, code)
            elif time.monotonic() >= running.start_again_at:
                running.start_again_at = None
                running.process = self._spawn(running.component)
                self._remember()

    def _plan_restart(self, running: _Running, code: int) -> None:
        component, now = running.component, time.monotonic()
        # What it left in its session (workers, tasks) would compete with the new process.
        _signal_session(running.process.pid, signal.SIGKILL)
        running.restarts = [moment for moment in running.restarts if now - moment < RESTART_WINDOW_SECONDS]
        if len(running.restarts) >= MAX_RESTARTS:
            raise LocalStackError(_obituary(component, f"died {MAX_RESTARTS + 1} times, the last with code {code}"))
        pause = 0.5 * 2 ** len(running.restarts)
        running.restarts.append(now)
        running.start_again_at = now + pause
        self._report(f"{component.name} ended with code {code}: restart in {pause:g} s, log {component.log_file}")

    def stop_all(self, *, is_impatient: Callable[[], bool] = lambda: False) -> None:
        """Stop the components, the last started first: asked, then told, then ended; leaves no process.

        Args:
            is_impatient: tells that nobody wants to wait any longer.
        """
        groups = ("warehouse", "rest")
        engines = {"clickhouse", "postgres", "kafka"}
        for group in reversed(groups):
            chosen = [
                item for item in self._running.values() if (item.component.name in engines) == (group == groups[0])
            ]
            self._stop(list(reversed(chosen)), is_impatient)
        self._running.clear()
        self._state.write("processes", {})

    def _stop(self, running: list[_Running], is_impatient: Callable[[], bool]) -> None:
        for item in running:
            if item.component.tells_children:
                _signal_session(item.process.pid, item.component.stop_signal)
            elif item.process.poll() is None:
                item.process.send_signal(item.component.stop_signal)
        _wait_for_end(running, GRACE_SECONDS, is_impatient)
        for item in running:
            _signal_session(item.process.pid, signal.SIGTERM)
        _wait_for_end(running, FORCE_SECONDS, is_impatient)
        for item in running:
            _signal_session(item.process.pid, signal.SIGKILL)
            item.process.wait()
        # The kernel ends the rest of a session in its own time.
        _wait_for_end(running, FORCE_SECONDS, lambda: False)

    def end_leftovers(self) -> list[str]:
        """End what a stack that was killed left running, and return the components' names."""
        ended = []
        for name, (pid, created) in self._state.read("processes").items():
            with contextlib.suppress(psutil.NoSuchProcess):
                if abs(psutil.Process(pid).create_time() - created) > 1:
                    continue  # another process has the number now
            if _signal_session(pid, signal.SIGTERM):
                ended.append(name)
                deadline = time.monotonic() + FORCE_SECONDS
                while _session(pid) and time.monotonic() < deadline:
                    time.sleep(0.05)
                _signal_session(pid, signal.SIGKILL)
        self._state.write("processes", {})
        return ended

    def _spawn(self, component: Component) -> subprocess.Popen[bytes]:
        component.log_file.parent.mkdir(parents=True, exist_ok=True)
        with component.log_file.open("ab") as log:
            return subprocess.Popen(
                tethered(component.command, user=component.user),
                env=dict(component.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _remember(self) -> None:
        processes = {}
        for name, running in self._running.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                pid = running.process.pid
                processes[name] = [pid, psutil.Process(pid).create_time()]
        self._state.write("processes", processes)


def log_tail(file: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log; empty when there is none."""
    if not file.exists():
        return ""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - 200 * lines))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def _obituary(component: Component, what: str) -> str:
    return f"{component.name} {what}; {component.log_file} ends with:\n{log_tail(component.log_file)}"


def _wait_for_end(running: list[_Running], seconds: float, is_impatient: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not is_impatient():
        if all(item.process.poll() is not None and not _session(item.process.pid) for item in running):
            return
        time.sleep(0.05)


def _session(leader: int) -> list[int]:
    """Return the living processes of the session that a component leads or led."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def _signal_session(leader: int, number: signal.Signals) -> bool:
    """Signal all processes of a component's session; return whether there was one."""
    members = _session(leader)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return bool(members)
