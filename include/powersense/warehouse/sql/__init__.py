"""SQL statements of the warehouse, one a file, and how to load them."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache
def statement(name: str) -> str:
    """Return the text of `<name>.sql`; values are bound by the server through `{name:Type}` parameters.

    Raises:
        FileNotFoundError: the package ships no such statement.
    """
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
