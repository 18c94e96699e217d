"""The supervisor restarts what dies, gives up by name, and never leaves a process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from powersense.errors import LocalStackError
from powersense.local import supervisor as supervisor_module
from powersense.local.clickhouse import import_environment
from powersense.local.state import StateFolder
from powersense.local.supervisor import Component, Supervisor

SLEEP = "import time; time.sleep(600)"
STUBBORN_WITH_CHILD = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "subprocess.Popen([sys.executable, '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)']); time.sleep(600)"
)

# Told once it waits for its child, told twice it gives up; says on its log that it ended cleanly.
WAITS_FOR_ITS_CHILD = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
def again(*_): os._exit(1)
def told(*_): signal.signal(signal.SIGTERM, again)
signal.signal(signal.SIGTERM, told)
print('up', flush=True)
child.wait()
print('clean', flush=True)
"""


def wait_for(is_met: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def component(folder: Path, code: str, *, name: str = "worker", is_ready: bool = True) -> Component:
    environment = {**os.environ, **import_environment()}
    command = [sys.executable, "-c", code]
    return Component(name, command, environment, folder / f"{name}.log", lambda: is_ready)


def session_of(pid: int) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def pid_of(state: StateFolder, name: str = "worker") -> int:
    return int(state.read("processes")[name][0])


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def supervisor(state: StateFolder, reports: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor_module, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(supervisor_module, "FORCE_SECONDS", 0.5)
    made = Supervisor(state, reports.append)
    yield made
    made.stop_all()


def test_a_component_that_dies_is_started_again(
    supervisor: Supervisor, state: StateFolder, reports: list[str], tmp_path: Path
) -> None:
    supervisor.start(component(tmp_path, SLEEP))
    first = pid_of(state)
    os.kill(first, signal.SIGKILL)

    def is_restarted() -> bool:
        supervisor.watch()
        return pid_of(state) != first

    wait_for(is_restarted)
    assert psutil.pid_exists(pid_of(state))
    assert "worker ended with code -9" in reports[0]
    assert str(tmp_path / "worker.log") in reports[0]


def test_what_a_dead_component_left_in_its_session_is_ended_before_the_restart(
    supervisor: Supervisor, state: StateFolder, tmp_path: Path
) -> None:
    supervisor.start(component(tmp_path, STUBBORN_WITH_CHILD))
    leader = pid_of(state)
    wait_for(lambda: len(session_of(leader)) == 2)
    os.kill(leader, signal.SIGKILL)

    def is_noticed() -> bool:
        supervisor.watch()
        return not session_of(leader)

    wait_for(is_noticed)


def test_a_component_that_keeps_dying_is_given_up_by_name_with_its_log(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "MAX_RESTARTS", 1)
    supervisor.start(component(tmp_path, "import sys; sys.exit('the disk is full')"))

    def watch_on() -> None:
        for _ in range(400):
            supervisor.watch()
            time.sleep(0.05)

    with pytest.raises(LocalStackError, match=r"worker died 2 times.*code 1(.|\n)*worker\.log(.|\n)*the disk is full"):
        watch_on()


def test_a_component_that_ends_before_it_is_ready_is_named_with_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(component(tmp_path, "import sys; sys.exit('no such table')", is_ready=False))
    with pytest.raises(LocalStackError, match=r"worker ended with code 1(.|\n)*no such table"):
        supervisor.wait_until_ready("worker", timeout_seconds=20)


def test_a_component_that_is_never_ready_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(component(tmp_path, SLEEP, is_ready=False))
    with pytest.raises(LocalStackError, match=r"worker is not ready after 0\.3 s"):
        supervisor.wait_until_ready("worker", timeout_seconds=0.3)


def test_a_component_that_ignores_sigterm_is_ended_with_its_children(
    supervisor: Supervisor, state: StateFolder, tmp_path: Path
) -> None:
    supervisor.start(component(tmp_path, STUBBORN_WITH_CHILD))
    leader = pid_of(state)
    wait_for(lambda: len(session_of(leader)) == 2)
    supervisor.stop_all()
    assert session_of(leader) == []
    assert state.read("processes") == {}


@pytest.mark.parametrize(("tells_children", "said"), [(True, ["up", "clean"]), (False, ["up"])])
def test_a_component_that_does_not_tell_its_children_of_the_stop_has_them_told(
    supervisor: Supervisor, tmp_path: Path, tells_children: bool, said: list[str]
) -> None:
    made = replace(component(tmp_path, WAITS_FOR_ITS_CHILD), tells_children=tells_children)
    supervisor.start(made)
    wait_for(lambda: made.log_file.read_text().split() == ["up"])
    supervisor.stop_all()
    assert made.log_file.read_text().split() == said


def test_a_component_ends_with_a_stack_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
from powersense.local.state import StateFolder
from powersense.local.supervisor import Component, Supervisor
folder = Path({str(tmp_path)!r})
state = StateFolder(folder / "state")
Supervisor(state, print).start(
    Component("worker", [sys.executable, "-c", {SLEEP!r}], os.environ, folder / "log", lambda: True)
)
print(state.read("processes")["worker"][0], flush=True)
sys.stdin.read()
"""
    stack = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | import_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with stack:
        assert stack.stdout is not None
        worker = psutil.Process(int(stack.stdout.readline()))
        stack.kill()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_the_next_run_ends_what_a_killed_one_left(state: StateFolder, tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    unrelated = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    try:
        started = psutil.Process(left.pid).create_time()
        # The second entry's number belongs to another process by now: it must live.
        state.write("processes", {"clickhouse": [left.pid, started], "replay": [unrelated.pid, started - 100]})
        assert Supervisor(state, print).end_leftovers() == ["clickhouse"]
        assert left.wait(timeout=10) == -signal.SIGTERM
        assert unrelated.poll() is None
    finally:
        for process in (left, unrelated):
            process.kill()
            process.wait()


def test_a_second_stack_on_the_same_folder_is_refused_by_process(state: StateFolder) -> None:
    with state.locked():
        script = (
            f"from pathlib import Path; from powersense.local.state import StateFolder; "
            f"StateFolder(Path({str(state.path)!r})).locked().__enter__()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | import_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert f"already runs on {state.path} (process {os.getpid()})" in done.stderr
    assert state.holder() is None
