"""Every command: the Makefile's targets, and the modules that run by `python -m`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from docs_site.text import code, first_line, page, table


def targets(root: Path) -> dict[str, str]:
    """Return what each target of the Makefile does."""
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", (root / "Makefile").read_text(), flags=re.MULTILINE))


def modules(root: Path) -> dict[str, ast.Module]:
    """Return the package's modules that run by `python -m`, parsed."""
    found = {}
    for path in sorted((root / "include" / "powersense").rglob("*.py")):
        text = path.read_text()
        if path.name == "__main__.py" or 'if __name__ == "__main__"' in text:
            name = ".".join(path.relative_to(root / "include").with_suffix("").parts).removesuffix(".__main__")
            found[name] = ast.parse(text)
    return found


def commands_page(root: Path) -> str:
    """Return the page of commands."""
    parts = [
        "## make",
        "Needs nothing but Python and make; the first call creates `.venv`.",
        table(("target", "does"), [(code(f"make {name}"), about) for name, about in targets(root).items()]),
        "## python -m",
        "For containers and clusters, where Airflow's environment (connections, settings) is set; on this machine "
        "`make airflow`, `make autoloader`, `make backup` and `make dbt` set it.",
    ]
    for name, tree in modules(root).items():
        parts.append(f"### {name}")
        parts.append(_summary(ast.get_docstring(tree)))
        if rows := declared_arguments(tree):
            parts.append(table(("argument", "meaning"), [(code(argument), about) for argument, about in rows]))
    return page("Commands", *parts)


def _summary(docstring: str | None) -> str:
    text = re.sub(r"``([^`]+)``", r"`\1`", first_line(docstring))
    return text[:1].upper() + text[1:]


def declared_arguments(tree: ast.Module) -> list[tuple[str, str]]:
    """Return the arguments and subcommands that a module's parser declares in so many words, with what they mean."""
    rows: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and "add_parser" in ast.unparse(node):
            rows |= _listed(node.iter)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        helps = [
            word.value.value for word in node.keywords if word.arg == "help" and isinstance(word.value, ast.Constant)
        ]
        if node.func.attr in {"add_argument", "add_parser"}:
            for name in [argument.value for argument in node.args if isinstance(argument, ast.Constant)]:
                rows[str(name)] = str(helps[0]) if helps else rows.get(str(name), "")
    return list(rows.items())


def _listed(pairs: ast.expr) -> dict[str, str]:
    """Return the subcommands that a loop over pairs of name and meaning adds."""
    try:
        return {str(name): str(about) for name, about in ast.literal_eval(pairs)}
    except (TypeError, ValueError):
        return {}
