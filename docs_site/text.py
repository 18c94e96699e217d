"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown, whose bars and line ends are escaped."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Return text for one cell of a table: on one line, its bars escaped."""
    return re.sub(r"\s+", " ", text.replace("|", "\\|")).strip()


def page(title: str, *parts: str) -> str:
    """Return a page of parts that a blank line divides."""
    return "\n\n".join([f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"


def dedent_docstring(text: str | None) -> str:
    """Return a docstring without the indentation of its code; empty where there is none."""
    import inspect

    return inspect.cleandoc(text) if text else ""


def first_line(text: str | None) -> str:
    """Return a docstring's summary."""
    return dedent_docstring(text).split("\n\n", 1)[0].replace("\n", " ")


def code(text: str) -> str:
    """Return text as code, whatever backticks it has."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
