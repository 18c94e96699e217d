"""Contiguous anomalies of one area become one episode, with a sentence that explains it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Self

from powersense.calendar import PARIS, PUBLIC_HOLIDAY, describe
from powersense.detection.forecast_residual import ISSUED
from powersense.detection.severity import severity_of

OPEN, CLOSED, RETRACTED = "open", "closed", "retracted"


@dataclass(frozen=True)
class Anomaly:
    """One flagged point.

    Attributes:
        area: perimeter.
        observed_at: start of its step, UTC.
        step: its length: up to the area's next known instant, at most half an hour.
        value_mw: the load.
        expected_mw: the load expected.
        z_score: signed.
        direction: `low` or `high`.
    """

    area: str
    observed_at: datetime
    step: timedelta
    value_mw: float
    expected_mw: float
    z_score: float
    direction: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the anomaly of a row of `warehouse.episodes.standing_anomalies`."""
        return cls(
            area=row["area"],
            observed_at=row["observed_at"],
            step=timedelta(minutes=row["step_minutes"]),
            value_mw=row["value"],
            expected_mw=row["expected_mw"],
            z_score=row["z_score"],
            direction=row["direction"],
        )

    @property
    def ends_at(self) -> datetime:
        """End of its step, exclusive, UTC."""
        return self.observed_at + self.step


@dataclass(frozen=True)
class Episode:
    """A row of `episodes`, without the run that wrote it. Instants in UTC, `ended_at` exclusive, loads in MW."""

    episode_id: str
    detector: str
    metric: str
    area: str
    started_at: datetime
    ended_at: datetime
    points: int
    peak_at: datetime
    peak_z_score: float
    peak_deviation_mw: float
    direction: str
    severity: str
    explanation: str
    state: str


def build(
    anomalies: Iterable[Anomaly], *, detector: str, metric: str, gap: timedelta, newest: dict[str, datetime]
) -> list[Episode]:
    """Group anomalies into episodes.

    Two anomalies of an area and direction belong together when they start at most `gap` apart: a load that crosses
    its band for a quarter of an hour is one problem, not two.

    Args:
        anomalies: in any order; one per area and instant.
        detector: its name.
        metric: the scored metric.
        gap: longest time between the starts of two anomalies of one episode.
        newest: per area its newest known instant, UTC; an episode is open while no newer one than its last anomaly is
            known.

    Returns:
        Episodes by area and start. Empty for no anomalies.
    """

    def series(anomaly: Anomaly) -> tuple[str, str]:
        return anomaly.area, anomaly.direction

    episodes = []
    ordered = sorted(anomalies, key=lambda anomaly: (*series(anomaly), anomaly.observed_at))
    for (area, _), members in groupby(ordered, key=series):
        for run in _runs(list(members), gap=gap):
            is_open = newest.get(area, run[-1].observed_at) <= run[-1].observed_at
            episodes.append(_episode(run, detector=detector, metric=metric, state=OPEN if is_open else CLOSED))
    return sorted(episodes, key=lambda episode: (episode.area, episode.started_at))


def reconcile(built: Sequence[Episode], stored: Sequence[Episode]) -> list[Episode]:
    """Return the rows to write so that the stored episodes of a stretch of time become the built ones.

    An episode that overlaps a stored one keeps its id, however it grew or shrank; a stored one that none continues is
    retracted. What did not change is not written again.

    Args:
        built: what the anomalies come to now.
        stored: all episodes of the same detector, metric and stretch, none of them retracted.
    """
    free = {episode.episode_id: episode for episode in sorted(stored, key=lambda episode: episode.started_at)}
    changes = []
    for episode in built:
        heir_of = next((old for old in free.values() if _overlap(old, episode)), None)
        if heir_of is None:
            changes.append(episode)
            continue
        del free[heir_of.episode_id]
        continued = replace(episode, episode_id=heir_of.episode_id)
        if continued != heir_of:
            changes.append(continued)
    return changes + [replace(old, state=RETRACTED) for old in free.values()]


def _runs(anomalies: Sequence[Anomaly], *, gap: timedelta) -> list[list[Anomaly]]:
    runs: list[list[Anomaly]] = []
    for anomaly in anomalies:
        if runs and anomaly.observed_at - runs[-1][-1].observed_at <= gap:
            runs[-1].append(anomaly)
        else:
            runs.append([anomaly])
    return runs


def _overlap(one: Episode, other: Episode) -> bool:
    return (
        (one.area, one.direction) == (other.area, other.direction)
        and one.started_at < other.ended_at
        and other.started_at < one.ended_at
    )


def _episode(run: Sequence[Anomaly], *, detector: str, metric: str, state: str) -> Episode:
    first, last = run[0], run[-1]
    peak = max(run, key=lambda anomaly: abs(anomaly.value_mw - anomaly.expected_mw))
    deviation = peak.value_mw - peak.expected_mw
    key = "|".join((detector, metric, first.area, first.direction, first.observed_at.isoformat()))
    return Episode(
        episode_id=hashlib.sha256(key.encode()).hexdigest()[:16],
        detector=detector,
        metric=metric,
        area=first.area,
        started_at=first.observed_at,
        ended_at=last.ends_at,
        points=len(run),
        peak_at=peak.observed_at,
        peak_z_score=peak.z_score,
        peak_deviation_mw=deviation,
        direction=first.direction,
        severity=severity_of(deviation_mw=deviation, expected_mw=peak.expected_mw).value,
        explanation=explain(run, is_open=state == OPEN, issued=ISSUED.get(detector)),
        state=state,
    )


def explain(run: Sequence[Anomaly], *, is_open: bool, issued: str | None = None) -> str:
    """Return a sentence that explains an episode to someone who reads nothing else.

    Args:
        run: its anomalies in order of time, all of one area and direction.
        is_open: it has not ended.
        issued: when the forecast was issued from which the load deviates, such as `a day before`; None: it deviates
            from what is usual at that time of such a day.
    """
    first, last = run[0], run[-1]
    peak = max(run, key=lambda anomaly: abs(anomaly.value_mw - anomaly.expected_mw))
    since, until = first.observed_at.astimezone(PARIS), last.ends_at.astimezone(PARIS)
    side = "below" if first.direction == "low" else "above"
    share = abs(peak.value_mw - peak.expected_mw) / peak.expected_mw
    span = f"since {_stamp(since)}" if is_open else f"from {_stamp(since)} to {_end(since, until)}"
    worst = peak.observed_at.astimezone(PARIS)
    deviation = peak.value_mw - peak.expected_mw
    foreseen = f"were forecast {issued}" if issued else f"are expected on {_kind_of_day(worst)} at that time"
    return (
        f"Load in {first.area} {'is' if is_open else 'was'} up to {share:.0%} {side} what is expected "
        f"{span} (Paris time): at worst {_mw(peak.value_mw)} at {_clock(worst, since)}, "
        f"where {_mw(peak.expected_mw)} {foreseen} "
        f"({deviation:+,.0f} MW, z = {peak.z_score:.1f}; {len(run)} {'point' if len(run) == 1 else 'points'} flagged)."
    )


def _mw(value: float) -> str:
    return f"{value:,.0f} MW"


def _stamp(instant: datetime) -> str:
    return f"{instant:%A} {instant.day} {instant:%B %Y} {instant:%H:%M}"


def _clock(instant: datetime, since: datetime) -> str:
    """Return the time of day, with its date where it is not the day named before."""
    return f"{instant:%H:%M}" if instant.date() == since.date() else f"{instant:%H:%M} on {instant.day} {instant:%B}"


def _end(since: datetime, until: datetime) -> str:
    """Return the exclusive end as a reader says it: midnight belongs to the day that ends."""
    if until.hour == until.minute == 0:
        day = until - timedelta(days=1)
        return "24:00" if day.date() == since.date() else f"24:00 on {day.day} {day:%B}"
    return _clock(until, since)


def _kind_of_day(instant: datetime) -> str:
    day = describe(instant.date())
    return "a public holiday" if day.day_type == PUBLIC_HOLIDAY else f"a {day.day_type.capitalize()}"
