"""The sources that PowerSense reads, declared in YAML and checked once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError

from powersense.errors import SourceDeclarationError
from powersense.settings import get_settings
from powersense.sources.source import Source

BUNDLED = Path(__file__).with_name("catalogue.yaml")


@lru_cache(maxsize=4)
def load_catalogue(extra_file: str | None = None) -> dict[str, Source]:
    """Return the bundled sources, and those of `extra_file`, by id.

    Raises:
        SourceDeclarationError: a file is unreadable or an entry breaks the contract; names all of it.
    """
    sources: dict[str, Source] = {}
    aliases: dict[str, str] = {}
    for path in filter(None, (BUNDLED, Path(extra_file) if extra_file else None)):
        document = _read(path)
        aliases |= document.get("column_aliases") or {}
        for position, entry in enumerate(document.get("sources") or []):
            source = _declare(path, position, entry, aliases)
            sources[source.id] = source
    return sources


def get_source(source_id: str) -> Source:
    """Return a declared source.

    Raises:
        SourceDeclarationError: no source has this id.
    """
    sources = load_catalogue(get_settings().powersense_sources_file)
    if source_id not in sources:
        raise SourceDeclarationError(
            f"source {source_id!r} is not declared; known: {sorted(sources)}. Add it to POWERSENSE_SOURCES_FILE."
        )
    return sources[source_id]


def sources_of(role: Literal["live", "history", "files"]) -> list[Source]:
    """Return the declared sources of a role, in the order of declaration."""
    return [source for source in load_catalogue(get_settings().powersense_sources_file).values() if source.role == role]


def _read(path: Path) -> dict[str, Any]:
    """Read one catalogue file.

    Raises:
        SourceDeclarationError: it cannot be read, is no YAML, or is no mapping with a list `sources`.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SourceDeclarationError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("sources"), list):
        raise SourceDeclarationError(f"{path} must be a mapping with a list 'sources'; see the bundled catalogue.yaml")
    return document


def _declare(path: Path, position: int, entry: Any, aliases: dict[str, str]) -> Source:
    """Check one entry.

    Raises:
        SourceDeclarationError: names the file, the entry, the field, its value and the rule it breaks.
    """
    name = entry.get("id", f"number {position + 1}") if isinstance(entry, dict) else f"number {position + 1}"
    try:
        if isinstance(entry, dict):
            entry = {**entry, "column_aliases": {**aliases, **(entry.get("column_aliases") or {})}}
        return Source.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'entry'}={item['input']!r}: {item['msg']}"
            for item in error.errors()
        )
        raise SourceDeclarationError(f"{path.name}, source {name}: {problems}. Correct the entry.") from error
