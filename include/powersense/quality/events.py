"""Findings that nobody looks for: a callback raises one as it happens, another takes it back."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from powersense.errors import WarehouseError
from powersense.quality.rules.finding import Finding
from powersense.settings import get_settings

logger = logging.getLogger(__name__)


def raise_event(finding: Finding, *, now: datetime, run_id: str) -> None:
    """Open or repeat the alert of a finding, and tell people.

    Without a warehouse the alert cannot be stored; people are told all the same, each time, as nothing remembers that
    they were.

    Args:
        finding: what happened.
        now: when, UTC.
        run_id: the run that it happened to.
    """
    from powersense.quality.alerts import apply_findings
    from powersense.quality.outbox import deliver
    from powersense.warehouse.client import connect

    settings = get_settings()
    try:
        with connect("writer") as client:
            apply_findings(client, [finding], checked=(), now=now, run_id=run_id)
            deliver(client, settings=settings, run_id=run_id)
    except WarehouseError as error:
        logger.error("Alert %s cannot be stored: %s", finding.fingerprint, error)
        _tell_unstored(finding, now=now, run_id=run_id)


def _tell_unstored(finding: Finding, *, now: datetime, run_id: str) -> None:
    from powersense.quality import notify
    from powersense.quality.lifecycle import advance
    from powersense.quality.notices import first_notice

    alert = advance(None, finding, now=now, run_id=run_id)
    if alert is None:
        return
    for target in notify.targets(get_settings()):
        notify.try_send(target, [first_notice(alert, target=target.name)])


def close_events(fingerprints: Collection[str], *, now: datetime, run_id: str) -> int:
    """Close those of the given problems that are open, and tell people; return how many there were.

    Raises:
        WarehouseError: the warehouse does not take it; the alert stays open until the next recovery.
    """
    from powersense.quality.alerts import latest_alerts, write
    from powersense.quality.lifecycle import advance
    from powersense.quality.outbox import deliver
    from powersense.warehouse.client import connect

    with connect("writer") as client:
        known = latest_alerts(client, fingerprints=fingerprints)
        closed = [
            after
            for fingerprint in fingerprints
            if (after := advance(known.get(fingerprint), None, now=now, run_id=run_id)) is not None
        ]
        if closed:
            write(client, closed)
            deliver(client, settings=get_settings(), run_id=run_id)
    return len(closed)
