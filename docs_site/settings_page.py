"""Every option: what `.env.example` says of it, and what `Settings` admits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docs_site.text import code, page, table
from powersense.settings import Settings

_SECTION = re.compile(r"# --- (.+) ---$")
_OPTION = re.compile(r"#? ?([A-Z][A-Z0-9_]+)=(.*)$")
_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


@dataclass
class Option:
    """One variable of `.env.example`, with the comment above it."""

    name: str
    example: str
    meaning: str


@dataclass
class Section:
    """The options below one heading."""

    title: str
    options: list[Option] = field(default_factory=list)


def read_example(text: str) -> list[Section]:
    """Return the sections of an example environment; a comment holds for all options up to the next one."""
    sections: list[Section] = []
    comment: list[str] = []
    has_ended = True
    for line in text.splitlines():
        if heading := _SECTION.match(line):
            sections.append(Section(heading[1]))
            comment, has_ended = [], True
        elif not sections:
            continue
        elif option := _OPTION.match(line):
            sections[-1].options.append(Option(option[1], option[2], " ".join(comment)))
            has_ended = True
        elif line.startswith("# "):
            comment = [line[2:]] if has_ended else [*comment, line[2:]]
            has_ended = False
    return sections


def settings_page(root: Path) -> str:
    """Return the page of options."""
    parts = [
        "Every option is an environment variable. `make demo` and `make start` read the environment, then `.env`; "
        "Astro hands `.env` to every container. A value that is not allowed stops the process with its name and "
        "the rule.",
    ]
    for section in read_example((root / ".env.example").read_text()):
        rows = [
            (code(option.name), _default(option), _allowed(option.name), option.meaning) for option in section.options
        ]
        title, about = _heading(section.title)
        parts += [f"## {title}", about, table(("variable", "default", "allowed", "meaning"), rows)]
    return page("Settings", *parts)


def _heading(title: str) -> tuple[str, str]:
    """Return a section's title, and what its brackets say with documents as links."""
    name, _, rest = title.partition(" (")
    about = re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", r"`\g<0>`", rest.removesuffix(")"))
    about = re.sub(r"docs/(\S+?)\.md", r"[\1](../\1.md)", about)
    return name, f"{about[:1].upper()}{about[1:]}." if about else ""


def _default(option: Option) -> str:
    declared = Settings.model_fields.get(option.name.lower())
    if declared is None:
        return code(option.example) if option.example else ""
    value = declared.default
    return "" if value in (None, "") else code(f"{value:g}" if isinstance(value, float) else str(value))


def _allowed(name: str) -> str:
    declared = Settings.model_fields.get(name.lower())
    if declared is None:
        return ""
    kinds = re.findall(r"'([^']*)'", str(declared.annotation)) if "Literal" in str(declared.annotation) else []
    if kinds:
        return ", ".join(map(code, kinds))
    bounds = [f"{sign} {_bound(declared.metadata, key)}" for key, sign in _BOUNDS if _bound(declared.metadata, key)]
    return ", ".join(bounds)


def _bound(metadata: list[Any], key: str) -> str:
    found = [getattr(rule, key) for rule in metadata if getattr(rule, key, None) is not None]
    return f"{found[0]:,}" if found else ""
