"""Which code a model was trained by."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from powersense import __version__


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the package's version and a fingerprint of its forecasting code, such as `0.1.0+3f2a9c81d0`."""
    digest = hashlib.sha256()
    room = files("powersense.forecasting")
    for folder in (room, room.joinpath("models")):
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:10]}"
