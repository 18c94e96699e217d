"""Online correction: how much of the recent errors will still stand at each lead, learnt per time of issue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from powersense.forecasting.conformal import BUCKET_STEPS, BUCKETS
from powersense.forecasting.features import EVERY_LEAD, RECENT_ERROR_NAMES, recent_errors
from powersense.forecasting.ridge import Scale, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Issue times of the same three hours of the Paris day share their coefficients: which hours of today an issue knows
# decides what today tells of tomorrow.
HOUR_GROUPS = 8
PENALTY = 300.0
LEAST_ISSUES = 60
# Every other lead is enough to learn from; halves the time of a fit.
_LEAD_STRIDE = 2
# Trigonometric terms let the weight of recent errors move with the season; they pay only where weather is not known.
_SEASONAL = 6


@dataclass(frozen=True)
class Correction:
    """Fitted coefficients.

    Attributes:
        is_seasonal: whether coefficients move with the day of the year.
        coefficients: shape (HOUR_GROUPS, BUCKETS, 1 + features), on unscaled features, the intercept first.
    """

    is_seasonal: bool
    coefficients: NDArray[np.float64]

    def of(
        self,
        errors: NDArray[np.float64],
        issues: NDArray[np.intp],
        group: NDArray[np.int64],
        angle: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the error expected of each target, log, shape (issues, HORIZON_STEPS).

        Args:
            errors: see `features.recent_errors`.
            issues: grid positions of the first targets.
            group: group of each issue's hour, 0 to HOUR_GROUPS - 1.
            angle: day of the year of each half-hour of the grid, as an angle.
        """
        features = _features(errors, issues, angle, EVERY_LEAD, is_seasonal=self.is_seasonal)
        bucket = EVERY_LEAD // BUCKET_STEPS
        chosen = self.coefficients[group[:, None], bucket[None, :]]
        expected: NDArray[np.float64] = chosen[..., 0] + np.einsum("ilf,ilf->il", features, chosen[..., 1:])
        return expected


def fit(  # noqa: PLR0913 - the inputs of one regression
    errors: NDArray[np.float64],
    weights: NDArray[np.float64],
    issues: NDArray[np.intp],
    group: NDArray[np.int64],
    angle: NDArray[np.float64],
    *,
    is_seasonal: bool,
) -> Correction:
    """Learn from past issue times.

    Args:
        errors: errors of unseen explanations on the grid, log; NaN where unknown.
        weights: how much each half-hour's error counts.
        issues: grid positions of past issues' first targets; their horizons lie inside the grid.
        group: see `Correction.of`; groups with fewer than LEAST_ISSUES issues share what all issues teach.
        angle: see `Correction.of`.
        is_seasonal: whether coefficients may move with the day of the year.
    """
    names = len(RECENT_ERROR_NAMES) + (2 * _SEASONAL if is_seasonal else 0)
    coefficients = np.zeros((HOUR_GROUPS, BUCKETS, 1 + names))
    sparse = [number for number in range(HOUR_GROUPS) if (group == number).sum() < LEAST_ISSUES]
    for number in range(HOUR_GROUPS):
        if number not in sparse:
            coefficients[number] = _by_lead(errors, weights, issues[group == number], angle, is_seasonal)
    if sparse and len(issues) >= LEAST_ISSUES:
        coefficients[sparse] = _by_lead(errors, weights, issues, angle, is_seasonal)
    return Correction(is_seasonal, coefficients)


def _by_lead(
    errors: NDArray[np.float64],
    weights: NDArray[np.float64],
    issues: NDArray[np.intp],
    angle: NDArray[np.float64],
    is_seasonal: bool,
) -> NDArray[np.float64]:
    """Return one group's coefficients on unscaled features, shape (BUCKETS, 1 + features)."""
    lead = EVERY_LEAD[::_LEAD_STRIDE]
    features = _features(errors, issues, angle, lead, is_seasonal=is_seasonal)
    target = issues[:, None] + lead
    met, weight = np.nan_to_num(errors[target]), weights[target] * np.isfinite(errors[target])
    if weight.sum() <= 0:
        return np.zeros((BUCKETS, 1 + features.shape[-1]))
    scale = Scale.of(features.reshape(-1, features.shape[-1]), weight.ravel())
    sums = [_sums(scale, features[:, at], met[:, at], weight[:, at]) for at in _leads_of_buckets(lead)]
    solved = []
    for bucket in range(BUCKETS):
        # The neighbouring quarters of a day lend their errors: coefficients change slowly with the lead.
        near = sums[max(0, bucket - 1) : bucket + 2]
        gram, moment = (np.sum([parts[which] for parts in near], axis=0) for which in (0, 1))
        coefficients = solve(gram, moment, penalty=PENALTY)
        slopes = coefficients[1:] / scale.spread
        solved.append(np.concatenate([[coefficients[0] - slopes @ scale.centre], slopes]))
    return np.stack(solved)


def _leads_of_buckets(lead: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(lead // BUCKET_STEPS == bucket) for bucket in range(BUCKETS)]


def _sums(
    scale: Scale, features: NDArray[np.float64], met: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one bucket's X'WX and X'Wy, the intercept first."""
    rows = scale(features.reshape(-1, features.shape[-1]))
    columns = np.column_stack([np.ones(len(rows)), rows])
    weighted = columns * weight.reshape(-1, 1)
    return weighted.T @ columns, weighted.T @ met.ravel()


def _features(
    errors: NDArray[np.float64],
    issues: NDArray[np.intp],
    angle: NDArray[np.float64],
    lead: NDArray[np.intp],
    *,
    is_seasonal: bool,
) -> NDArray[np.float64]:
    features = recent_errors(errors, issues, lead)
    if not is_seasonal:
        return features
    turn = angle[issues[:, None] + lead][..., None]
    level = features[..., :_SEASONAL]
    return np.concatenate([features, level * np.cos(turn), level * np.sin(turn)], axis=-1)
