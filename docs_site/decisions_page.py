"""The list of decisions."""

from __future__ import annotations

import re
from pathlib import Path

from docs_site.text import page, table


def decisions_page(root: Path) -> str:
    """Return the page that lists the decision records."""
    rows = []
    for path in sorted((root / "docs" / "adr").glob("[0-9]*.md")):
        title = re.sub(r"^#\s*(?:ADR\s*)?\d+[.:]?\s*", "", path.read_text().split("\n", 1)[0]).strip("# ")
        rows.append((path.stem[:4], f"[{title}]({path.name})"))
    about = "What was decided, why, and what was given up for it. A design that no longer fits gets the next page."
    return page("Decisions", about, table(("", "decision"), rows))
