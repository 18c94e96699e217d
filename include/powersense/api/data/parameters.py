"""What callers ask data for: instants, ranges, areas, vintages and pages, each fault named with its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Query

from powersense.api.problems import FieldProblem, ProblemError
from powersense.contracts import AREA_BY_FOLDED_NAME, AREAS, fold
from powersense.warehouse.reads import EVER

DAY = timedelta(days=1)
VintageName = Literal["realtime", "consolidated", "definitive"]

# Series times days of one answer; a series of quarter-hours has 96 values a day.
MAX_SERIES_DAYS = 1_000_000
_SHOWN = 200
# In an address an unescaped plus is a blank.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")
_INSTANT = "an instant with its zone, such as 2018-01-01T00:00:00Z or 2018-01-01T00:00:00%2B01:00"

Areas = Annotated[
    list[str] | None, Query(max_length=50, description="repeat for several; any spelling that RTE uses. Default: all")
]
Metrics = Annotated[
    list[str] | None, Query(max_length=100, description="repeat for several; /series lists them. Default: consommation")
]
UpTo = Annotated[VintageName, Query(description="the highest vintage that counts")]
Start = Annotated[str, Query(max_length=64, description=f"first instant: {_INSTANT}")]
End = Annotated[str, Query(max_length=64, description="end of the range, exclusive: the same; default: now")]
KnownAt = Annotated[
    str, Query(alias="known_at", max_length=64, description=f"only what was known then: {_INSTANT}; default: now")
]
After = Annotated[str, Query(max_length=8_192, description="JSON: `next` of the page before; empty for the first")]
Limit = Annotated[int | None, Query(ge=1, le=10_000, description="JSON: rows of a page; default 1000")]


@dataclass(frozen=True)
class Range:
    """Instants from `start` to before `end`, UTC."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        """Its length."""
        return (self.end - self.start) / timedelta(days=1)

    def bounds(self) -> dict[str, str]:
        """Return the statement's parameters; stored instants are whole seconds, so that a part of one counts as one."""
        return {"start": _bound(_whole_second(self.start)), "end": _bound(_whole_second(self.end))}


# No metered load is older; the column's type ends soon after.
ALL_TIME = Range(datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def instant(field: str, text: str) -> datetime:
    """Return an instant in UTC.

    One without a zone is refused: it would mean Paris to one caller and UTC to another, and twice a year two instants.

    Raises:
        ProblemError: 422, it is none, has no zone, or lies before 1990 or after 2100.
    """
    try:
        found = datetime.fromisoformat(_LOST_PLUS.sub("+", text.strip()))
    except ValueError:
        raise refused(field, text, f"give {_INSTANT}") from None
    if found.tzinfo is None:
        raise refused(field, text, f"it has no zone; give {_INSTANT}")
    try:
        found = found.astimezone(UTC)
    except OverflowError:
        found = datetime.min.replace(tzinfo=UTC)
    if not ALL_TIME.start <= found <= ALL_TIME.end:
        raise refused(field, text, "give an instant between 1990 and 2100")
    return found


def range_of(start: str, end: str, *, default: timedelta, longest_days: float | None = None) -> Range:
    """Return the range from `start` to `end`; by default it ends now (UTC) and is `default` long.

    Raises:
        ProblemError: 422, see `instant`; or it ends before it starts, or is longer than `longest_days`.
    """
    until = instant("end", end) if end else datetime.now(UTC)
    since = instant("start", start) if start else until - default
    if since >= until:
        raise refused("start", start or since.isoformat(), f"it is not before the end, {until.isoformat()}; swap them")
    asked = Range(since, until)
    if longest_days is not None and asked.days > longest_days:
        remedy = f"{asked.days:,.0f} days are asked for, at most {longest_days:g} are answered; ask in pieces"
        raise refused("start", start, remedy)
    return asked


def within_limits(asked: Range, *, series: int) -> Range:
    """Return the range, if so many series of it are not too much for one answer.

    Raises:
        ProblemError: 422, it is.
    """
    if series * asked.days > MAX_SERIES_DAYS:
        remedy = (
            f"{series} series over {asked.days:,.0f} days are {series * asked.days:,.0f} series-days, at most "
            f"{MAX_SERIES_DAYS:,} are answered; ask for fewer series, or for the range in pieces"
        )
        raise refused("start", asked.start.isoformat(), remedy)
    return asked


def known_at(text: str) -> dict[str, str]:
    """Return the parameter of statements that read what was known at an instant; at the end of time by default."""
    return {"as_of": _bound(instant("known_at", text) if text else EVER)}


def areas_of(given: Sequence[str] | None) -> list[str]:
    """Return areas by their own names, in their order; all where none is given.

    Raises:
        ProblemError: 422, one is unknown; lists the known.
    """
    known = [area.name for area in AREAS]
    if not given:
        return known
    found = set()
    for index, name in enumerate(given):
        area = AREA_BY_FOLDED_NAME.get(fold(name[:_SHOWN]))
        if area is None:
            raise refused(f"areas[{index}]", name, f"there is no such area; there are {', '.join(known)}")
        found.add(area)
    return [name for name in known if name in found]


def among(field: str, given: Iterable[str], known: Sequence[str], *, where: str = "") -> None:
    """Refuse what is not known.

    Raises:
        ProblemError: 422, lists the known (the first forty).
    """
    for index, name in enumerate(given):
        if name not in known:
            shown = ", ".join(known[:40]) + (", …" if len(known) > 40 else "")
            raise refused(f"{field}[{index}]", name, f"there is none of this name{where}; there are {shown}")


def refused(field: str, value: Any, remedy: str) -> ProblemError:
    """Return the refusal of one field."""
    shown = value if isinstance(value, int | float | None) else str(value)[:_SHOWN]
    fields: list[FieldProblem] = [{"field": field, "value": shown, "remedy": remedy}]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} is {shown!r}: {remedy}.", fields=fields)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=moment.microsecond > 0)


def _bound(moment: datetime) -> str:
    """Return an instant as the server takes it; the driver would drop its microseconds."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text.removesuffix(".000000")
