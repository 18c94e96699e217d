"""The page's files as they are served: under a strict policy, whole, and with a text in each language for each key."""

from __future__ import annotations

import posixpath
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from powersense.page.app import create_page
from powersense.quality.rules import ALL_RULES

STATIC = Path(str(files("powersense.page").joinpath("static")))
SCRIPTS = {
    path.relative_to(STATIC).as_posix(): path.read_text(encoding="utf-8") for path in sorted(STATIC.rglob("*.js"))
}
# What a script cannot run without; `import(…)`, which it fetches once it is asked to, stands inside a line.
STATIC_IMPORT = r'^(?:import|export)\b[^;"]*"(\.\.?/[^"]+)";$'
SPOKEN = "".join(script for name, script in SCRIPTS.items() if name.startswith("texts/"))
TEXTS = re.findall(r'^  "([^"]+)": \["((?:[^"\\]|\\.)+)", "((?:[^"\\]|\\.)+)"\],$', SPOKEN, re.M)


@pytest.fixture(scope="module")
def page():
    with TestClient(create_page("key")) as client:
        yield client


def test_nothing_from_elsewhere_may_run_and_only_airflow_may_frame_it(page):
    answer = page.get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'data-sign="key"' in answer.text


def test_the_document_holds_no_script_style_or_address_of_another_site(page):
    document = page.get("/").text
    assert re.findall(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style", document) == []
    linked = re.findall(r'(?:src|href)="([^"#]+)"', document)
    assert {page.get(f"/{address}").status_code for address in linked} == {200}
    scripts = {address for address in linked if address.endswith(".js")}
    first = reached({"appearance.js", "main.js"}, STATIC_IMPORT)
    assert scripts == first
    assert reached(first, r'"(\.\.?/[^"]+\.js)"') == set(SCRIPTS)


def reached(begun: set[str], pattern: str) -> set[str]:
    """Return the scripts that some scripts name by a pattern, those that these name, and so on, with them."""
    known, waiting = set(), list(begun)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        waiting += named(name, pattern)
    return known


def named(script: str, pattern: str) -> list[str]:
    folder = posixpath.dirname(script)
    found = re.findall(pattern, SCRIPTS[script], re.M)
    return [posixpath.normpath(posixpath.join(folder, address)) for address in found]


def test_no_script_imports_what_imports_it():
    order = list(TopologicalSorter({script: named(script, STATIC_IMPORT) for script in SCRIPTS}).static_order())
    assert order.index("dom.js") < order.index("parts.js") < order.index("main.js")


def test_scripts_make_no_markup_of_texts():
    for name, script in SCRIPTS.items():
        # The name of SVG's namespace is no address that anything is asked for.
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://",
            script.replace("http://www.w3.org/2000/svg", ""),
        )
        assert found == [], name


def test_a_file_that_is_unchanged_is_not_sent_again_and_others_are_not_served(page):
    first = page.get("/style.css")
    again = page.get("/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for path in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "views", "nothing.js"):
        assert page.get(f"/{path}").status_code == 404


def test_percentages_and_signs_are_spaced_as_each_language_does():
    for key, english, french in TEXTS:
        assert re.findall(r"\s[:;?!%]", english) == [], key
        assert re.findall(r"[^ ][;?!%»]|« ?$|«[^ ]|\w:", french) == [], key


def test_every_rule_has_its_title_and_its_meaning():
    keys = {key for key, _, _ in TEXTS}
    wanted = {f"{kind} {rule}" for kind in ("rule", "why") for rule in ALL_RULES}
    assert {key for key in keys if key.startswith(("rule ", "why "))} == wanted


def test_every_text_stands_once_in_both_languages_with_the_same_values_and_is_used():
    assert len(TEXTS) == SPOKEN.count('": [') > 100
    for key, english, french in TEXTS:
        values = sorted(re.findall(r"\{\w+\}", english))
        assert sorted(re.findall(r"\{\w+\}", french)) == values, key
        # A word that goes with a number stands beside it.
        assert {f"{{{name}}}" for name in re.findall(r"\{(\w+)\|", english + french)} <= set(values), key
    others = "".join(script for name, script in SCRIPTS.items() if not name.startswith("texts/"))
    known = {key for key, _, _ in TEXTS}
    assert len(known) == len(TEXTS)
    asked = set(re.findall(r'\bt\((?:[^()"]*\? )?"([^"]+)"', others))
    assert asked <= known
    # These keys are put together of a state or a kind.
    made = [
        re.compile(re.sub(r"\\\$\\\{[^}]*\\\}", r"[\\w-]+", re.escape(template)))
        for template in re.findall(r"`([\w ]*(?:\$\{[^}`]+\}[\w ]*)+)`", others)
        if re.search(r"[a-z]{2,} |\} [a-z]{2,}", template)
    ]
    states = {"changed", "retried", "waiting"}
    unused = {key for key in known - states if f'"{key}"' not in others}
    assert {key for key in unused if not any(pattern.fullmatch(key) for pattern in made)} == set()
