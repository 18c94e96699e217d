"""What a rule sees and says: fact rows in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

FactRow: TypeAlias = Mapping[str, Any]


class Severity(StrEnum):
    """How bad a finding is. `info` is listed only; `warning` and `critical` are told to people."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in rising order of badness, from 0."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Thresholds:
    """Where each rule draws its line; the settings `QUALITY_*` set them.

    Attributes:
        stale_minutes: age of the newest load value above which an area is stale.
        min_coverage: share of expected load values of 24 hours, 0 to 1, below which coverage is low.
        stuck_steps: equal consecutive load values that count as stuck. RTE's real-time loads of September-October
            2017 repeat at most 4 times, 10 in the real faults of two regions.
        max_imbalance: relative gap between France and the sum of its regions, 0 to 1. On the same two months the gap
            stays within 0.063, and is 0.94 in the incident of 2017-09-30.
        max_revisions: noticeable revisions of load values per area in 24 hours.
        max_quarantined: recent records per source and reason set aside in 24 hours.
        ingest_overdue_minutes: time without a successful ingestion run.
        stale_weather_hours: age of a region's newest weather above which it is stale. SYNOP comes every three hours.
        max_forecast_mape: mean error of the forecasts of the day ahead over a week, as a share of the load, above which
            they are no use. Last week's load, copied, errs by 7 % (France, 2018).
        max_forecast_drift: z-score of the mean residual of two weeks beyond which the forecasts have drifted.
        stale_forecast_hours: age of an area's newest forecast above which it is stale. One is issued every hour.
        anomaly_visible_hours: least time for which a load anomaly stays on the list after its alert was raised.
        stream_anomaly_minutes: how far back messages of the stream were scored that an alert about an asset counts.
        max_dead_letter_share: share of an hour's messages, 0 to 1, above which dead letters are too many. A producer
            that keeps the contract sends none; one that broke it sends nothing else.
        stream_stalled_minutes: time without a heartbeat, a model or progress after which a stream with waiting
            messages is stalled. A worker beats every few seconds, and looks for a model twice a minute.
        stale_stream_model_days: age of the serving ensemble above which it is stale. Loads move with the season, so
            that what was learnt a month ago is about other days.
    """

    stale_minutes: int = 120
    min_coverage: float = 0.9
    stuck_steps: int = 6
    max_imbalance: float = 0.1
    max_revisions: int = 48
    max_quarantined: int = 100
    ingest_overdue_minutes: int = 60
    stale_weather_hours: int = 12
    max_forecast_mape: float = 0.06
    max_forecast_drift: float = 3.0
    stale_forecast_hours: int = 3
    anomaly_visible_hours: int = 24
    stream_anomaly_minutes: int = 60
    max_dead_letter_share: float = 0.01
    stream_stalled_minutes: int = 10
    stale_stream_model_days: int = 30


@dataclass(frozen=True)
class Finding:
    """One problem that a rule sees now.

    Attributes:
        rule: id of the rule, which is also the anchor in docs/runbook.md.
        severity: how bad it is.
        subject: one line for people.
        message: what was measured, with units and UTC instants.
        area: the area concerned, empty when there is none.
        key: what tells this problem from others of the same rule and area.
    """

    rule: str
    severity: Severity
    subject: str
    message: str
    area: str = ""
    key: str = ""

    @property
    def fingerprint(self) -> str:
        """Identity of the problem: findings with the same fingerprint are one alert."""
        return f"{self.rule}|{self.area}|{self.key}"


class Evaluate(Protocol):
    """A rule's function: facts of one moment to findings."""

    def __call__(self, facts: Sequence[FactRow], *, now: datetime, thresholds: Thresholds) -> list[Finding]:
        """Return one finding per problem that `facts` show at `now` (UTC)."""


def by_share(affected: int, total: int) -> Severity:
    """Return `critical` when at least a third of the areas are affected at once, else `warning`.

    Several areas failing together is one upstream outage, not several local ones.
    """
    return Severity.CRITICAL if total and affected * 3 >= total and affected > 1 else Severity.WARNING


def stamp(instant: datetime) -> str:
    """Return an instant as people read it, in UTC.

    >>> from datetime import UTC
    >>> stamp(datetime(2017, 9, 30, 4, 30, tzinfo=UTC))
    '2017-09-30 04:30 UTC'
    """
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def span(minutes: float) -> str:
    """Return a duration as people read it.

    >>> span(95), span(60 * 50)
    ('95 min', '50 h')
    """
    return f"{minutes:.0f} min" if minutes < 180 else f"{minutes / 60:.0f} h"
