"""The models together: trained on the same rows, calibrated on held-out ones, one final score.

Each model's raw score becomes decades of rarity (see `calibration`). The final score is the mean of the decades (each
up to six) of the models that can say, calibrated in its turn on held-out rows, once for each set of models that may
speak: those that look at the row itself, and from the message on that fills their window, the others too. So each
score, the final one included, reaches its threshold on a share `FALSE_ALARM_RATE` of usual rows.

Criticality: medium from the threshold on; high and critical from where usual rows are ten and a hundred times rarer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from powersense.detection.stream import members
from powersense.detection.stream.calibration import LEAST_SCORES, Calibration, calibrated
from powersense.detection.stream.held_out import (
    FALSE_ALARM_RATE,
    LEVELS,
    final_calibrations,
    held_out_scores,
    pooled,
    summary,
)
from powersense.detection.stream.members import ALL
from powersense.detection.stream.model_arrays import checked_json, pack, unpack
from powersense.detection.stream.scaling import RobustScaling
from powersense.detection.stream.training_rows import TrainingRows
from powersense.errors import ModelFileError, TrainingDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from powersense.detection.stream.interface import StreamModel

__all__ = ["ALL", "FALSE_ALARM_RATE", "LEVELS", "Judgement", "TrainedEnsemble"]

FORMAT = "powersense-stream-1"
_MANIFEST = "ensemble.json"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores of some rows: calibrated, in [0, 1].

    Attributes:
        scores: (rows, models); NaN where a model cannot say.
        final_scores: (rows,).
        is_anomaly: (rows,) bool.
        criticality: (rows,) positions in `interface.CRITICALITIES`.
    """

    scores: NDArray[np.float64]
    final_scores: NDArray[np.float64]
    is_anomaly: NDArray[np.bool_]
    criticality: NDArray[np.int8]


@dataclass(frozen=True)
class TrainedEnsemble:
    """Trained models with what belongs to them.

    Attributes:
        model_id: of the ensemble.
        feature_names: columns of its rows.
        models: trained, in the order of their scores.
        scaling: from features to what the models see.
        calibrations: of each model.
        final_calibrations: of the mean, by the longest window among the models that speak; rising.
        metrics: of the training: rows, series, held-out rows and the share of them flagged by model, models left out.
        seed: of everything random.
    """

    model_id: str
    feature_names: tuple[str, ...]
    models: tuple[StreamModel, ...]
    scaling: RobustScaling
    calibrations: tuple[Calibration, ...]
    final_calibrations: Mapping[int, Calibration]
    metrics: dict[str, Any]
    seed: int

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models' names, in the order of their scores."""
        return tuple(model.name for model in self.models)

    @property
    def window(self) -> int:
        """Rows of a series that the model of the longest memory looks at."""
        return max(model.window for model in self.models)

    @classmethod
    def train(  # noqa: PLR0913 - what a training is told
        cls,
        data: NDArray[np.float64],
        feature_names: Sequence[str],
        *,
        series: Sequence[str] | None,
        models: Sequence[str] = ALL,
        seed: int,
        model_id: str,
    ) -> Self:
        """Train models on usual rows; a few anomalies among them do no harm.

        Each series is cut into blocks, dealt out to folds; every model is fitted without each fold in turn, and what it
        then says of that fold calibrates it. The model that serves is fitted on all. A model is left out where the
        series are too short for its window; `metrics["left_out"]` says so.

        Args:
            data: (n, features); NaN is a missing feature.
            feature_names: the columns.
            series: of each row, "asset/sensor"; rows of one series stand in the order of time. None: all are one.
            models: names out of `ALL`.
            seed: the same data and seed give the same ensemble.
            model_id: of the ensemble.

        Raises:
            TrainingDataError: the data or the names cannot be learnt from; names the field, the value and the remedy.
        """
        unknown = [name for name in models if name not in ALL]
        if unknown or not models:
            raise TrainingDataError(f"models={list(models)!r}: name one or more of {', '.join(ALL)}")
        training = TrainingRows.of(data, feature_names, series)
        scaling = RobustScaling.fit(training.rows)
        scaled = scaling(training.rows)
        trained, held_out, left_out = [], [], {}
        for name in (name for name in ALL if name in models):
            said = held_out_scores(name, training, scaled, seed=seed)
            if np.isfinite(said).sum() < LEAST_SCORES:
                left_out[name] = "the series are too short for its window"
                continue
            model = members.create(name)
            model.fit(scaled, training.windows(model.window), seed=seed)
            trained.append(model)
            held_out.append(said)
        if not trained:
            raise TrainingDataError(f"series: of {training.series} none is long enough for {', '.join(models)}")
        calibrations = tuple(Calibration.fit(said[np.isfinite(said)]) for said in held_out)
        rarities = np.column_stack([curve.rarity(said) for curve, said in zip(calibrations, held_out, strict=True)])
        finals = final_calibrations(trained, rarities)
        names = tuple(model.name for model in trained)
        metrics = {**summary(training, names, rarities), "left_out": left_out}
        parts = (tuple(trained), scaling, calibrations, finals, metrics)
        return cls(model_id, tuple(feature_names), *parts, seed)

    def judge(self, windows: NDArray[np.float64], lengths: NDArray[np.intp]) -> Judgement:
        """Score the last row of each window.

        Args:
            windows: (m, w, features), w at least the longest of the models'; unscaled, NaN where a feature is missing.
            lengths: (m,) how many rows of each window are there, its last ones; at least 1.
        """
        scaled = self.scaling(windows)
        rarities = np.full((len(windows), len(self.models)), np.nan)
        for column, (model, curve) in enumerate(zip(self.models, self.calibrations, strict=True)):
            can = lengths >= model.window
            seen = scaled[:, scaled.shape[1] - model.window :]
            if can.all():
                rarities[:, column] = curve.rarity(model.raw_scores(seen))
            elif can.any():
                rarities[can, column] = curve.rarity(model.raw_scores(seen[can]))
        final = np.zeros(len(windows))
        for speaking, rows in self._speaking(lengths):
            mean = pooled(rarities[rows][:, [model.window <= speaking for model in self.models]])
            final[rows] = self.final_calibrations[speaking](mean)
        critical = np.searchsorted(LEVELS, final, side="right").astype(np.int8)
        return Judgement(calibrated(rarities), final, critical > 0, critical)

    def _speaking(self, lengths: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yield the longest window among the models that can say, and the rows of which this holds."""
        levels = np.array(list(self.final_calibrations))
        level = np.searchsorted(levels, lengths, side="right") - 1
        for number in np.unique(level[level >= 0]):
            yield int(levels[number]), np.flatnonzero(level == number)

    def to_files(self) -> dict[str, bytes]:
        """Return the ensemble as files by name, JSON and npz: nothing that can execute code when read."""
        manifest = {
            "format": FORMAT,
            "model_id": self.model_id,
            "feature_names": self.feature_names,
            "model_names": self.model_names,
            "levels": list(self.final_calibrations),
            "metrics": self.metrics,
            "seed": self.seed,
        }
        files = {_MANIFEST: json.dumps(manifest).encode(), "scaling.npz": pack(self.scaling.to_arrays())}
        for model, curve in zip(self.models, self.calibrations, strict=True):
            files[f"{model.name}.npz"] = pack(model.to_arrays())
            files[f"{model.name}.calibration.npz"] = pack(curve.to_arrays())
        for level, curve in self.final_calibrations.items():
            files[f"final_{level}.calibration.npz"] = pack(curve.to_arrays())
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Return the ensemble that `to_files` wrote.

        Raises:
            ModelFileError: a file is missing, corrupt, or not of such an ensemble.
        """
        said = checked_json(files, _MANIFEST, format_name=FORMAT, fields=_FIELDS)
        features, names = tuple(said["feature_names"]), said["model_names"]
        foreign = [name for name in names if name not in ALL]
        if foreign or not names:
            raise ModelFileError(f"{_MANIFEST}: model_names={names!r} are none of this release's; train again")

        def arrays(name: str) -> dict[str, NDArray[Any]]:
            if name not in files:
                raise ModelFileError(f"{name}: the file is missing; train again")
            return unpack(files[name], name=name)

        ensemble = cls(
            said["model_id"],
            features,
            tuple(members.read(name, arrays(f"{name}.npz")) for name in names),
            RobustScaling.from_arrays(arrays("scaling.npz")),
            tuple(Calibration.from_arrays(arrays(f"{name}.calibration.npz")) for name in names),
            {level: Calibration.from_arrays(arrays(f"final_{level}.calibration.npz")) for level in said["levels"]},
            said["metrics"],
            said["seed"],
        )
        ensemble._try()
        return ensemble

    def _try(self) -> None:
        """Score one row: what does not fit together fails here, not on the first message.

        Raises:
            ModelFileError: it fails.
        """
        if sorted({model.window for model in self.models}) != list(self.final_calibrations):
            raise ModelFileError(f"{_MANIFEST}: levels do not fit the models' windows; train again")
        if len(self.scaling.median) != len(self.feature_names):
            raise ModelFileError(f"{_MANIFEST}: feature_names do not fit the files; train again")
        row = np.zeros((1, self.window, len(self.feature_names)))
        try:
            judged = self.judge(row, np.array([self.window]))
        except (ValueError, IndexError, TypeError, KeyError) as error:
            raise ModelFileError(f"{self.model_id}: its files do not fit together: {error}; train again") from error
        if not np.isfinite(judged.scores).all() or not np.isfinite(judged.final_scores).all():
            raise ModelFileError(f"{self.model_id}: it gives no numbers; train again")


_FIELDS = {
    "model_id": str, "feature_names": list, "model_names": list, "levels": list, "metrics": dict, "seed": int,
}  # fmt: skip
