"""The documentation site builds without a broken link, and its reference has everything that the code has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs_site.commands_page import targets
from docs_site.hooks import rewritten
from docs_site.settings_page import read_example
from powersense.quality.rules import ALL_RULES
from powersense.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


class _Page(HTMLParser):
    """Collects what a page leads to, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        target = values.get("href") or values.get("src")
        if target and (tag in {"script", "img", "source"} or (tag == "link" and values.get("rel") != "canonical")):
            self.loaded.append(target)
        if target and tag == "a":
            self.links.append(target)


@lru_cache
def read(path: Path) -> _Page:
    return _Page(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return folder


def pages(site: Path) -> list[Path]:
    return [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]


def test_the_target_builds_what_is_tested():
    recipe = re.search(r"^docs:.*\n\t(.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert "mkdocs build --strict" in recipe[1]
    assert "site_dir: build/site" in (ROOT / "mkdocs.yml").read_text()


def test_every_link_and_anchor_of_the_site_leads_somewhere(site):
    broken = []
    for path in pages(site):
        for link in read(path).links + read(path).loaded:
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = unquote(link).partition("#")
            target = (path.parent / name).resolve() if name else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target.suffix == ".html" and anchor not in read(target).anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_the_site_loads_nothing_of_other_hosts(site):
    assert {link for path in pages(site) for link in read(path).loaded if re.match(r"(https?:)?//", link)} == set()


def test_every_page_of_the_documents_is_in_the_navigation(site):
    index = read(site / "index.html").links
    built = {path.relative_to(site).as_posix() for path in pages(site)}
    assert built - {link.removeprefix("./") for link in index} == set()


def codes(site: Path, name: str) -> set[str]:
    text = re.sub(r"<[^>]+>", "", " ".join(re.findall(r"<code>(.*?)</code>", (site / name).read_text())))
    return set(text.replace("/", " /").split())


def test_the_reference_has_every_setting_rule_dag_model_and_target(site):
    reference = {
        "settings": {name.upper() for name in Settings.model_fields},
        "alert-rules": set(ALL_RULES),
        "dags": {path.stem for path in (ROOT / "dags").glob("*.py")},
        "dbt-models": {path.stem for path in (ROOT / "dbt/models").rglob("*.sql")},
        "commands": set(targets(ROOT)),
    }
    for page, expected in reference.items():
        path = site / f"reference/{page}.html"
        anchors = {anchor.replace("-", "_") for anchor in read(path).anchors} | read(path).anchors
        assert expected - codes(site, f"reference/{page}.html") - anchors == set(), page


def test_the_reference_has_every_route(site):
    described = json.loads((site / "reference/openapi.json").read_text())["paths"]
    headings = re.findall(r"<h3[^>]*>.*?<code>([A-Z]+) ([^<]+)</code>", (site / "reference/http-api.html").read_text())
    made = {
        (method.upper(), path) for path, methods in described.items() for method in methods if method != "parameters"
    }
    assert {(method, path) for method, path in headings} == made
    assert len(made) > 30


def test_a_setting_stands_with_its_default_its_bounds_and_its_comment(site):
    text = " ".join(re.sub(r"<[^>]+>", " ", (site / "reference/settings.html").read_text()).split())
    assert "INGEST_INTERVAL_SECONDS 300 ≥ 60, ≤ 86,400 Seconds between two ingestion runs" in text


def test_comments_go_to_the_options_below_them():
    text = "# --- A (b) ---\n# First.\n# XA=1\n# YA=\n# Second,\n# two lines.\nZA=choose\n"
    [section] = read_example(text)
    found = [(option.name, option.example, option.meaning) for option in section.options]
    assert section.title == "A (b)"
    assert found == [("XA", "1", "First."), ("YA", "", "First."), ("ZA", "choose", "Second, two lines.")]


def test_links_that_leave_the_documents_lead_to_their_pages():
    assert rewritten("[a](../../.env.example)", "how-to/upgrade.md") == "[a](../reference/settings.md)"
    assert rewritten("[a](../README.md#x) [b](https://x.org/README.md)", "replay.md") == (
        "[a](index.md#x) [b](https://x.org/README.md)"
    )
    assert rewritten("[a](docs/adr) ![i](docs/images/a.png)", "index.md") == "[a](adr/index.md) ![i](images/a.png)"
