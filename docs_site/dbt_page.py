"""Every dbt model: its grain, columns and tests, what it reads and what reads it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from docs_site.text import code, page, table

_LAYERS = {
    "marts": "What reports, the API and Grafana read.",
    "intermediate": "Steps between, read by marts.",
    "staging": "Views of the warehouse's tables, renamed and cast only.",
}
_READS = re.compile(r"\{\{\s*(ref|source)\(([^)]*)\)\s*\}\}")


def dbt_page(root: Path) -> str:
    """Return the page of models."""
    folder = root / "dbt" / "models"
    upstream = {path.stem: _reads(path.read_text()) for path in folder.rglob("*.sql")}
    downstream: dict[str, list[str]] = defaultdict(list)
    for model, read in sorted(upstream.items()):
        for name in read:
            downstream[name].append(model)
    parts = [
        "Built by `transform_warehouse` into `powersense_marts` (`CLICKHOUSE_MARTS_DATABASE`), a task for each "
        "model. The graph and the compiled SQL stand in the Airflow UI under **Browse → dbt docs**; `make dbt` "
        "runs one by hand.",
    ]
    for layer, about in _LAYERS.items():
        parts += [f"## {layer.capitalize()}", about]
        for path in sorted((folder / layer).glob("*.yml")):
            for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
                parts.append(_model(model, upstream, downstream))
    return page("dbt models", *parts)


def _model(model: dict[str, Any], upstream: dict[str, list[str]], downstream: dict[str, list[str]]) -> str:
    name = str(model["name"])
    rows = [
        (code(column["name"]), str(column.get("data_type", "")), column.get("description", ""), _tests(column))
        for column in model.get("columns", [])
    ]
    described = [row if any(row[1] for row in rows) else (row[0], *row[2:]) for row in rows]
    header = ("column", "type", "meaning", "tests") if any(row[1] for row in rows) else ("column", "meaning", "tests")
    parts = [f"### {name}", str(model.get("description", "")).strip()]
    links = [("Reads", upstream.get(name, [])), ("Read by", downstream.get(name, []))]
    lines = [f"{word} {', '.join(_link(other, upstream) for other in others)}." for word, others in links if others]
    parts.append(" ".join(lines))
    if tests := _tests(model):
        parts.append(f"Tested: {tests}.")
    if described:
        parts.append(table(header, described))
    return "\n\n".join(part for part in parts if part)


def _link(name: str, models: dict[str, list[str]]) -> str:
    return f"[{code(name)}](#{name})" if name in models else code(name)


def _tests(described: dict[str, Any]) -> str:
    names = [test if isinstance(test, str) else next(iter(test)) for test in described.get("data_tests", [])]
    return ", ".join(code(name) for name in dict.fromkeys(names))


def _reads(sql: str) -> list[str]:
    """Return the models and tables that a model's SQL reads, in order.

    >>> _reads("select * from {{ ref('a') }} join {{ source('powersense', 'b') }}")
    ['a', 'b']
    """
    names = [re.findall(r"'([^']+)'", arguments)[-1] for _, arguments in _READS.findall(sql)]
    return list(dict.fromkeys(names))
