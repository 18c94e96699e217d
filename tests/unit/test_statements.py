"""What a first page leaves out of a statement is what is marked in its file, and no more."""

from __future__ import annotations

from importlib.resources import files

import pytest

from powersense.warehouse import sql
from powersense.warehouse.sql import statement

NAMES = sorted(entry.name.removesuffix(".sql") for entry in files(sql).iterdir() if entry.name.endswith(".sql"))
MARKED = [name for name in NAMES if "-- From here:" in statement(name)]


@pytest.mark.parametrize("name", MARKED)
def test_a_first_page_knows_no_cursor(name: str) -> None:
    first = statement(name, is_first_page=True)
    assert "{after:" in statement(name)
    assert "{after:" not in first
    assert "-- From here" not in first
    assert "-- Until here" not in first


@pytest.mark.parametrize("name", MARKED)
def test_a_first_page_is_the_statement_without_whole_lines(name: str) -> None:
    lines = iter(statement(name).splitlines())
    assert all(line in lines for line in statement(name, is_first_page=True).splitlines())


def test_statements_without_marks_stay_whole() -> None:
    unmarked = [name for name in NAMES if name not in MARKED]
    assert unmarked
    assert MARKED
    assert all(statement(name, is_first_page=True) == statement(name) for name in unmarked)
    assert not any("-- Until here" in statement(name) for name in unmarked)
