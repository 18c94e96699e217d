"""Heavy work in a process of its own, so that the server goes on answering and gets its memory back at once."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from anyio import to_thread

T = TypeVar("T")


async def run_beside(function: Callable[..., T], *arguments: Any, timeout_seconds: float) -> T:
    """Call a function of a module in a new process, and return or raise what it does.

    Raises:
        TimeoutError: it took longer; the process is ended.
        ChildProcessError: the process ended by itself, as one does that the system has no memory for.
    """
    return await to_thread.run_sync(_call, function, arguments, timeout_seconds)


def _call(function: Callable[..., T], arguments: tuple[Any, ...], timeout_seconds: float) -> T:
    # A fork would take over locks that the server's threads hold.
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(timeout_seconds):
            raise TimeoutError(f"no result after {timeout_seconds:g} s")
        result, error = receiver.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(f"the process ended with code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return] # what the function returned


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send((function(*arguments), None))
    except Exception as error:  # noqa: BLE001 - the caller raises it
        sender.send((None, error))
