"""SQL that turns a file's value into its column's type, strictly: a value that does not fit gives NULL. Pure.

The engine's own parsers are lenient where it hurts: 300 becomes 44 in a UInt8, 31 September 1 October, an empty number
0. So a file's values are read as text and cast here; one way for every format, and for both readers.
"""

from __future__ import annotations

from powersense.autoloader.tables.types import TypeName, type_name

_OFFSET_ISO = (
    r"^(19|20|21|22)\\d{2}-\\d{2}-\\d{2}[ T]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,9})?)?"
    r"(Z|[+-]\\d{2}(:?\\d{2})?)$"
)
_DATETIME_MILLISECONDS = "0 AND 4294967295999"


def cast(value: str, *, source: str, target: str, number: int, decimal: str = ".") -> str:
    """Return an expression that gives a value in its column's type, NULL where it does not fit.

    Args:
        value: a column's name in the statement, of the source's type; a text is trimmed and not empty unless the
            target is text, too.
        source: type of the value as ClickHouse reads it.
        target: the column's type.
        number: tells the expression's names from those of other columns.
        decimal: what stands before the fraction in a text.

    Raises:
        ValueError: no value of the one type is one of the other.
    """
    given, wanted = type_name(source), type_name(target)
    if given.kind == "text":
        return _from_text(value, wanted, number=number, decimal=decimal)
    if wanted.kind == "text":
        return f"toJSONString({value})" if given.kind == "other" else f"toString({value})"
    if given.base == wanted.base:
        return value
    if given.is_number and wanted.is_number:
        return _number_from_number(value, given, wanted)
    if given.is_instant and wanted.is_instant and not (given.kind != "date" and wanted.kind == "date"):
        return _instant_from_instant(value, wanted)
    raise ValueError(f"{source} does not become {target}")


def _from_text(value: str, wanted: TypeName, *, number: int, decimal: str) -> str:
    if wanted.kind == "text":
        return value
    if wanted.kind == "date":
        parse = "toDate32OrNull" if wanted.base == "Date32" else "toDateOrNull"
        # The parser turns 31 September into 1 October: what it read has to look like what stood there.
        return f"if(toString({parse}({value}) AS d{number}) = {value}, d{number}, NULL)"
    if wanted.kind == "datetime":
        return _datetime_from_text(value, wanted, number=number)
    if wanted.kind == "datetime64":
        return _datetime64_from_text(value, wanted, number=number)
    if wanted.kind in ("float", "decimal"):
        # A point is no decimal comma, and what groups thousands is not guessed.
        given = value if decimal == "." else f"replaceOne(replaceOne({value}, '.', '?'), ',', '.')"
        return _float_from_text(given, wanted) if wanted.kind == "float" else _decimal_from_text(given, wanted)
    return f"accurateCastOrNull({value}, '{wanted.base}')"


def _float_from_text(given: str, wanted: TypeName) -> str:
    parsed = f"to{wanted.base}OrNull({given})"
    # Beyond the type's range the parser says infinity, which no file means.
    return f"if(isInfinite({parsed}), NULL, {parsed})"


def _decimal_from_text(given: str, wanted: TypeName) -> str:
    whole = max(wanted.digits - wanted.scale, 0)
    pattern = rf"^[+-]?0*[0-9]{{0,{whole}}}(\\.[0-9]{{0,{wanted.scale}}}0*)?$"
    return f"if(match({given}, '{pattern}'), accurateCastOrNull({given}, '{wanted.base}'), NULL)"


def _datetime_from_text(value: str, wanted: TypeName, *, number: int) -> str:
    quick = f"(toDateTimeOrNull({value}, '{wanted.zone}') AS d{number})"
    slow = _datetime64_from_text(value, TypeName("", True, "datetime64", zone=wanted.zone, digits=6), number=number)
    ranged = _ranged_datetime(f"({slow} AS e{number})", f"e{number}", wanted)
    return f"if(length({value}) >= 10 AND startsWith(toString({quick}), {value}), d{number}, {ranged})"


def _datetime64_from_text(value: str, wanted: TypeName, *, number: int) -> str:
    # Seconds may be left out.
    spaced = f"(concat(replaceOne({value}, 'T', ' '), if(length({value}) = 16, ':00', '')) AS g{number})"
    local = f"(toDateTime64OrNull({spaced}, {wanted.digits}, '{wanted.zone}') AS f{number})"
    offset = f"parseDateTime64BestEffortOrNull({value}, {wanted.digits}, '{wanted.zone}')"
    # An hour that the clocks skip, or a 31 September, comes out as another instant than was written.
    return (
        f"multiIf(match({value}, '{_OFFSET_ISO}'), {offset}, "
        f"length({value}) >= 10 AND startsWith(toString({local}), g{number}), f{number}, NULL)"
    )


def _ranged_datetime(definition: str, name: str, wanted: TypeName) -> str:
    milliseconds = f"toUnixTimestamp64Milli(toDateTime64({definition}, 3, 'UTC'))"
    return f"if({milliseconds} BETWEEN {_DATETIME_MILLISECONDS}, toDateTime({name}, '{wanted.zone}'), NULL)"


def _number_from_number(value: str, given: TypeName, wanted: TypeName) -> str:
    if wanted.kind == "float":
        return f"to{wanted.base}({value})"
    exact = f"accurateCastOrNull({value}, '{wanted.base}')"
    if given.kind in ("decimal", "float") and wanted.kind == "decimal":
        return f"if(toFloat64({exact}) = toFloat64({value}), {exact}, NULL)"
    return exact


def _instant_from_instant(value: str, wanted: TypeName) -> str:
    if wanted.kind == "datetime64":
        return f"toDateTime64({value}, {wanted.digits}, '{wanted.zone}')"
    if wanted.kind == "datetime":
        return _ranged_datetime(value, value, wanted)
    if wanted.base == "Date32":
        return f"toDate32({value})"
    return f"if(toString(toDate({value})) = toString({value}), toDate({value}), NULL)"
