"""The whole stack on one machine, in the foreground: ``python -m powersense.local.stack demo|demo-once|live|stop``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from powersense.errors import LocalStackError, PowerSenseError
from powersense.local.options import MODES, StackOptions, read_options
from powersense.local.progress import Progress
from powersense.local.stages import Stack
from powersense.local.state import StateFolder
from powersense.local.stop_request import StoppedError, StopRequest


def run(options: StackOptions, progress: Progress) -> int:
    """Run the stack until it is asked to stop, or until `demo-once` is done; return the process's exit code."""
    stop = StopRequest()
    stop.listen()
    state = StateFolder(options.state_dir)
    with state.locked():
        stack = Stack(options, progress, stop)
        # The demo's own steps use the package as a task does.
        os.environ.update(stack.environment)
        try:
            stack.start()
            return _follow(stack)
        except StoppedError:
            return 0
        finally:
            stack.shut_down()


def _follow(stack: Stack) -> int:
    """Watch the components while the mode's own steps run beside."""
    from powersense.local import demo

    steps: Mapping[str, Callable[[Stack], None]] = {"demo": demo.show_incident, "demo-once": demo.run_once}
    if stack.options.mode != "demo-once":
        stack.show_box()
    chosen = steps.get(stack.options.mode)
    if chosen is None:
        stack.watch()
        return 0
    with ThreadPoolExecutor(1, thread_name_prefix="demo") as pool:
        job = pool.submit(chosen, stack)
        try:
            stack.watch(is_over=job.done)
        except LocalStackError:
            stack.stop.make()  # the steps beside have nothing left to wait for
            raise
        if stack.options.mode == "demo-once":
            job.result()
            return 0
        if job.done() and (failure := job.exception()) is not None:
            stack.progress.warn(f"the demo's own steps failed, the stack runs on: {failure}")
    stack.watch()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run or stop a stack; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m powersense.local.stack", description=__doc__)
    parser.add_argument("mode", choices=[*MODES, "stop"])
    chosen = parser.parse_args(arguments).mode
    progress = Progress()
    try:
        if chosen == "stop":
            stopped = [mode for mode in MODES if _stop(read_options(mode))]
            progress.note(f"stopped: {', '.join(stopped)}" if stopped else "no stack is running")
            return 0
        return run(read_options(chosen), progress)
    except PowerSenseError as error:
        progress.console.print(f"\n{error}", style="bold red", markup=False)
        return 1


def _stop(options: StackOptions) -> bool:
    return options.state_dir.exists() and StateFolder(options.state_dir).stop_holder()


if __name__ == "__main__":
    raise SystemExit(main())
