"""Forecast runs made from what was observed later, plus an error that grows with the lead.

No archive of real runs reaches back to the recording. So a run "forecasts" the observation itself, disturbed by noise
of assumed size: for temperature a standard deviation of 1 °C after one day, rising linearly to 3 °C after seven; for
wind speed 1 to 2.5 m/s, for cloud cover 15 to 35 %. A forecast made of these is not evidence of how well real
weather forecasts serve.

The noise follows from run, place and target alone, so that every question gets the same answer. Half of its variance is
common to all places, and most of it to successive runs, as errors of real forecasts are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from powersense.local.replay.table import Seconds

HOUR_S = 3_600
RUN_EVERY_S = 6 * HOUR_S
HORIZON_S = 8 * 24 * HOUR_S
_KNOT_EVERY_S = 12 * HOUR_S
_SHARE_OF_ALL_RUNS, _SHARE_OF_ONE_RUN = 0.8, 0.6  # their squares sum to 1, so the variance stays 1


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a variable's error, in its unit.

    Attributes:
        day_1: after 24 hours.
        day_7: after 168 hours.
    """

    day_1: float
    day_7: float

    def at(self, lead_s: Seconds) -> NDArray[np.float64]:
        """Return the standard deviation at leads in seconds, linear in the lead.

        >>> Spread(1.0, 3.0).at(np.array([86_400, 7 * 86_400])).tolist()
        [1.0, 3.0]
        """
        return self.day_1 + (self.day_7 - self.day_1) * (lead_s / 86_400 - 1) / 6


SPREADS = {"t": Spread(1.0, 3.0), "ff": Spread(1.0, 2.5), "n": Spread(15.0, 35.0)}


def run_of(instant_s: Seconds) -> Seconds:
    """Return the initialisation time of the run that is the latest at those instants; all epoch seconds."""
    return np.asarray(instant_s // RUN_EVERY_S * RUN_EVERY_S, dtype=np.int64)


def errors(name: str, *, place: str, run_s: Seconds, target_s: Seconds) -> NDArray[np.float64]:
    """Return the error of each forecast value, in the unit of the quantity.

    Args:
        name: quantity `t`, `ff` or `n`.
        place: what tells places apart.
        run_s: initialisation time of each value's run, epoch seconds.
        target_s: the instant that each value is for, epoch seconds.
    """
    total = np.zeros(len(target_s))
    for where in ("everywhere", place):
        always, once = _key(name, where, "every run"), _key(name, where, "one run")
        total += _SHARE_OF_ALL_RUNS * _smooth_noise(np.full(len(target_s), always), target_s)
        total += _SHARE_OF_ONE_RUN * _smooth_noise(_mixed(once + run_s.astype(np.uint64)), target_s)
    return np.asarray(SPREADS[name].at(target_s - run_s) * total / np.sqrt(2))


def _key(*words: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256("|".join(words).encode()).digest()[:8], "little"))


def _smooth_noise(keys: NDArray[np.uint64], target_s: Seconds) -> NDArray[np.float64]:
    """Return noise of mean 0 and variance 1 that moves on within half a day: two fixed normals, blended."""
    knot, within = target_s // _KNOT_EVERY_S, target_s % _KNOT_EVERY_S / _KNOT_EVERY_S
    before, after = (_normal(keys + _mixed((knot + step).astype(np.uint64))) for step in (0, 1))
    return np.asarray((before * (1 - within) + after * within) / np.hypot(1 - within, within))


def _normal(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return a standard normal number per key (Box and Muller 1958)."""
    first, second = (_mixed(_mixed(keys) + np.uint64(part)) / 2.0**64 for part in (1, 2))
    return np.asarray(np.sqrt(-2 * np.log1p(-np.minimum(first, 1 - 1e-16))) * np.cos(2 * np.pi * second))


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed bits of each key: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = keys + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
