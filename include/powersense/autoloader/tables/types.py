"""ClickHouse's names of types, taken apart as far as casting needs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from powersense.files.declaration import Column

_INTEGER = re.compile(r"^U?Int(8|16|32|64|128|256)$")
_DATETIME = re.compile(r"^DateTime(?:\((?:'(?P<zone>[^']+)')?\))?$")
_DATETIME64 = re.compile(r"^DateTime64\((?P<digits>\d)(?:, ?'(?P<zone>[^']+)')?\)$")
_DECIMAL = re.compile(r"^Decimal\((?P<digits>\d+), ?(?P<scale>\d+)\)$")
_UTC = "UTC"


@dataclass(frozen=True)
class TypeName:
    """One type without its wrappers.

    Attributes:
        base: such as `DateTime64(3, 'UTC')`.
        is_nullable: whether it takes NULL.
        kind: text, integer, float, bool, decimal, date, datetime, datetime64, uuid, or other.
        zone: of instants.
        digits: of a fraction of a second, or of a decimal.
        scale: digits of a decimal behind its point.
    """

    base: str
    is_nullable: bool
    kind: str
    zone: str = _UTC
    digits: int = 0
    scale: int = 0

    @property
    def is_number(self) -> bool:
        """Whether it counts or measures."""
        return self.kind in ("integer", "float", "bool", "decimal")

    @property
    def is_instant(self) -> bool:
        """Whether it says when."""
        return self.kind in ("date", "datetime", "datetime64")


def type_name(text: str) -> TypeName:
    """Take a type apart.

    >>> type_name("LowCardinality(Nullable(String))").kind
    'text'
    >>> type_name("DateTime64(3, 'Europe/Paris')").zone
    'Europe/Paris'
    """
    base, is_nullable = text.strip(), False
    while match := re.match(r"^(Nullable|LowCardinality)\((.*)\)$", base, re.DOTALL):
        is_nullable |= match[1] == "Nullable"
        base = match[2]
    if match := _DATETIME64.match(base):
        return TypeName(base, is_nullable, "datetime64", zone=match["zone"] or _UTC, digits=int(match["digits"]))
    if match := _DATETIME.match(base):
        return TypeName(base, is_nullable, "datetime", zone=match["zone"] or _UTC)
    if match := _DECIMAL.match(base):
        return TypeName(base, is_nullable, "decimal", digits=int(match["digits"]), scale=int(match["scale"]))
    return TypeName(base, is_nullable, _plain_kind(base))


def _plain_kind(base: str) -> str:
    if _INTEGER.match(base):
        return "integer"
    if base.startswith(("String", "FixedString")):
        return "text"
    kinds = {"Float32": "float", "Float64": "float", "Bool": "bool", "Date": "date", "Date32": "date", "UUID": "uuid"}
    return kinds.get(base, "other")


def evolved_type(found: str) -> str:
    """Return the type of a column that a file brings along: its own where a column can have it, else text."""
    name = type_name(found)
    if name.kind in ("other", "text"):
        return "Nullable(String)"
    try:
        return Column(name="a", type=f"Nullable({name.base})").type
    except ValueError:
        return "Nullable(String)"
