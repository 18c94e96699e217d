"""What the detection benchmark rests on: faults that change what is labelled and nothing else, and how events count."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bench_detection import event_counts, means, runs
from benchmarks.injected_faults import FAULTS, STRETCH_STEPS, inject

LOAD = 50_000 + 10_000 * np.sin(np.arange(12 * STRETCH_STEPS) / 48 * 2 * np.pi) + np.arange(12 * STRETCH_STEPS) % 7


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_stands_in_each_stretch_and_changes_only_what_is_labelled(fault):
    damaged, is_fault = inject(LOAD, fault, seed=3)
    assert np.array_equal(damaged[~is_fault], LOAD[~is_fault])
    assert (damaged[is_fault] != LOAD[is_fault]).mean() > 0.9
    found = runs(is_fault, gap=1)
    assert [first // STRETCH_STEPS for first, _ in found] == list(range(12))
    assert all(fault.steps[0] <= last - first + 1 <= fault.steps[1] for first, last in found)
    assert np.array_equal(inject(LOAD, fault, seed=3)[0], damaged)
    assert not np.array_equal(inject(LOAD, fault, seed=4)[0], damaged)


def test_there_are_eight_kinds_of_faults():
    assert len({fault.name for fault in FAULTS}) == 8


def test_an_alarm_that_touches_an_event_finds_it_and_alarms_close_together_are_one():
    is_anomaly, flags = np.zeros(100, bool), np.zeros(100, bool)
    is_anomaly[10:20] = is_anomaly[50:60] = True
    flags[[12, 17, 80, 85, 95]] = True
    assert event_counts(is_anomaly, flags) == {"events": 2, "found": 1, "alarms": 3, "true_alarms": 1}


def test_no_flag_is_no_alarm():
    assert event_counts(np.array([True, False]), np.zeros(2, bool))["alarms"] == 0


def test_the_parts_and_the_cases_have_means_of_their_own():
    table = {case: {"x": {"m": value}} for case, value in (("nyc_taxi", 0.9), ("a", 0.1), ("b", 0.3))}
    table["incident_2017-09-30"] = {"x": {"m": 0.7}}
    faults, cases, parts = (mean["x"] for mean in means(table, "m").values())
    assert (faults, cases, parts) == pytest.approx((0.2, 0.5, 0.6))
