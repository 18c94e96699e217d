"""Groups of alerts as the warehouse has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from powersense.quality.facts import run_query
from powersense.quality.grouping import Group, RuleGroups
from powersense.quality.history import Entry, history
from powersense.quality.lifecycle import Alert
from powersense.quality.rules.finding import Severity

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.warehouse.reader_pool import ReaderPool

COLUMNS = tuple(field.name for field in fields(Alert))


def alert_of(row: dict[str, Any]) -> Alert:
    """Return the alert in a row that has its columns, and maybe others."""
    return Alert(
        **{column: row[column] for column in COLUMNS if column != "severity"}, severity=Severity(row["severity"])
    )


def rule_groups(client: Client, rules: Iterable[str]) -> dict[str, RuleGroups]:
    """Return, by rule, the groups that alerts may join; a rule that never had one is missing."""
    return {
        row["rule"]: RuleGroups(
            row["lineage"],
            [
                (group_id, last.astimezone(UTC))
                for group_id, last in zip(row["open_ids"], row["open_last"], strict=True)
            ],
        )
        for row in run_query(client, "rule_groups", rules=sorted(set(rules)))
    }


def notifiable_groups(client: Client, *, at: datetime) -> list[Group]:
    """Return the groups about which somebody may still have to be told, the oldest first.

    Args:
        client: reader or writer.
        at: the instant at which silences count, UTC.
    """
    rows = run_query(client, "notifiable_groups", at=at.strftime("%Y-%m-%d %H:%M:%S.%f"))
    return [_group(list(found)) for _, found in groupby(rows, key=lambda row: row["group_id"])]


def history_of(pool: ReaderPool, group_id: str) -> list[Entry]:
    """Return what happened to an existing group, the oldest first.

    Raises:
        WarehouseError: see `connect`.
    """
    with pool.lease() as client:

        def rows(name: str) -> list[dict[str, Any]]:
            return run_query(client, name, group_id=group_id)

        return history(
            members=rows("group_members"),
            acts=rows("group_acts"),
            notices=rows("group_notices"),
            silences=rows("group_silences"),
        )


def _group(rows: list[dict[str, Any]]) -> Group:
    first = rows[0]
    return Group(
        group_id=first["group_id"],
        state=first["group_state"],
        acknowledged_at=first["acknowledged_at"],
        acknowledged_by=first["acknowledged_by"],
        withdrawn_at=first["withdrawn_at"],
        alerts=tuple(alert_of(row) for row in rows),
        silenced=frozenset(row["alert_id"] for row in rows if row["is_silenced"]),
    )
