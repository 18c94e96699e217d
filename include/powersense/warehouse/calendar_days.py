"""The `calendar_days` table: Paris-local days as the calendar describes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from powersense import calendar

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FIRST_DAY = date(2010, 1, 1)
YEARS_AHEAD = 3
_COLUMNS = (
    "day",
    "day_type",
    "is_public_holiday",
    "holiday_name",
    "is_bridge_day",
    "hours_in_day",
    "day_start_utc",
    "day_end_utc",
)


def sync(client: Client, *, database: str | None = None, today: date | None = None) -> int:
    """Fill `calendar_days` from 2010 to three years ahead, writing only days that are missing or differ.

    Args:
        client: a writer's client.
        database: where the table stands; the session's database by default.
        today: the day from which "ahead" counts; today by default, since the table serves no as-of reads.

    Returns:
        Number of days written.
    """
    today = today or datetime.now(tz=calendar.PARIS).date()
    last_day = date(today.year + YEARS_AHEAD, 12, 31)
    wanted = {day.day: _row(day) for day in calendar.days(FIRST_DAY, last_day)}
    target = {"database": database or client.database or "default"}
    stored = client.query(
        f"SELECT {', '.join(_COLUMNS)} FROM {{database:Identifier}}.calendar_days FINAL",  # noqa: S608 constant names
        parameters=target,
        column_formats={"day_start_utc": "int", "day_end_utc": "int"},
    ).result_rows
    known = {row[0]: tuple(row) for row in stored}
    rows = [row for day, row in wanted.items() if known.get(day) != row]
    if rows:
        client.insert("calendar_days", rows, column_names=list(_COLUMNS), database=target["database"])
    return len(rows)


def _row(day: calendar.CalendarDay) -> tuple[object, ...]:
    """Return a day in the table's column order, instants as Unix seconds."""
    return (
        day.day,
        day.day_type,
        day.is_public_holiday,
        day.holiday_name,
        day.is_bridge_day,
        day.hours,
        _seconds(day.start_utc),
        _seconds(day.end_utc),
    )


def _seconds(instant: datetime) -> int:
    return int(instant.astimezone(UTC).timestamp())
