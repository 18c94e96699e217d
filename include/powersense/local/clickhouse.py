"""An embedded ClickHouse server: the real engine of the ``chdb-core`` wheel with its real HTTP listener.

Run in the foreground, with the users' passwords in the environment::

    CLICKHOUSE_WRITER_PASSWORD=… CLICKHOUSE_READER_PASSWORD=… \
        python -m powersense.local.clickhouse --data-dir .powersense/clickhouse --http-port 8123
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powersense.errors import LocalStackError, PortInUseError
from powersense.local.clickhouse_config import LOADER, READER, WRITER, write_configuration
from powersense.local.clickhouse_engine import EngineLockedError, hold_lock, serve
from powersense.local.ports import LOOPBACK, require_free

__all__ = ["LOADER", "READER", "WRITER", "EmbeddedClickHouse", "EngineStartError"]

HTTP_PORT_VARIABLE = "CLICKHOUSE_HTTP_PORT"
TCP_PORT_VARIABLE = "CLICKHOUSE_TCP_PORT"
WRITER_PASSWORD_VARIABLE = "CLICKHOUSE_WRITER_PASSWORD"  # noqa: S105 - the name of a variable
READER_PASSWORD_VARIABLE = "CLICKHOUSE_READER_PASSWORD"  # noqa: S105 - the name of a variable
LOADER_PASSWORD_VARIABLE = "CLICKHOUSE_LOADER_PASSWORD"  # noqa: S105 - the name of a variable

_USAGE_ERROR = 2
# Beyond the engine's own forced exit, so that its last flush is never cut short by a kill.
_STOP_TIMEOUT_SECONDS = 12.0
_START_TIMEOUT_SECONDS = 60.0


class EngineStartError(LocalStackError):
    """The embedded ClickHouse did not come up."""


class EmbeddedClickHouse:
    """One ClickHouse engine on one data folder, in a child process with a session of its own.

    The child stops when its parent is gone, so no test or crashed stack leaves an engine behind.

    Args:
        data_dir: Folder of the data, the configuration and the logs; created if absent, kept afterwards.
        http_port: Loopback port of the HTTP interface.
        writer_password: Password of the user ``powersense_writer``.
        reader_password: Password of the user ``powersense_reader``.
        tcp_port: Loopback port of the native interface; ``None`` opens none.
        loader_password: Password of the user ``powersense_loader``; empty: there is none.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one argument a setting of the server
        self,
        data_dir: Path | str,
        http_port: int,
        writer_password: str,
        reader_password: str,
        tcp_port: int | None = None,
        loader_password: str = "",
    ) -> None:
        self.data_dir = Path(data_dir).resolve()
        self.http_port = http_port
        self.tcp_port = tcp_port
        self.writer_password = writer_password
        self.reader_password = reader_password
        self.loader_password = loader_password
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Base address of the HTTP interface."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def pid(self) -> int:
        """Process id of the engine; also the id of its session and process group."""
        if self._process is None:
            raise RuntimeError("the embedded ClickHouse has not been started")
        return self._process.pid

    @property
    def log_file(self) -> Path:
        """File that takes the process's standard output and error."""
        return self.data_dir / "console.log"

    def start(self) -> Self:
        """Start the engine and wait until it answers.

        Raises:
            PortInUseError: One of the ports is taken.
            EngineStartError: The engine ended or did not answer in time; the message holds the end of its log.
        """
        # Checked first, as another server on the port would answer the ping in this one's place.
        _require_ports(self.http_port, self.tcp_port)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        passwords = password_environment(self.writer_password, self.reader_password, self.loader_password)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                engine_command(self.data_dir, self.http_port, self.tcp_port, stop_with_parent=True),
                env=os.environ | passwords | import_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_answering(self._process)
        return self

    def _wait_until_answering(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self.ping():
            code = process.poll()
            if code is None and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            self.kill()
            reason = "did not answer in time" if code is None else f"ended with code {code}"
            with self.log_file.open(errors="replace") as log:
                log.seek(self._log_start)
                tail = log.read()[-1000:].strip()
            raise EngineStartError(f"ClickHouse in {self.data_dir} {reason}; {self.log_file} ends with:\n{tail}")

    def ping(self) -> bool:
        """Tell whether the HTTP interface answers."""
        return ping(self.http_port)

    def stop(self) -> None:
        """Stop the engine cleanly, by force if that takes too long; does nothing when it is not running."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the engine at once, as kill -9 does; what it acknowledged stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def engine_command(
    data_dir: Path,
    http_port: int,
    tcp_port: int | None = None,
    *,
    backups_dir: Path | None = None,
    stop_with_parent: bool = False,
) -> list[str]:
    """Return the command line that runs an engine in the foreground; the passwords go by the environment."""
    command = [sys.executable, "-m", "powersense.local.clickhouse", "--data-dir", str(data_dir)]
    command += ["--http-port", str(http_port)]
    if tcp_port is not None:
        command += ["--tcp-port", str(tcp_port)]
    if backups_dir is not None:
        command += ["--backups-dir", str(backups_dir)]
    return command + (["--stop-with-parent"] if stop_with_parent else [])


def password_environment(writer_password: str, reader_password: str, loader_password: str = "") -> dict[str, str]:
    """Return the variables by which an engine's process learns its users' passwords."""
    return {
        WRITER_PASSWORD_VARIABLE: writer_password,
        READER_PASSWORD_VARIABLE: reader_password,
        LOADER_PASSWORD_VARIABLE: loader_password,
    }


def ping(http_port: int) -> bool:
    """Tell whether ClickHouse answers on a loopback port."""
    # Neither urllib nor a session of requests: both would ask a proxy of the environment for a loopback address.
    connection = http.client.HTTPConnection(LOOPBACK, http_port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read() == b"Ok.\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def import_environment() -> dict[str, str]:
    """Return the variable that lets a child process import this package."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{root}{os.pathsep}{inherited}" if inherited else root}


def _require_ports(http_port: int, tcp_port: int | None) -> None:
    require_free("ClickHouse (HTTP)", http_port, variable=HTTP_PORT_VARIABLE)
    if tcp_port is not None:
        require_free("ClickHouse (native)", tcp_port, variable=TCP_PORT_VARIABLE)


def main(arguments: list[str] | None = None) -> int:
    """Run an engine in the foreground until SIGTERM or SIGINT; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m powersense.local.clickhouse", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the data; one engine per folder")
    parser.add_argument("--http-port", type=int, default=int(os.environ.get(HTTP_PORT_VARIABLE, "8123")))
    parser.add_argument("--tcp-port", type=int, default=None, help="also open the native interface")
    parser.add_argument("--backups-dir", type=Path, default=None, help="folder of backups; default: in --data-dir")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when the starting process is gone")
    options = parser.parse_args(arguments)
    passwords = [os.environ.get(name, "") for name in (WRITER_PASSWORD_VARIABLE, READER_PASSWORD_VARIABLE)]
    if not all(passwords):
        parser.error(f"set {WRITER_PASSWORD_VARIABLE} and {READER_PASSWORD_VARIABLE} in the environment")
    data_dir: Path = options.data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        # Before the configuration is written, which belongs to the engine that runs.
        hold_lock(data_dir)
        _require_ports(options.http_port, options.tcp_port)
        write_configuration(
            data_dir,
            http_port=options.http_port,
            tcp_port=options.tcp_port,
            writer_password=passwords[0],
            reader_password=passwords[1],
            loader_password=os.environ.get(LOADER_PASSWORD_VARIABLE, ""),
            backups_dir=options.backups_dir,
        )
        return serve(data_dir, tcp=options.tcp_port is not None, stop_with_parent=options.stop_with_parent)
    except (PortInUseError, EngineLockedError) as error:
        print(f"clickhouse: {error}", file=sys.stderr)
        return _USAGE_ERROR


if __name__ == "__main__":
    raise SystemExit(main())
