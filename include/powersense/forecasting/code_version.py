"""Which code a model was trained by."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from powersense import __version__


def code_version() -> str:
    """Return the package's version and a fingerprint of its forecasting code, such as `0.1.0+3f2a9c81d0`."""
    return version_of("powersense.forecasting", "powersense.forecasting.models")


@lru_cache
def version_of(*packages: str) -> str:
    """Return the package's version and a fingerprint of the modules that stand directly in `packages`."""
    digest = hashlib.sha256()
    for package in packages:
        for file in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:10]}"
