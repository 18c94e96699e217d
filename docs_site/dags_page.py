"""Every DAG: when it runs, what it takes, what its docstring says; read without importing Airflow."""

from __future__ import annotations

import ast
from pathlib import Path

from docs_site.text import code, page, table


def dags_page(root: Path) -> str:
    """Return the page of DAGs."""
    parts = [
        "Instants are UTC. `POWERSENSE_SCHEDULES=off` leaves only runs that somebody or an asset triggers. A run's "
        "window is its data interval, unless it is triggered with `start` and `end`.",
    ]
    for path in sorted((root / "dags").glob("*.py")):
        tree = ast.parse(path.read_text())
        arguments = _dag_arguments(tree)
        about = (ast.get_docstring(tree) or "").removeprefix("### ")
        title, _, text = about.partition("\n")
        rows = [("runs", _schedule(arguments.get("schedule", "None")))]
        if "params" in arguments:
            rows.append(("parameters", ", ".join(code(name) for name in _parameters(arguments["params"], tree))))
        tasks = [code(node.name) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_task(node)]
        if tasks:
            rows.append(("tasks", ", ".join(tasks)))
        parts += [f"## {path.stem}", f"**{title.rstrip('.')}.**", table(("", ""), rows), text]
    return page("DAGs", *parts)


def _dag_arguments(tree: ast.Module) -> dict[str, str]:
    """Return the source of each argument of the file's `@dag(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dag":
            return {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
    return {}


def _schedule(source: str) -> str:
    """Return a schedule in words.

    >>> _schedule("cron('*/15 * * * *')"), _schedule("MEASUREMENTS | WEATHER")
    ('by `*/15 * * * *`', 'when `measurements` or `weather` is updated')
    """
    if source == "None":
        return "when it is triggered"
    if source.startswith("cron("):
        return f"by {code(ast.literal_eval(source.removeprefix('cron(').removesuffix(')')))}"
    if source.startswith("every_ingest_interval"):
        return "every `INGEST_INTERVAL_SECONDS` (300)"
    return f"when {' or '.join(code(name.strip().lower()) for name in source.split('|'))} is updated"


def _parameters(source: str, tree: ast.Module) -> list[str]:
    names = ["start", "end"] if "window_params()" in source else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            names += [str(key.value) for key in node.keys if isinstance(key, ast.Constant)]
        if isinstance(node, ast.Name) and node.id.isupper():
            names += _keys_of(node.id, tree) if node.id == "PARAMS" else []
    return list(dict.fromkeys(names))


def _keys_of(name: str, tree: ast.Module) -> list[str]:
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if isinstance(value, ast.Dict) and any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        ):
            return [str(key.value) for key in value.keys if isinstance(key, ast.Constant)]
    return []


def _is_task(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("task") for decorator in node.decorator_list)
