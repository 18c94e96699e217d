"""Does streaming detection detect? VUS-PR and event F1 of each model, the ensemble and two references.

Cases: NAB's nyc_taxi, eight kinds of faults put into France's load of 2017 (learnt from: 2016), and the real incident
of 30 September 2017 in ten regions (learnt from: their consolidated load up to August). Every judged series goes
through `StreamScorer` as messages, in batches; the references judge the same features with the same scaling.

- VUS-PR: volume under the range-based precision-recall surface (Paparrizos et al., VLDB 2022) by aeon, buffers of 0 to
  24 half-hours; the mean of the judged series.
- Event F1, at the detector's own threshold, learnt in training: an event is a run of labelled half-hours; an alarm is a
  run of flagged ones, runs less than three hours apart being one. Recall is the share of events that an alarm touches,
  precision the share of alarms that touch an event.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from benchmarks.bench_ingest import ROOT

SEED = 2017
BATCH = 2000
BUFFER_STEPS = 24
ALARM_GAP_STEPS = 6
TABLE = ROOT / "build" / "bench_detection.json"


def run() -> list[dict[str, Any]]:
    """Return the rows of the benchmark; the whole table is printed and written to build/bench_detection.json."""
    sys.path.insert(0, str(ROOT / "include"))
    logging.getLogger("powersense").setLevel(logging.ERROR)
    table = {name: measure(case) for name, case in _cases()}
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(table, indent=2) + "\n")
    for measured in ("vus_pr", "event_f1"):
        print(as_text(table, measured))
    return [*_rows(table), *_speed()]


def _cases() -> Iterator[tuple[str, Any]]:
    from benchmarks import detection_cases as cases

    load = cases.national()
    faults = cases.fault_cases(load, train=("2016-02-08", "2017-01-01"), judge=("2017-02-08", "2017-12-30"), seed=SEED)
    for case in [cases.nyc_taxi(), *faults, cases.incident()]:
        yield case.name, case


def measure(case: Any, *, models: tuple[str, ...] | None = None) -> dict[str, dict[str, float]]:
    """Return VUS-PR and event F1 by detector."""
    import numpy as np
    from aeon.benchmarking.metrics.anomaly_detection import range_pr_vus_score

    said: dict[str, list[dict[str, float]]] = {}
    for series, by_detector in _scored(case, models):
        for name, (scores, flags) in by_detector.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                vus = range_pr_vus_score(series.is_anomaly.astype(int), scores, max_buffer_size=BUFFER_STEPS)
            counts = event_counts(series.is_anomaly, flags)
            said.setdefault(name, []).append({"vus_pr": float(vus), **counts})
    result = {}
    for name, each in said.items():
        total = {key: sum(one[key] for one in each) for key in ("events", "found", "alarms", "true_alarms")}
        recall, precision = total["found"] / total["events"], total["true_alarms"] / max(total["alarms"], 1)
        f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
        vus = float(np.mean([one["vus_pr"] for one in each]))
        result[name] = {"vus_pr": vus, "event_f1": f1, "recall": recall, "precision": precision}
    return result


def event_counts(is_anomaly: Any, flags: Any) -> dict[str, float]:
    """Return how many events there are and are touched, how many alarms there are and touch one."""
    events, alarms = runs(is_anomaly, gap=1), runs(flags, gap=ALARM_GAP_STEPS)
    found = sum(flags[first : last + 1].any() for first, last in events)
    hits = sum(is_anomaly[first : last + 1].any() for first, last in alarms)
    return {"events": len(events), "found": int(found), "alarms": len(alarms), "true_alarms": int(hits)}


def runs(flags: Any, *, gap: int) -> list[tuple[int, int]]:
    """Return first and last positions of runs of flags; runs less than `gap` positions apart are one."""
    import numpy as np

    at = np.flatnonzero(flags)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > gap)
    return list(zip(at[[0, *(cuts + 1)]].tolist(), at[[*cuts, -1]].tolist(), strict=True))


def _scored(case: Any, models: tuple[str, ...] | None) -> Iterator[tuple[Any, dict[str, tuple[Any, Any]]]]:
    """Yield each judged series with every detector's (scores, flags)."""
    import pandas as pd

    learnt = pd.concat([each.features for each in case.training]).dropna()
    owner = pd.concat([pd.Series(each.name, index=each.features.index) for each in case.training])
    known = pd.concat([each.features for each in case.training]).notna().all(axis=1).to_numpy()
    ensemble, references = _trained(_Data(learnt.to_numpy(), tuple(owner[known])), models)
    for series in case.judged:
        by_detector = _by_stream(series, ensemble)
        rows = ensemble.scaling(series.features.to_numpy())[:, None, :]
        for name, (model, curve) in references.items():
            scores = curve(model.raw_scores(rows))
            by_detector[name] = (scores, scores >= _threshold())
        yield series, by_detector


class _Data:
    """Training data that can be a key of a cache: the eight kinds of faults share one training."""

    def __init__(self, rows: Any, series: tuple[str, ...]) -> None:
        self.rows, self.series = rows, series

    def __hash__(self) -> int:
        return hash((self.rows.tobytes(), self.series))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Data) and hash(self) == hash(other)


@lru_cache(maxsize=1)
def _trained(data: _Data, models: tuple[str, ...] | None) -> tuple[Any, dict[str, Any]]:
    import numpy as np

    from benchmarks.reference_detectors import NearestRows, PrincipalComponents
    from powersense.detection.stream.calibration import Calibration
    from powersense.detection.stream.ensemble import ALL, TrainedEnsemble
    from powersense.detection.stream.load_features import FEATURE_NAMES
    from powersense.detection.stream.training_rows import TrainingRows

    ensemble = TrainedEnsemble.train(
        data.rows, FEATURE_NAMES, series=data.series, models=models or ALL, seed=SEED, model_id="bench"
    )
    training = TrainingRows.of(data.rows, FEATURE_NAMES, data.series)
    scaled, windows = ensemble.scaling(training.rows), training.windows(1)
    references = {}
    for make in (PrincipalComponents, NearestRows):
        held_out = []
        for learnt, held in training.folds(windows):
            model = make()
            model.fit(scaled, learnt, seed=SEED)
            held_out.append(model.raw_scores(scaled[held]))
        model = make()
        model.fit(scaled, windows, seed=SEED)
        references[model.name] = (model, Calibration.fit(np.concatenate(held_out)))
    return ensemble, references


def _threshold() -> float:
    from powersense.detection.stream.scorer import THRESHOLD

    return THRESHOLD


def _by_stream(series: Any, ensemble: Any) -> dict[str, tuple[Any, Any]]:
    """Return each model's and the ensemble's (scores, flags), as the stream gives them; 0 where it refuses."""
    import numpy as np

    from powersense.detection.stream.scorer import POOLED, StreamScorer
    from powersense.detection.stream.sequences import SequenceState

    scorer = StreamScorer({POOLED: ensemble}, SequenceState(max_series=1))
    messages = as_messages(series.name, series.features)
    refused = scorer.refusals(messages)
    kept = np.array([at for at in range(len(messages)) if at not in refused])
    parts = [
        scorer.score_batch([messages[at] for at in kept[first : first + BATCH]]) for first in range(0, len(kept), BATCH)
    ]
    columns = [np.column_stack([np.nan_to_num(part.scores), part.final_scores]) for part in parts]
    flags = [np.column_stack([part.flags, part.is_anomaly]) for part in parts]
    scores, raised = (
        np.zeros((len(messages), columns[0].shape[1])),
        np.zeros((len(messages), columns[0].shape[1]), bool),
    )
    scores[kept], raised[kept] = np.concatenate(columns), np.concatenate(flags)
    names = (*ensemble.model_names, "ensemble")
    return {name: (scores[:, at], raised[:, at]) for at, name in enumerate(names)}


def as_messages(asset_id: str, features: Any) -> list[Any]:
    """Return a frame of features as messages, without the features that cannot be told."""
    from powersense.detection.stream.interface import FeatureMessage

    names = list(features.columns)
    return [
        FeatureMessage(asset_id, "load", {n: v for n, v in zip(names, row, strict=True) if v == v}, at, {})  # noqa: PLR0124
        for at, row in zip(features.index.to_pydatetime(), features.to_numpy().tolist(), strict=True)
    ]


FAULTS_MEAN, CASES_MEAN, PARTS_MEAN = "injected faults, mean of 8", "mean of the ten cases", "mean of the three parts"


def means(table: dict[str, Any], measured: str) -> dict[str, dict[str, float]]:
    """Return each mean by detector: of the eight kinds of faults, of all cases, and of taxi, faults and incident."""
    parts = ("nyc_taxi", "incident_2017-09-30")
    result: dict[str, dict[str, float]] = {FAULTS_MEAN: {}, CASES_MEAN: {}, PARTS_MEAN: {}}
    for name in table["nyc_taxi"]:
        values = {case: by_detector[name][measured] for case, by_detector in table.items()}
        faults = [value for case, value in values.items() if case not in parts]
        result[FAULTS_MEAN][name] = sum(faults) / len(faults)
        result[CASES_MEAN][name] = sum(values.values()) / len(values)
        result[PARTS_MEAN][name] = (sum(values[part] for part in parts) + result[FAULTS_MEAN][name]) / 3
    return result


def as_text(table: dict[str, Any], measured: str) -> str:
    """Return the table of one measure as Markdown."""
    cases, detectors = list(table), list(table["nyc_taxi"])
    lines = [f"| {measured} | " + " | ".join(detectors) + " |", "|---" * (len(detectors) + 1) + "|"]
    cells = {case: [f"{table[case][name][measured]:.2f}" for name in detectors] for case in cases}
    for label, averages in means(table, measured).items():
        cells[f"**{label}**"] = [f"{averages[name]:.3f}" for name in detectors]
    return "\n".join([*lines, *(f"| {case} | " + " | ".join(each) + " |" for case, each in cells.items())])


def _row(name: str, value: float, unit: str, *, goal: str, holds: bool, **reference: Any) -> dict[str, Any]:
    fields = {"name": f"detection: {name}", "value": value, "unit": unit, "reference": "–", "ratio": None}
    return {**fields, "goal": goal, "holds": bool(holds), **reference}


def _rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for measured in ("vus_pr", "event_f1"):
        averages = means(table, measured)
        for label in (CASES_MEAN, PARTS_MEAN):
            others = dict(averages[label])
            ensemble = others.pop("ensemble")
            best = max(others, key=others.__getitem__)
            rows.append(
                _row(
                    f"{measured} of the ensemble, {label}",
                    ensemble,
                    "",
                    goal="above each member and both references",
                    holds=ensemble > others[best],
                    reference=f"best other: {best}, {others[best]:.3f}",
                    ratio=ensemble / others[best],
                )
            )
    return rows


def _speed() -> list[dict[str, Any]]:
    """Time scoring alone: ten features, 10,000 series, batches of 2000, verdicts as columns."""
    from datetime import UTC, datetime

    import numpy as np

    from powersense.detection.stream.ensemble import ALL, TrainedEnsemble
    from powersense.detection.stream.interface import FeatureMessage
    from powersense.detection.stream.scorer import POOLED, StreamScorer
    from powersense.detection.stream.sequences import SequenceState

    names, count = [f"f{number}" for number in range(10)], 20_000
    data, now = np.random.default_rng(SEED).normal(size=(count, 10)), datetime(2017, 1, 1, tzinfo=UTC)
    messages = [
        FeatureMessage(f"asset-{at % 10_000}", "s", dict(zip(names, row, strict=True)), now, {})
        for at, row in enumerate(data.tolist())
    ]
    rows = []
    for models, goal in ((ALL[:2], 60_000), (ALL[:3], 15_000), (ALL, 15_000)):
        ensemble = TrainedEnsemble.train(data[:4000], names, series=None, models=models, seed=SEED, model_id="bench")
        scorer = StreamScorer({POOLED: ensemble}, SequenceState(max_series=10_000))
        scorer.warm_up()
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            for at in range(0, count, BATCH):
                scorer.score_batch(messages[at : at + BATCH])
            seconds.append(time.perf_counter() - started)
        rate = count / min(seconds)
        rows.append(_row(f"scoring by {', '.join(models)}", rate, "messages/s", goal=f"≥ {goal}", holds=rate >= goal))
    return rows
