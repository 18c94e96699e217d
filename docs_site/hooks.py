"""What MkDocs calls: adds the generated pages, and leads links that leave `docs/` to their pages of the site."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

from docs_site.api_page import api_page, openapi_json
from docs_site.code_page import code_pages
from docs_site.commands_page import commands_page
from docs_site.dags_page import dags_page
from docs_site.dbt_page import dbt_page
from docs_site.decisions_page import decisions_page
from docs_site.metrics_page import metrics_page
from docs_site.rules_page import rules_page
from docs_site.settings_page import settings_page

ROOT = Path(__file__).resolve().parents[1]
# Pages of the site that stand elsewhere in the project.
BROUGHT = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "data/stations.md": "include/powersense/stations/README.md",
    "data/sample.md": "include/powersense/local/sample/README.md",
}
# Where else a link of the project leads to on the site.
ELSEWHERE = {
    ".env.example": "reference/settings.md",
    "docs": "index.md",
    "docs/adr": "adr/index.md",
    "LICENSE": "license.md",
}
_LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?(\))")


@lru_cache(maxsize=1)
def generated() -> dict[str, str]:
    """Return the site's generated files: path on the site to content."""
    rooms = {f"reference/code/{room}.md": text for room, text in code_pages(ROOT).items()}
    return {
        "adr/index.md": decisions_page(ROOT),
        "images/icon.svg": (ROOT / "include/powersense/page/static/icon.svg").read_text(),
        "license.md": f"# License\n\n```text\n{(ROOT / 'LICENSE').read_text()}\n```\n",
        "reference/settings.md": settings_page(ROOT),
        "reference/http-api.md": api_page(),
        "reference/openapi.json": openapi_json(),
        "reference/dags.md": dags_page(ROOT),
        "reference/dbt-models.md": dbt_page(ROOT),
        "reference/metrics.md": metrics_page(),
        "reference/alert-rules.md": rules_page(ROOT),
        "reference/commands.md": commands_page(ROOT),
        **rooms,
    }


def on_config(config: Any) -> Any:
    """Give the navigation's patterns their pages."""
    known = [*sorted(f"adr/{path.name}" for path in (ROOT / "docs" / "adr").glob("*.md")), *sorted(generated())]
    config.nav = _expanded(config.nav, known)
    return config


def _expanded(entries: list[Any], known: list[str]) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            found += [
                {title: _expanded(value, known) if isinstance(value, list) else value for title, value in entry.items()}
            ]
        elif "*" in entry:
            found += [path for path in known if fnmatch(path, entry)]
        else:
            found.append(entry)
    return found


def on_files(files: Files, config: Any) -> Files:
    """Add what does not lie in `docs/`."""
    contents = {page: (ROOT / origin).read_text() for page, origin in BROUGHT.items()} | generated()
    for path, content in contents.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page from the project's paths to the site's."""
    return rewritten(markdown, page.file.src_uri)


def rewritten(markdown: str, page: str) -> str:
    """Return a page's Markdown with its links as the site has them.

    Args:
        markdown: of the page.
        page: its path on the site.

    >>> rewritten("[a](docs/runbook.md#x) [b](.env.example)", "index.md")
    '[a](runbook.md#x) [b](reference/settings.md)'
    """
    origin = BROUGHT.get(page, f"docs/{page}")
    folder = str(Path(origin).parent)

    def lead(match: re.Match[str]) -> str:
        target = normpath(f"{folder}/{match[2]}")
        return f"{match[1]}{_on_site(target, page) or match[2]}{match[3] or ''}{match[4]}"

    return _LINK.sub(lead, markdown)


def _on_site(target: str, page: str) -> str | None:
    """Return the link from a page to a path of the project; None where the site has it under no other name."""
    brought = {origin: name for name, origin in BROUGHT.items()}
    place = brought.get(target) or ELSEWHERE.get(target)
    if place is None and target.startswith("docs/"):
        place = target.removeprefix("docs/")
    return relpath(place, str(Path(page).parent)) if place else None
