"""The scoring loop that the ClickHouse statement replaces: fetched rows, a pandas loop, the same rule.

Plain on purpose but not slow on purpose: samples are grouped once, levels are worked out once a day. Also the
independent reading of the rule that the tests compare the statement with.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from powersense.calendar import describe
from powersense.detection.baseline_zscore import MAD_TO_STANDARD_DEVIATION, BaselineZScore


def on_the_calendar(loads: pd.DataFrame) -> pd.DataFrame:
    """Add Paris `day`, `bucket` (minutes) and `day_type` to loads (area, observed_at in UTC, value in MW)."""
    local = loads["observed_at"].dt.tz_convert("Europe/Paris")
    days = local.dt.date
    types = {day: describe(day).day_type for day in days.unique()}
    return loads.assign(day=days, bucket=local.dt.hour * 60 + local.dt.minute, day_type=days.map(types))


def score(
    loads: pd.DataFrame,
    *,
    start: pd.Timestamp,
    end: pd.Timestamp,
    rule: BaselineZScore,
    labels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Score the loads of [start, end), in order of time, each against the earlier ones.

    Args:
        loads: area, observed_at (UTC), value (MW).
        start: first instant.
        end: end of the range, exclusive.
        rule: the detector.
        labels: of its episodes, given after all loads were stored: label, area, direction, started_at, ended_at.

    Returns:
        One row per scored load: area, observed_at, expected_mw, scale_mw, z_score, sample_size, is_anomaly.
    """
    loads = on_the_calendar(loads).sort_values("observed_at", ignore_index=True)
    usual, unusual, alarms = said(loads, labels)
    groups = dict(list(loads.groupby(["area", "day_type", "bucket"])))
    hourly = dict(list(loads[loads["bucket"] % 60 == 0].groupby("area")))
    # What no sample may be: what labels say is unusual, and what is flagged unless they say that it is usual.
    flagged: set[tuple[str, pd.Timestamp]] = set(unusual)
    levels: dict[tuple[str, object], float] = {}
    rows = []
    for load in loads[(loads["observed_at"] >= start) & (loads["observed_at"] < end)].itertuples():
        group = groups[load.area, load.day_type, load.bucket]
        oldest = load.day - pd.Timedelta(days=rule.lookback_days)
        ratios = []
        for sample in group[(group["day"] >= oldest) & (group["day"] < load.day)].itertuples():
            level = level_of(sample.area, sample.day, hourly=hourly, levels=levels, flagged=flagged, rule=rule)
            if level > 0 and (sample.area, sample.observed_at) not in flagged:
                ratios.append(sample.value / level)
        level = level_of(load.area, load.day, hourly=hourly, levels=levels, flagged=flagged, rule=rule)
        row = rate(load.value, np.array(ratios), level, rule, factors_at(load, alarms))
        if row["is_anomaly"] and (load.area, load.observed_at) not in usual:
            flagged.add((load.area, load.observed_at))
        rows.append({"area": load.area, "observed_at": load.observed_at, **row})
    return pd.DataFrame(rows)


def level_of(area, day, *, hourly, levels, flagged, rule) -> float:
    """Return the median of the hourly loads of the days before `day`; worked out once, when all of them are scored."""
    if (area, day) not in levels:
        group = hourly[area]
        recent = group[(group["day"] >= day - pd.Timedelta(days=rule.level_days)) & (group["day"] < day)]
        kept = [load.value for load in recent.itertuples() if (load.area, load.observed_at) not in flagged]
        levels[area, day] = float(np.median(kept)) if len(kept) >= rule.level_min_values else 0.0
    return levels[area, day]


def said(loads, labels):
    """Return which loads labels call usual, and which not, as (area, instant), and the false alarms."""
    usual, unusual = set(), set()
    if labels is None:
        return usual, unusual, []
    for label in labels.itertuples():
        inside = loads["observed_at"].between(label.started_at, label.ended_at, inclusive="left")
        covered = loads.loc[inside & (loads["area"] == label.area), ["area", "observed_at"]]
        (usual if label.label == "false_alarm" else unusual).update(covered.itertuples(index=False, name=None))
    return usual - unusual, unusual, list(labels[labels["label"] == "false_alarm"].itertuples())


def factors_at(load, alarms) -> dict[str, float]:
    """Return how much wider each side of a load's band is: a fifth for each false alarm of a year, at most twice."""
    factors = {}
    for side in ("low", "high"):
        count = sum(
            alarm.area == load.area
            and alarm.direction == side
            and alarm.ended_at <= load.observed_at < alarm.started_at + pd.Timedelta(days=365)
            for alarm in alarms
        )
        factors[side] = min(2.0, 1 + count / 5)
    return factors


def rate(value: float, ratios: np.ndarray, level: float, rule: BaselineZScore, factors) -> dict[str, object]:
    """Return what the rule makes of one load, on a band whose halves are multiplied with `factors`."""
    if level <= 0 or len(ratios) < rule.min_samples:
        empty = dict.fromkeys(("expected_mw", "scale_mw", "z_score"), np.nan)
        return {**empty, "sample_size": len(ratios), "is_anomaly": False}
    if rule.method == "robust":
        centre = np.median(ratios)
        spread = MAD_TO_STANDARD_DEVIATION * np.median(np.abs(ratios - centre))
    else:
        centre, spread = np.mean(ratios), np.std(ratios, ddof=1)
    expected, scale = centre * level, max(spread, rule.scale_floor_share * centre) * level
    half_band = max(rule.threshold * scale, rule.min_deviation_mw, rule.min_deviation_share * expected)
    return {
        "expected_mw": expected,
        "scale_mw": scale,
        "z_score": (value - expected) / scale,
        "sample_size": len(ratios),
        "is_anomaly": bool(
            value <= expected - factors["low"] * half_band or value >= expected + factors["high"] * half_band
        ),
    }
