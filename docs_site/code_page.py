"""The package, module by module: what each is for and what it offers; read without importing it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from docs_site.text import code, first_line, page, table


def code_pages(root: Path) -> dict[str, str]:
    """Return a page for each room of the package by its name, `powersense` for the modules outside of rooms."""
    package = root / "include" / "powersense"
    rooms: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        rooms[parts[0] if len(parts) > 1 else "powersense"].append(path)
    return {room: _room(room, paths, package) for room, paths in sorted(rooms.items())}


def _room(room: str, paths: list[Path], package: Path) -> str:
    parts: list[str] = []
    for path in paths:
        tree = ast.parse(path.read_text())
        name = ".".join(("powersense", *path.relative_to(package).with_suffix("").parts)).removesuffix(".__init__")
        about = ast.get_docstring(tree) or ""
        if path.name == "__init__.py" and path.parent in (package / room, package):
            parts.insert(0, _plain(about))
            continue
        rows = [_offer(node) for node in tree.body if _is_public(node)]
        if about or rows:
            parts += [
                f"## {name.removeprefix(f'powersense.{room}.').removeprefix('powersense.')}",
                _plain(about),
                table(("offers", ""), rows) if rows else "",
            ]
    return page("powersense" if room == "powersense" else f"powersense.{room}", *parts)


def _is_public(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")


def _offer(node: ast.stmt) -> tuple[str, str]:
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)  # noqa: S101 - see _is_public
    about = _plain(first_line(ast.get_docstring(node)))
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return code(f"class {node.name}({bases})" if bases else f"class {node.name}"), about
    arguments = [word.arg for word in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    answer = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return code(f"{node.name}({', '.join(arguments)}){answer}"), about


def _plain(docstring: str) -> str:
    """Return a docstring as Markdown: its code marked once, its indented examples as they are."""
    return docstring.replace("``", "`").replace("::\n", ":\n").replace("<", "&lt;")
