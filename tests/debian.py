"""Programs of Debian's packages that tests run for real, installed where that may be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import pytest
from filelock import FileLock

_SECONDS = 240


def program(name: str, *, package: str) -> str:
    """Return the path of a program; without it the test is skipped, and in CI it fails."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # Two test processes may want packages at once, and apt serves one.
        with FileLock(f"{tempfile.gettempdir()}/powersense-apt.lock"):
            found = shutil.which(name) or _installed(name, package)
    if found:
        return found
    missing = f"no {name}: install it with `apt-get install {package}`"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def _installed(name: str, package: str) -> str | None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        subprocess.run(
            ["apt-get", "-qq", *command], check=False, env=environment, capture_output=True, timeout=_SECONDS
        )
    return shutil.which(name)
