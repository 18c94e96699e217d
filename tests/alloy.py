"""A strict reader of Alloy's configuration, as far as this project writes it: what it cannot read, it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<newline>\n)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<raw>`[^`]*`)
    |(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[{}\[\]().,=])""",
    re.DOTALL | re.VERBOSE,
)
_CONSTANTS = {"true": True, "false": False, "null": None}


class AlloySyntaxError(Exception):
    """What stands there is no Alloy configuration; names the line."""


@dataclass(frozen=True)
class Reference:
    """A component's export, or a function that is called, by its dotted path."""

    path: tuple[str, ...]


@dataclass
class Block:
    """A component, or a block within one."""

    name: str
    label: str | None
    arguments: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)


def parse(text: str) -> list[Block]:
    """Return the components of a configuration.

    Raises:
        AlloySyntaxError: it is not one.
    """
    reader = _Reader(text)
    body = reader.body(end=None)
    if body.arguments:
        raise AlloySyntaxError(f"arguments outside of components: {sorted(body.arguments)}")
    return body.blocks


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        at, line = 0, 1
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise AlloySyntaxError(f"line {line}: cannot read {text[at : at + 20]!r}")
            if found.lastgroup not in (None, "space"):
                self.tokens.append((str(found.lastgroup), found[0], line))
            line += found[0].count("\n")
            at = found.end()
        self.tokens.append(("end", "", line))
        self.at = 0

    def peek(self) -> tuple[str, str]:
        kind, text, _ = self.tokens[self.at]
        return kind, text

    def take(self, *wanted: str) -> str:
        kind, text, line = self.tokens[self.at]
        if wanted and kind not in wanted and text not in wanted:
            raise AlloySyntaxError(f"line {line}: {text!r} where {' or '.join(wanted)} belongs")
        self.at += 1
        return text

    def skip_lines(self) -> None:
        while self.peek()[0] == "newline":
            self.take()

    def body(self, *, end: str | None) -> Block:
        """Read statements until the end; each stands on a line of its own."""
        body = Block("", None)
        while True:
            self.skip_lines()
            kind, text = self.peek()
            if kind == "end" if end is None else text == end:
                return body
            self.statement(body)
            if self.peek()[1] != end:
                self.take("newline", "end")
                self.at -= self.tokens[self.at - 1][0] == "end"

    def statement(self, body: Block) -> None:
        names = [self.take("name")]
        while self.peek()[1] == ".":
            self.take()
            names.append(self.take("name"))
        if self.peek()[1] == "=" and len(names) == 1:
            self.take()
            if names[0] in body.arguments:
                raise AlloySyntaxError(f"{names[0]} is given twice")
            body.arguments[names[0]] = self.value()
            return
        label = self.string() if self.peek()[0] == "string" else None
        self.take("{")
        inner = self.body(end="}")
        self.take("}")
        body.blocks.append(Block(".".join(names), label, inner.arguments, inner.blocks))

    def string(self) -> str:
        return re.sub(r"\\(.)", r"\1", self.take("string")[1:-1])

    def value(self) -> Any:  # noqa: PLR0911 - one return per kind of value
        kind, text = self.peek()
        if kind == "string":
            return self.string()
        if kind == "raw":
            return self.take()[1:-1]
        if kind == "number":
            return float(self.take())
        if text == "[":
            return self.items("[", "]", self.value)
        if text == "{":
            return dict(self.items("{", "}", self.pair))
        name = self.take("name")
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        path = [name]
        while self.peek()[1] == ".":
            self.take()
            path.append(self.take("name"))
        if self.peek()[1] == "(":
            self.items("(", ")", self.value)
        return Reference(tuple(path))

    def pair(self) -> tuple[str, Any]:
        key = self.string() if self.peek()[0] == "string" else self.take("name")
        self.take("=")
        return key, self.value()

    def items(self, begin: str, end: str, one: Any) -> list[Any]:
        """Read what stands between brackets, apart by commas; the last may have one too where lines are broken."""
        self.take(begin)
        found = []
        self.skip_lines()
        while self.peek()[1] != end:
            found.append(one())
            if self.peek()[1] != ",":
                break
            self.take()
            self.skip_lines()
        self.take(end)
        return found
