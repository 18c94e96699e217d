"""The data-quality check: facts from the warehouse, through every rule, into alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.contracts import LOAD_METRIC, NATIONAL_AREA
from powersense.quality.alerts import apply_findings, latest_alerts, write
from powersense.quality.facts import AREA_NAMES, run_query
from powersense.quality.lifecycle import Alert, advance
from powersense.quality.outbox import deliver
from powersense.quality.rules import CHECKED_RULES, FAILED_TASK, LATE_RUN, Finding, Thresholds
from powersense.settings import Settings, get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.marts import has_mart

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

# The record load of France is 102,098 MW (8 February 2012); no region has reached a fifth of it.
NATIONAL_MAX_MW = 115_000.0
REGIONAL_MAX_MW = 25_000.0
# The quantity without which weather is no weather here.
WEATHER_METRIC = "temperature_c"

# Rules whose facts dbt builds, by the mart: before its first build there is nothing to find.
MART_RULES = {"forecast_error": "mart_forecast_errors", "forecast_drift": "mart_forecast_drift"}

# How the server words a table that is missing, and a view that takes parameters.
_MISSING = ("UNKNOWN_TABLE", "Unknown table function")

# A mapped task that a later plan no longer has can never succeed again; its alert ends by itself.
EVENT_FORGOTTEN_AFTER = timedelta(days=2)

RunState = Callable[[str, str], str]


def check(now: datetime, run_id: str, *, run_state: RunState | None = None) -> dict[str, Any]:
    """Apply every rule to the warehouse as it stands, and let alerts open, go on and close.

    A rule whose facts cannot be read (its table is missing) is skipped: its alerts stay as they are and the result
    names it. Every other error of the warehouse is raised.

    Args:
        now: the instant that ages are measured from, UTC.
        run_id: the run that checks.
        run_state: gives an Airflow run's state from `dag_id` and its run id, so that alerts of late and failed runs
            close with them; without it they close after two quiet days.

    Returns:
        Counts: `findings` in all, `by_rule`, alerts `opened`, `repeated`, `closed`, `open`, closed
        `past_events`, notices `notified` and
        `notify_failed`, and the list `skipped_rules`.
    """
    settings = get_settings()
    findings, skipped = find(now, settings=settings)
    for rule in skipped:
        logger.warning("Rule %s is skipped: the table of its facts is missing", rule)
    checked = [rule for rule in CHECKED_RULES if rule not in skipped]
    with connect("writer") as client:
        counts = apply_findings(client, findings, checked=checked, now=now, run_id=run_id)
        past_events = _close_past_events(client, run_state, now=now, run_id=run_id)
        told = deliver(client, settings=settings, run_id=run_id)
    by_rule = {rule: sum(finding.rule == rule for finding in findings) for rule in checked}
    seen = {"findings": len(findings), "by_rule": by_rule, "skipped_rules": skipped}
    return {**seen, **counts, "past_events": past_events, **told}


def find(now: datetime, *, settings: Settings) -> tuple[list[Finding], list[str]]:
    """Return what all rules find at `now` (UTC), and the ids of the rules whose table or view is missing."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    thresholds = thresholds_of(settings)
    parameters = _parameters(now, settings)
    findings: list[Finding] = []
    skipped: list[str] = []
    with connect("reader") as client:
        for rule, evaluate in CHECKED_RULES.items():
            if rule in MART_RULES and not has_mart(client, MART_RULES[rule], database=parameters["marts"]):
                continue
            try:
                facts = run_query(client, rule, **parameters)
            except DatabaseError as error:
                if not any(words in str(error) for words in _MISSING):
                    raise
                skipped.append(rule)
                continue
            findings += evaluate(facts, now=now, thresholds=thresholds)
    return findings, skipped


def thresholds_of(settings: Settings) -> Thresholds:
    """Return the rules' thresholds as the settings have them."""
    return Thresholds(
        stale_minutes=settings.quality_stale_minutes,
        min_coverage=settings.quality_min_coverage,
        stuck_steps=settings.quality_stuck_steps,
        max_imbalance=settings.quality_max_imbalance,
        max_revisions=settings.quality_max_revisions,
        max_quarantined=settings.quality_max_quarantined,
        ingest_overdue_minutes=settings.quality_ingest_overdue_minutes,
        stale_weather_hours=settings.quality_stale_weather_hours,
        max_forecast_mape=settings.quality_max_forecast_mape,
        max_forecast_drift=settings.quality_max_forecast_drift,
        stale_forecast_hours=settings.quality_stale_forecast_hours,
        anomaly_visible_hours=settings.quality_anomaly_visible_hours,
        stream_anomaly_minutes=settings.quality_stream_anomaly_minutes,
        max_dead_letter_share=settings.quality_max_dead_letter_share,
        stream_stalled_minutes=settings.quality_stream_stalled_minutes,
        stale_stream_model_days=settings.quality_stale_stream_model_days,
    )


def _parameters(now: datetime, settings: Settings) -> dict[str, Any]:
    """Return the parameters that the rules' queries may use."""
    from powersense.sources.catalogue import sources_of

    return {
        "now": now,
        # Coverage is counted up to where staleness begins: what is not yet late is no gap.
        "until": now - timedelta(minutes=settings.quality_stale_minutes),
        "weather_until": now - timedelta(hours=settings.quality_stale_weather_hours),
        "metric": LOAD_METRIC,
        "marts": settings.clickhouse_marts_database,
        "weather_metric": WEATHER_METRIC,
        "areas": AREA_NAMES,
        "national_area": NATIONAL_AREA,
        "national_max_mw": NATIONAL_MAX_MW,
        "regional_max_mw": REGIONAL_MAX_MW,
        "max_imbalance": settings.quality_max_imbalance,
        "stream_anomaly_minutes": settings.quality_stream_anomaly_minutes,
        "stream_stalled_minutes": settings.quality_stream_stalled_minutes,
        "polled_sources": [source.id for source in sources_of("live")],
    }


def _close_past_events(client: Client, run_state: RunState | None, *, now: datetime, run_id: str) -> int:
    """Close the alerts of runs and tasks whose trouble is over, which no rule looks for; return how many."""
    events = [alert for alert in latest_alerts(client).values() if alert.rule in (LATE_RUN, FAILED_TASK)]
    over = [alert for alert in events if _is_over(alert, run_state, now=now)]
    # Events are stamped by the wall clock, which may lie after the end of the interval that is checked.
    closed = [advance(alert, None, now=max(now, alert.last_seen_at), run_id=run_id) for alert in over]
    write(client, [alert for alert in closed if alert is not None])
    return len(over)


def _is_over(alert: Alert, run_state: RunState | None, *, now: datetime) -> bool:
    """Tell whether a late run has ended, a failed one was cleared and succeeded, or nothing came again for two days."""
    if now - alert.last_seen_at > EVENT_FORGOTTEN_AFTER:
        return True
    if run_state is None:
        return False
    dag_id = alert.fingerprint.rsplit("|", 1)[-1].split(".", 1)[0]
    state = run_state(dag_id, alert.run_id)
    return state == "success" or (alert.rule == LATE_RUN and state not in {"queued", "running"})
