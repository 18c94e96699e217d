"""Training for the stream: an ensemble from rows that are sent, or from the areas' load, stored and registered.

One path for the API and the DAG: what is registered last serves its scope from then on.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense import model_store
from powersense.contracts import AREAS, fold
from powersense.errors import TrainingDataError
from powersense.settings import get_settings
from powersense.warehouse.stream.models import POOLED, RegisteredEnsemble, Source, register, serving

if TYPE_CHECKING:
    import numpy as np
    from clickhouse_connect.driver.client import Client
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SEED = 2018
MODEL_KIND = "stream_ensemble"


@dataclass(frozen=True)
class Rows:
    """What an ensemble learns from.

    Attributes:
        data: (rows, features), finite.
        feature_names: unique.
        scope: `POOLED`, or the asset that the ensemble scores alone.
        series: per row; rows of one series stand in time order. None: one series.
        models: names; None: all.
    """

    data: Sequence[Sequence[float]] | NDArray[np.float64]
    feature_names: Sequence[str]
    scope: str = POOLED
    series: Sequence[str] | None = None
    models: Sequence[str] | None = None


@dataclass(frozen=True)
class Trained:
    """What a training came to; `trained_at` in UTC."""

    model_id: str
    scopes: list[str]
    model_names: list[str]
    feature_names: list[str]
    rows_trained: int
    trained_at: datetime
    metrics: dict[str, Any]


def train_rows(rows: Rows, run_id: str, now: datetime, source: Source = "api") -> Trained:
    """Train an ensemble on rows, store it, and let it serve its scope.

    Args:
        rows: what to learn from.
        run_id: who asks; stands in the registry.
        now: instant of the training, UTC.
        source: whether the API or a schedule asks.

    Raises:
        TrainingDataError: nothing can be learnt from the rows; names field, value and remedy.
        ModelFileError: the artefact cannot be stored.
        WarehouseError: ClickHouse failed.
    """
    return _train(rows, scopes=[rows.scope], run_id=run_id, now=now, source=source)


def train_areas(*, now: datetime, run_id: str) -> Trained:
    """Train one ensemble on the load of all areas over the last `STREAM_TRAIN_WEEKS`, anomalies left out.

    It becomes the pooled one. Where somebody pooled an ensemble of other features through the API, that one stays,
    and this one serves each area by name.

    Args:
        now: load of this instant and later does not count, UTC.
        run_id: of the Airflow run; the same run, repeated, trains the same ensemble.

    Raises:
        TrainingDataError: too little load is known.
        WarehouseError: ClickHouse failed.
    """
    from powersense.detection.stream.load_features import FEATURE_NAMES
    from powersense.forecasting.inputs import half_hour_of
    from powersense.warehouse.client import connect

    until = half_hour_of(now)
    since = until - timedelta(weeks=get_settings().stream_train_weeks)
    with connect("reader") as client:
        rows = _load_rows(client, since=since, until=until)
        scopes = _scopes_of_load(serving(client))
    if not len(rows.data):
        raise TrainingDataError(
            f"data: no half-hour from {since:%Y-%m-%d} to {until:%Y-%m-%d} has all of {', '.join(FEATURE_NAMES)}; "
            "they need five weeks of load before, which ingest_load brings"
        )
    return _train(rows, scopes=scopes, run_id=run_id, now=now, source="schedule", span=(since, until))


class NothingToTrainError(Exception):
    """The stream's ensemble stays as it is; says why."""


def train_as_asked(asked: Mapping[str, Any], *, now: datetime, run_id: str) -> dict[str, str | int]:
    """Train the areas' ensemble as a run of `train_models` wants it: in full runs, and where there is none.

    Args:
        asked: the run's parameters `kind`, `part` and `rollback`; see the DAG.
        now: the run's instant, UTC.
        run_id: of the Airflow run.

    Returns:
        `model_id`, how many `scopes` it serves, `rows_trained`.

    Raises:
        NothingToTrainError: none is wanted, or too little load is known.
        ConfigurationError: there is no such kind of training.
        WarehouseError: ClickHouse failed.
    """
    reason = _why_not(asked, now=now)
    if reason:
        raise NothingToTrainError(reason)
    try:
        trained = train_areas(now=now, run_id=run_id)
    except TrainingDataError as error:
        raise NothingToTrainError(f"too little is known: {error}") from error
    return {
        "model_id": trained.model_id,
        "scopes": len(trained.scopes),
        "rows_trained": trained.rows_trained,
    }


def _why_not(asked: Mapping[str, Any], *, now: datetime) -> str:
    """Tell why a run leaves the stream's ensemble as it is; empty where it shall train one."""
    from powersense.streaming.presence import NOT_SET_UP, is_set_up
    from powersense.train import is_full
    from powersense.warehouse.client import connect

    if not is_set_up():
        return NOT_SET_UP
    if asked.get("rollback"):
        return "a rollback concerns the forecast models only"
    if asked.get("part") == "forecast":
        return "only the forecast models are asked for"
    if is_full(asked.get("kind"), now=now):
        return ""
    with connect("reader") as client:
        scheduled = [ensemble for ensemble in serving(client) if ensemble.source == "schedule"]
    return f"{scheduled[0].model_id} serves; full runs train it again" if scheduled else ""


def _load_rows(client: Client, *, since: datetime, until: datetime) -> Rows:
    """Return the usual half-hours of all areas; a gap in an area's load begins another series."""
    import numpy as np

    from powersense.detection.stream.load_features import FEATURE_NAMES, STEP
    from powersense.streaming.area_features import SENSOR, read_features

    data, series = [np.empty((0, len(FEATURE_NAMES)))], []
    areas = [area.name for area in AREAS]
    for found in read_features(client, areas, start=since, end=until, is_for_training=True):
        usual = found.features.dropna()
        data.append(usual.to_numpy(dtype="float64"))
        part = (usual.index.to_series().diff() > STEP).cumsum()
        series += [f"{found.area}/{SENSOR}/{number}" for number in part]
    chosen = [name.strip() for name in get_settings().stream_models.split(",") if name.strip()]
    return Rows(np.concatenate(data), FEATURE_NAMES, series=series, models=chosen or None)


def _scopes_of_load(ensembles: Sequence[RegisteredEnsemble]) -> list[str]:
    pooled = next((ensemble for ensemble in ensembles if ensemble.scope == POOLED), None)
    if pooled is None or pooled.source == "schedule":
        return [POOLED]
    return [area.name for area in AREAS]


def _train(  # noqa: PLR0913 - what the registry says of a training
    rows: Rows,
    *,
    scopes: Sequence[str],
    run_id: str,
    now: datetime,
    source: Source,
    span: tuple[datetime, datetime] | None = None,
) -> Trained:
    import numpy as np

    from powersense.detection.stream.ensemble import TrainedEnsemble
    from powersense.detection.stream.members import ALL
    from powersense.forecasting.code_version import version_of
    from powersense.warehouse.client import connect

    ensemble = TrainedEnsemble.train(
        np.asarray(rows.data, dtype=np.float64),
        list(rows.feature_names),
        series=rows.series,
        models=list(rows.models or ALL),
        seed=SEED,
        model_id=_model_id(rows.scope, run_id=run_id, now=now),
    )
    uri, sha256 = model_store.save(ensemble.model_id, ensemble.to_files(), model=MODEL_KIND)
    since, until = span or (None, None)
    with connect("writer") as client:
        for scope in scopes:
            register(
                client,
                RegisteredEnsemble(
                    model_id=ensemble.model_id,
                    scope=scope,
                    model_names=list(ensemble.model_names),
                    feature_names=list(ensemble.feature_names),
                    trained_at=now,
                    data_from=since,
                    data_until=until,
                    rows_trained=len(rows.data),
                    metrics=json.dumps(ensemble.metrics),
                    code_version=version_of("powersense.detection.stream"),
                    seed=SEED,
                    artefact_uri=uri,
                    artefact_sha256=sha256,
                    source=source,
                    run_id=run_id,
                ),
            )
    logger.info("trained %s on %d rows for %s", ensemble.model_id, len(rows.data), scopes)
    return Trained(
        model_id=ensemble.model_id,
        scopes=list(scopes),
        model_names=list(ensemble.model_names),
        feature_names=list(ensemble.feature_names),
        rows_trained=len(rows.data),
        trained_at=now,
        metrics=dict(ensemble.metrics),
    )


def _model_id(scope: str, *, run_id: str, now: datetime) -> str:
    """Return a name that a repeated run gives again, and no other training; it names a file, so letters only."""
    named = hashlib.sha256(f"{scope}\n{run_id}\n{now.isoformat()}".encode()).hexdigest()[:8]
    return f"stream-{fold(scope)[:40] or 'pooled'}-{now:%Y%m%dT%H%M%S}-{named}"
