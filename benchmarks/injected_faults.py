"""Eight kinds of metering faults, put into a real load at places and in sizes drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

# One fault in each stretch of ten days, so that most of a stretch is sound and a year holds all seasons.
STRETCH_STEPS = 10 * 48


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: of the kind.
        steps: shortest and longest duration, half-hours.
        damage: (sound load MW of the fault's steps and the 12 before, duration, generator) → what is metered, MW.
    """

    name: str
    steps: tuple[int, int]
    damage: Callable[[NDArray[np.float64], int, Generator], NDArray[np.float64]]


BEFORE = 12


def _scaled(low: float, high: float) -> Callable[[NDArray[np.float64], int, Generator], NDArray[np.float64]]:
    return lambda load, steps, rng: load[-steps:] * rng.uniform(low, high)


def _stuck(load: NDArray[np.float64], steps: int, rng: Generator) -> NDArray[np.float64]:
    return np.full(steps, load[-steps - 1])


def _drift(load: NDArray[np.float64], steps: int, rng: Generator) -> NDArray[np.float64]:
    end = rng.choice([-1, 1]) * rng.uniform(0.15, 0.30)
    return load[-steps:] * (1 + end * np.arange(1, steps + 1) / steps)


def _noise(load: NDArray[np.float64], steps: int, rng: Generator) -> NDArray[np.float64]:
    return load[-steps:] * (1 + rng.uniform(0.04, 0.10) * rng.standard_normal(steps))


def _late_clock(load: NDArray[np.float64], steps: int, rng: Generator) -> NDArray[np.float64]:
    hours_late = int(rng.integers(2, BEFORE // 2 + 1))
    return load[BEFORE - 2 * hours_late :][:steps]


FAULTS = (
    Fault("spike", (1, 2), _scaled(1.2, 1.6)),
    Fault("drop", (1, 4), _scaled(0.4, 0.8)),
    Fault("collapse", (12, 48), _scaled(0.05, 0.35)),
    Fault("stuck", (6, 24), _stuck),
    Fault("drift", (24, 96), _drift),
    Fault("noise_burst", (8, 24), _noise),
    Fault("clock_late", (24, 48), _late_clock),
    Fault("scale_error", (12, 48), _scaled(1.12, 1.3)),
)


def inject(load_mw: NDArray[np.float64], fault: Fault, *, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a load with faults of one kind, one in each stretch of ten days, and where they are.

    Args:
        load_mw: sound load of each half-hour, MW.
        fault: the kind.
        seed: of places, durations and sizes.
    """
    rng = np.random.default_rng(seed)
    damaged, is_fault = load_mw.copy(), np.zeros(len(load_mw), dtype=bool)
    for stretch in range(0, len(load_mw) - STRETCH_STEPS + 1, STRETCH_STEPS):
        steps = int(rng.integers(fault.steps[0], fault.steps[1] + 1))
        start = stretch + int(rng.integers(BEFORE, STRETCH_STEPS - steps))
        damaged[start : start + steps] = fault.damage(load_mw[start - BEFORE : start + steps], steps, rng)
        is_fault[start : start + steps] = True
    return damaged, is_fault
