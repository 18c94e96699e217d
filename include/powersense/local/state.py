"""The state folder of a local stack: its lock, its secrets, and what else has to outlive a run."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from powersense.errors import LocalStackError
from powersense.local.clickhouse_config import write_private


@dataclass(frozen=True)
class Secrets:
    """Passwords and keys of one stack, made once and kept in its state folder."""

    admin_password: str
    viewer_password: str
    clickhouse_writer_password: str
    clickhouse_reader_password: str
    clickhouse_loader_password: str
    postgres_password: str
    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    data_api_key: str


class StateFolder:
    """Folder of one stack (`.powersense/<mode>`).

    Args:
        path: the folder; made if absent, passable but not readable by others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.logs = path / "logs"
        self.logs.mkdir(exist_ok=True, mode=0o700)
        self._lock_file = path / "stack.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one stack; the kernel gives it back however that stack ends.

        Raises:
            LocalStackError: a stack runs on the folder already; names its process.
        """
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode() or "unknown"
            os.close(descriptor)
            raise LocalStackError(
                f"a stack already runs on {self.path} (process {holder}): use it, or end it with `make stop`"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def holder(self) -> int | None:
        """Return the process that runs a stack on the folder, or None."""
        if not self._lock_file.exists():
            return None
        with self._lock_file.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
        return None

    def stop_holder(self, *, timeout_seconds: float = 30.0) -> bool:
        """Ask the stack that runs on the folder to stop and wait for it; return whether there was one.

        Raises:
            LocalStackError: it did not stop in time.
        """
        holder = self.holder()
        if holder is None:
            return False
        os.kill(holder, signal.SIGTERM)
        deadline = time.monotonic() + timeout_seconds
        while self.holder() == holder:
            if time.monotonic() > deadline:
                raise LocalStackError(f"the stack on {self.path} (process {holder}) did not stop in time")
            time.sleep(0.1)
        return True

    def secrets(self) -> Secrets:
        """Return the stack's secrets, making them at its first start."""
        stored = self.read("secrets")
        names = Secrets.__dataclass_fields__
        if set(stored) != set(names):
            stored = {name: stored.get(name) or _new_secret(name) for name in names}
            self.write("secrets", stored)
        return Secrets(**stored)

    def read(self, name: str) -> dict[str, Any]:
        """Return a document of the folder; an absent one is empty."""
        file = self.path / f"{name}.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def write(self, name: str, document: dict[str, Any] | Secrets) -> None:
        """Replace a document of the folder; only its owner may read it."""
        content = asdict(document) if isinstance(document, Secrets) else document
        write_private(self.path / f"{name}.json", json.dumps(content, indent=2) + "\n")


def _new_secret(name: str) -> str:
    if name == "fernet_key":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    # People type the passwords that the stack shows; nobody types the others.
    is_typed = name in {"admin_password", "viewer_password", "clickhouse_reader_password"}
    return secrets.token_urlsafe(12 if is_typed else 32)
