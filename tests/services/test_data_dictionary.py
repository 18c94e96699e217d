"""The data dictionary names every table and column that the migrations make, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from powersense.warehouse.client import connect
from tests.warehouses import Warehouse

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


def test_every_table_and_column_is_described(warehouse: Warehouse):
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL))
    with connect("reader") as client:
        rows = client.query(
            "SELECT table, groupArray(name) FROM system.columns WHERE database = {name:String} GROUP BY table",
            parameters={"name": warehouse.database},
        ).result_rows
        views = client.query(
            "SELECT name FROM system.tables WHERE database = {name:String} AND engine = 'View'",
            parameters={"name": warehouse.database},
        ).result_rows
    columns = dict(rows)
    assert set(sections) == set(columns) | {name for (name,) in views}
    missing = {
        table: [name for name in names if f"`{name}`" not in sections[table]] for table, names in columns.items()
    }
    assert {table: names for table, names in missing.items() if names} == {}
