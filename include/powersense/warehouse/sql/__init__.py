"""SQL statements of the warehouse, one a file, and how to load them."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

# Between lines of these a statement holds what only pages after the first need; planning it costs a first page a tenth.
_LATER_PAGES = re.compile(r"\n *-- From here: a page after the first\.\n.*?\n *-- Until here\.(?=\n)", re.DOTALL)


@lru_cache
def statement(name: str, *, is_first_page: bool = False) -> str:
    """Return the text of `<name>.sql`; values are bound by the server through `{name:Type}` parameters.

    Args:
        name: of the file.
        is_first_page: leave out what is marked as of later pages; the answer is that of an empty `after`.

    Raises:
        FileNotFoundError: the package ships no such statement.
    """
    text = files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return _LATER_PAGES.sub("", text) if is_first_page else text
