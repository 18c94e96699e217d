"""Scoring: loads that are new, late or revised get a z-score; anomalies and episodes follow from it.

One path for all: the scheduled DAG, a backfilled range and a replay of the past call the same function on other
targets. Each detector scores what is due to it: the baseline first, the residual detectors from the first forecast on;
an installation without forecasts has the baseline alone.

What is written, in this order: `anomalies`, z-scores in `measurements`, `episodes`, `scores`. A point counts as scored
only when its score stands, so a run that dies halfway is done again by the next one; every write replaces by key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from powersense.contracts import Z_SCORE_METRIC
from powersense.errors import WindowError
from powersense.settings import Settings, get_settings

if TYPE_CHECKING:
    from powersense.detection.forecast_residual import ForecastResidual
    from powersense.detection.interface import Detector
    from powersense.warehouse.scoring import Extent, ScoringWorkspace
    from powersense.window import Window

logger = logging.getLogger(__name__)

PUBLISHER = "powersense"
COUNTS = (
    "points_scored",
    "points_insufficient_history",
    "points_superseded",
    "anomalies",
    "anomalies_new",
    "anomalies_retracted",
    "z_scores_changed",
    "episodes_changed",
    "episodes_retracted",
    "passes",
)
# Runs and rescored ranges can overlap in time; a day covers any of them.
_CHANGES_OVERLAP = timedelta(days=1)
_FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)

# Makes the targets in a workspace, none of them before an instant.
Choose: TypeAlias = "Callable[[ScoringWorkspace, datetime], Extent]"


def score_window(window: Window, run_id: str) -> dict[str, int]:
    """Score a DAG run's window: the whole of a range that someone asked for, else what is due at its end.

    Args:
        window: the run's window.
        run_id: the run's id, written on every row.

    Returns:
        Counts; see `score_interval`.
    """
    if window.is_explicit and not window.is_empty:
        return score_interval(window.start, window.end, run_id=run_id)
    return score_due(window.end, run_id)


def score_interval(start: datetime, end: datetime, *, run_id: str, as_of: datetime | None = None) -> dict[str, int]:
    """Score, or score again, every known load of [start, end).

    Args:
        start: first instant, UTC.
        end: end of the range, exclusive, UTC.
        run_id: written on every row.
        as_of: replays the past: values inserted after this instant are not seen. None sees all.

    Returns:
        `points_scored`, of which `points_insufficient_history` and `points_superseded`; `anomalies` (points flagged),
        `anomalies_new`, `anomalies_retracted`, `z_scores_changed`, `episodes_changed`, `episodes_retracted`, `passes`.
        Summed over the detectors: a point counts once for each that scored it.

    Raises:
        WindowError: start is not before end, or either has no time zone.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise WindowError(f"start={start!r} and end={end!r} must carry a time zone")
    if start >= end:
        raise WindowError(f"start={start.isoformat()} must lie before end={end.isoformat()}")

    def choose(workspace: ScoringWorkspace, earliest: datetime) -> Extent:
        return workspace.choose_range(max(start, earliest), end)

    return _score(choose, run_id=run_id, as_of=as_of)


def score_due(now: datetime, run_id: str, *, as_of: datetime | None = None) -> dict[str, int]:
    """Score what is due: points before `now` without a score, and scored ones of any age whose value has changed.

    Points older than `SCORE_DUE_DAYS` that never had a score stay without one until a range is asked for.

    Args:
        now: the run's instant, UTC; later points wait.
        run_id: written on every row.
        as_of: see `score_interval`.

    Returns:
        Counts; see `score_interval`.
    """
    from powersense.warehouse.scoring import newest_scored_at

    since = now - timedelta(days=get_settings().score_due_days)

    def choose(workspace: ScoringWorkspace, earliest: datetime) -> Extent:
        newest = newest_scored_at(workspace.client, workspace.series)
        changed_since = newest - _CHANGES_OVERLAP if newest else _FIRST_INSTANT
        return workspace.choose_due(max(since, earliest), now, changed_since=changed_since)

    return _score(choose, run_id=run_id, as_of=as_of)


def detector_from(settings: Settings) -> Detector:
    """Return the detector that the settings describe.

    Raises:
        ConfigurationError: its parameters contradict each other.
    """
    from powersense.detection.baseline_zscore import BaselineZScore

    return BaselineZScore(
        method=settings.score_method,
        threshold=settings.score_threshold,
        lookback_days=settings.score_lookback_days,
        min_samples=settings.score_min_samples,
        min_deviation_mw=settings.score_min_deviation_mw,
        min_deviation_share=settings.score_min_deviation_share,
    )


def residual_detectors_from(settings: Settings) -> tuple[ForecastResidual, ...]:
    """Return the residual detectors that the settings describe, the longer lead first.

    Raises:
        ConfigurationError: a parameter is out of its range.
    """
    from powersense.detection.forecast_residual import NAMES, ForecastResidual

    return tuple(
        ForecastResidual(
            lead_minutes=lead_minutes,
            threshold=settings.forecast_residual_threshold,
            min_deviation_mw=settings.forecast_residual_min_mw,
            min_deviation_share=settings.forecast_residual_min_share,
        )
        for lead_minutes in NAMES
    )


def _score(choose: Choose, *, run_id: str, as_of: datetime | None) -> dict[str, int]:
    """Let each detector score the targets that `choose` gives it; returns the counts of all."""
    settings = get_settings()
    counts = _score_with(detector_from(settings), choose, earliest=_FIRST_INSTANT, run_id=run_id, as_of=as_of)
    first_issued = _first_issued_at()
    if first_issued is None:
        return counts
    for detector in residual_detectors_from(settings):
        earliest = first_issued + timedelta(minutes=detector.lead_minutes)
        more = _score_with(detector, choose, earliest=earliest, run_id=run_id, as_of=as_of)
        counts = {name: count + more[name] for name, count in counts.items()}
    return counts


def _first_issued_at() -> datetime | None:
    from powersense.warehouse.client import connect
    from powersense.warehouse.scoring import first_issued_at

    with connect("reader") as client:
        return first_issued_at(client)


def _score_with(
    detector: Detector, choose: Choose, *, earliest: datetime, run_id: str, as_of: datetime | None
) -> dict[str, int]:
    """Score one detector's targets, none before `earliest` (UTC), and store all that follows."""
    from powersense.detection.labels import BAND_PARAMETERS
    from powersense.detection.severity import CRITICAL_SHARE
    from powersense.warehouse.scoring import Series, open_workspace

    series = Series(detector=detector.name)
    with open_workspace(series, as_of=as_of) as workspace:
        extent = choose(workspace, earliest)
        if not extent.points:
            return dict.fromkeys(COUNTS, 0)
        workspace.prepare(extent, history_days=detector.history_days, band=BAND_PARAMETERS)
        passes = detector.score(workspace)
        counts = workspace.finish(run_id=run_id, critical_share=CRITICAL_SHARE)
        counts["z_scores_changed"] = _store_z_scores(workspace, run_id=run_id, extent=extent)
        counts |= _store_episodes(
            workspace, extent, run_id=run_id, gap=timedelta(minutes=get_settings().score_episode_gap_minutes)
        )
        workspace.store(run_id=run_id)
    counts["passes"] = passes
    logger.info("%s scored %s to %s: %s", detector.name, extent.start.isoformat(), extent.end.isoformat(), counts)
    return counts


def _store_z_scores(workspace: ScoringWorkspace, *, run_id: str, extent: Extent) -> int:
    """Land the baseline's changed z-scores as measurements and number them; returns how many.

    The metric is the baseline's: a point has one series of z-scores there, and every detector's in `scores`.
    """
    from powersense.detection.baseline_zscore import BASELINE
    from powersense.warehouse.landing import land
    from powersense.warehouse.measurements import store_batch

    if workspace.series.detector != BASELINE:
        return 0
    frame = workspace.new_z_scores(z_score_metric=Z_SCORE_METRIC)
    if frame.empty:
        return 0
    frame = frame.assign(publisher=PUBLISHER, source=workspace.series.detector, run_id=run_id)
    batch_id = f"scores:{run_id}:{extent.start:%Y%m%dT%H%M%S}:{extent.end:%Y%m%dT%H%M%S}"
    land(workspace.client, frame, batch_id=batch_id)
    store_batch(workspace.client, batch_id)
    return len(frame)


def _store_episodes(workspace: ScoringWorkspace, extent: Extent, *, run_id: str, gap: timedelta) -> dict[str, int]:
    """Make the stored episodes around the targets what the anomalies come to now."""
    from powersense.detection.episodes import RETRACTED, Anomaly, Episode, build, reconcile
    from powersense.warehouse import episodes as table

    client, series = workspace.client, workspace.series
    stored, start, end = table.stored_around(client, series, extent.start - gap, extent.end + gap)
    built = build(
        [Anomaly.from_row(row) for row in table.standing_anomalies(client, series, start, end)],
        gap=gap,
        newest=table.newest_known(client, series, start, end, as_of=workspace.as_of),
        detector=series.detector,
        metric=series.metric,
    )
    changes = reconcile(built, [Episode(detector=series.detector, metric=series.metric, **row) for row in stored])
    table.write(client, [asdict(change) for change in changes], run_id=run_id)
    retracted = sum(change.state == RETRACTED for change in changes)
    return {"episodes_changed": len(changes) - retracted, "episodes_retracted": retracted}
