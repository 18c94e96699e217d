"""Table `alerts`: read the latest alert of each problem, let findings advance it, write it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense.quality.facts import run_query
from powersense.quality.grouping import grouped
from powersense.quality.groups import COLUMNS, alert_of, rule_groups
from powersense.quality.lifecycle import Alert, advance
from powersense.quality.rules.finding import Finding
from powersense.settings import get_settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def apply_findings(
    client: Client, findings: Iterable[Finding], *, checked: Collection[str], now: datetime, run_id: str
) -> dict[str, int]:
    """Open, repeat and close alerts; safe under retries and concurrent checks.

    Both rest on identity: an alert's id follows from its fingerprint and predecessor, and a check instant counts once,
    so writers that see the same state write the same row and the table keeps one.

    Args:
        client: writer.
        findings: what was found; of two with one fingerprint the worse counts.
        checked: ids of the rules that ran to their end; only their alerts close for want of a finding.
        now: the check's instant, UTC, whole seconds.
        run_id: the check's run.

    Returns:
        Counts `opened`, `repeated`, `closed` of this call, and `open` alerts after it.
    """
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda item: item.severity.rank):
        worst[finding.fingerprint] = finding
    known = latest_alerts(client, fingerprints=worst)
    silent = [alert.fingerprint for alert in known.values() if alert.rule in checked and alert.is_open]
    opened: list[Alert] = []
    kept: list[Alert] = []
    counts = {"opened": 0, "repeated": 0, "closed": 0}
    for fingerprint in sorted({*worst, *silent}):
        before = known.get(fingerprint)
        after = advance(before, worst.get(fingerprint), now=now, run_id=run_id)
        if after is None:
            continue
        kind = _kind(before, after)
        (opened if kind == "opened" else kept).append(after)
        known[fingerprint] = after
        counts[kind] += 1
    write(client, [*_in_groups(client, opened, now=now), *kept])
    return {**counts, "open": sum(alert.is_open for alert in known.values())}


def _kind(before: Alert | None, after: Alert) -> str:
    if not after.is_open:
        return "closed"
    return "opened" if before is None or not before.is_open else "repeated"


def _in_groups(client: Client, opened: Sequence[Alert], *, now: datetime) -> list[Alert]:
    if not opened:
        return []
    known = rule_groups(client, [alert.rule for alert in opened])
    return grouped(opened, known, now=now, window=timedelta(minutes=get_settings().alert_group_minutes))


def latest_alerts(client: Client, *, fingerprints: Iterable[str] = ()) -> dict[str, Alert]:
    """Return, by fingerprint, every open alert and the latest alert of each of `fingerprints`."""
    rows = run_query(client, "latest_alerts", fingerprints=list(fingerprints))
    return {row["fingerprint"]: alert_of(row) for row in rows}


def write(client: Client, alerts: Iterable[Alert]) -> None:
    """Write the present state of alerts; `updated_at` is the server's clock, so the last writer wins."""
    rows = [[asdict(alert)[column] for column in COLUMNS] for alert in alerts]
    if rows:
        client.insert("alerts", rows, column_names=COLUMNS, settings={"insert_deduplicate": 0})
