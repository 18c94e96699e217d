"""The process that is the embedded ClickHouse: loads chdb's engine, opens its listeners, ends on SIGTERM.

``powersense.local.clickhouse`` starts it; nothing else should. The engine can run once in a process, takes its
configuration from the current folder only, and runs inside one query: it opens the HTTP listener and then reads a FIFO
until somebody opens and closes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import types
from pathlib import Path
from typing import Any

from powersense.errors import LocalStackError

_RTLD_DEEPBIND = 0x00008
_STOP_FIFO = "stop.fifo"
_DATABASE_FOLDER = "db"
_PARENT_CHECK_SECONDS = 1.0


class EngineLockedError(LocalStackError):
    """Another engine already runs on the data folder."""


def hold_lock(data_dir: Path) -> int:
    """Take the folder's lock for the life of this process and return its descriptor.

    The kernel drops the lock when the process dies, also by kill -9, so it is never stale.

    Args:
        data_dir: Folder of one engine; must exist.

    Raises:
        EngineLockedError: Another process holds the folder.
    """
    descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode() or "unknown"
        os.close(descriptor)
        raise EngineLockedError(f"{data_dir} is in use by another ClickHouse engine (pid {holder})") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def serve(data_dir: Path, *, tcp: bool, stop_with_parent: bool) -> int:
    """Run the engine in this process until SIGTERM or SIGINT, and return its exit code.

    Args:
        data_dir: Folder with ``config.xml`` and ``users.xml``; becomes the current folder.
        tcp: Open the native listener too.
        stop_with_parent: End when the process that started this one is gone.

    The folder's lock must be held by this process (``hold_lock``).
    """
    os.chdir(data_dir)
    os.environ["TZ"] = "UTC"  # the engine ignores <timezone>
    Path(_DATABASE_FOLDER, "metadata").mkdir(parents=True, exist_ok=True)
    Path(_STOP_FIFO).unlink(missing_ok=True)
    os.mkfifo(_STOP_FIFO, 0o600)
    _bootstrap()
    binding = _load_binding()

    stopped = threading.Event()
    stop_requested = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stop_requested.set())
    failures: list[str] = []
    engine = threading.Thread(target=_run_engine, args=(binding, tcp, stopped, failures), daemon=True)
    parent = os.getppid()
    engine.start()
    while not stopped.is_set() and not stop_requested.wait(_PARENT_CHECK_SECONDS / 4):
        if stop_with_parent and os.getppid() != parent:
            break
    _release_fifo(stopped)
    engine.join()
    for failure in failures:
        print(failure, file=sys.stderr, flush=True)
    return 1 if failures else 0


def _run_engine(binding: Any, tcp: bool, stopped: threading.Event, failures: list[str]) -> None:
    """Run the one query that is the server; the GIL is released while it lasts."""
    statements = ["SYSTEM START LISTEN HTTP"]
    if tcp:
        statements.append("SYSTEM START LISTEN TCP")
    statements.append(
        f"SELECT count() FROM file('{Path(_STOP_FIFO).resolve()}', LineAsString) "  # noqa: S608 - our own path
        "SETTINGS max_threads = 1, max_execution_time = 0"
    )
    try:
        # The format of this query becomes the default format of the HTTP interface.
        binding.query("; ".join(statements), "TabSeparated", path=_DATABASE_FOLDER)
    except RuntimeError as error:
        failures.append(str(error))
    finally:
        stopped.set()


def _release_fifo(stopped: threading.Event) -> None:
    """Give the engine's FIFO read its end of file; a writer can open it only once the reader is there."""
    while not stopped.wait(0.05):
        with contextlib.suppress(OSError):
            os.close(os.open(_STOP_FIFO, os.O_WRONLY | os.O_NONBLOCK))


def _bootstrap() -> None:
    """Create the plain `default` database at the first start, in a fork as the engine runs once per process."""
    if Path(_DATABASE_FOLDER, "metadata", "default.sql").exists():
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _load_binding().query(
                "CREATE DATABASE IF NOT EXISTS default ENGINE = Atomic", "TabSeparated", path=_DATABASE_FOLDER
            )
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the engine could not initialise its folder {Path(_DATABASE_FOLDER).resolve()}")


def _load_binding() -> Any:
    """Load chdb's extension module alone.

    ``import chdb`` opens and closes an engine of its own, after which this one's log stays empty.
    """
    found = importlib.util.find_spec("chdb")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("chdb-core is not installed: run `make setup`")
    folder = Path(found.submodule_search_locations[0])
    library = folder / "_chdb.abi3.so"
    package = types.ModuleType("chdb")
    package.__path__ = [str(folder)]
    sys.modules["chdb"] = package
    here, flags = Path.cwd(), sys.getdlopenflags()
    os.chdir(folder)
    sys.setdlopenflags(flags | _RTLD_DEEPBIND)
    try:
        ctypes.CDLL(str(library), mode=flags | _RTLD_DEEPBIND)
        loader = importlib.machinery.ExtensionFileLoader("chdb._chdb", str(library))
        spec = importlib.util.spec_from_file_location("chdb._chdb", library, loader=loader)
        if spec is None:
            raise ImportError(f"{library} is no extension module")
        binding = importlib.util.module_from_spec(spec)
        loader.exec_module(binding)
    finally:
        sys.setdlopenflags(flags)
        os.chdir(here)
    binding.set_signal_handlers_enabled(False)
    return binding
