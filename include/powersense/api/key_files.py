"""Keys that the service makes itself for programs beside it, which read theirs from a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from powersense.api.auth import SCOPES, ApiKey, key_entry, new_key
from powersense.errors import ConfigurationError

VARIABLE = "POWERSENSE_API_KEY_FILES"
# Who may read the key is up to the folder: in a container the reader is another user.
_MODE = 0o644


def with_files(configured: Sequence[ApiKey], text: str) -> tuple[ApiKey, ...]:
    """Return configured keys and those of `POWERSENSE_API_KEY_FILES`.

    Raises:
        ConfigurationError: see `keys_of_files`; or a name stands twice.
    """
    keys = (*configured, *keys_of_files(text))
    names = [key.name for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{VARIABLE}: the name {name!r} stands twice; give each key a name of its own")
    return keys


def keys_of_files(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of `POWERSENSE_API_KEY_FILES`, made where their file is not there yet.

    Args:
        text: `name:scope:file`, separated by commas.

    Raises:
        ConfigurationError: an entry is not of that form, or its file can be neither read nor made; never shows a key.
    """
    return tuple(_key_of(entry) for entry in filter(None, (part.strip() for part in text.split(","))))


def _key_of(entry: str) -> ApiKey:
    name, scope, path = (*entry.split(":", 2), "", "")[:3]
    if scope not in SCOPES or not path:
        raise ConfigurationError(f"{VARIABLE}={entry!r} is not name:scope:file with scope read or write")
    file = Path(path)
    key, made = new_key(name, "write" if scope == "write" else "read")
    try:
        if _create(file, key):
            return made
        stored = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{VARIABLE}: {path} can be neither read nor made: {error}") from error
    if not stored:
        raise ConfigurationError(f"{VARIABLE}: {path} is empty; delete it, and the service makes a key")
    return key_entry(name, made.scope, stored)


def _create(file: Path, key: str) -> bool:
    """Write a new file whole, so that nobody reads half a key; False where one is there already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{key}\n")
        draft.chmod(_MODE)
        os.link(draft, file)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
