"""What the documents promise is so: commands, links, options and DAGs that they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from powersense.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_a_page_names_exist(page):
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text(), flags=re.MULTILINE))
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_and_pictures_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_stable_commands_stay():
    stable = {"demo", "demo-once", "start", "stop", "test", "lint", "bench", "help"}
    assert stable <= TARGETS


def test_help_describes_every_target():
    described = set(re.findall(r"^([a-z][a-z-]*):.*##", MAKEFILE, flags=re.MULTILINE))
    assert stable_targets() <= described


def stable_targets() -> set[str]:
    return {target for target in TARGETS if not target.startswith("_")}


def test_every_setting_stands_in_the_example_environment():
    example = (ROOT / ".env.example").read_text()
    missing = [name.upper() for name in Settings.model_fields if name.upper() not in example]
    assert missing == []


def test_the_readme_lists_every_dag():
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", README, flags=re.MULTILINE))
    assert listed == {path.stem for path in (ROOT / "dags").glob("*.py")}
