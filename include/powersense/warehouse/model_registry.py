"""The tables `models` and `model_decisions`: what was trained, and who forecasts an area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.forecasting.championship import Action, champions
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class TrainedModel:
    """One trained model; instants in UTC.

    Attributes:
        model_id: unique; names the artefact.
        area: what it forecasts.
        model: its kind, a name of `forecasting.models`.
        trained_at: the training run's instant.
        data_until: it knows nothing of this instant and later ones.
        train_from: first half-hour with a load that it was fitted on.
        vintage: the level of the load that it was fitted on.
        features: names of what it computes from load, calendar and weather.
        uses_weather: it cannot forecast without.
        metrics: JSON: errors over the held-out weeks, of its kind fitted on what came before them; {} where none were
            held out.
        code_version: version of the package and fingerprint of its forecasting code.
        seed: of whatever is random in the fit.
        artefact_uri: where its file lies.
        artefact_sha256: of the file, hexadecimal.
        run_id: the Airflow run.
    """

    model_id: str
    area: str
    model: str
    trained_at: datetime
    data_until: datetime
    train_from: datetime
    vintage: str
    features: list[str]
    uses_weather: bool
    metrics: str
    code_version: str
    seed: int
    artefact_uri: str
    artefact_sha256: str
    run_id: str


@dataclass(frozen=True)
class Decision:
    """One decision about an area's champion.

    Attributes:
        area: the perimeter.
        decided_at: the run's instant, UTC.
        action: what was decided.
        model_id: the champion from then on.
        previous_model_id: the champion before; empty where there was none.
        reason: for people.
        run_id: the Airflow run.
        champion_mape: error of the champion's kind over the held-out weeks, a share; None where not measured.
        challenger_mape: the same of the best other kind.
        margin: share by which a challenger had to be better; None where nothing was compared.
    """

    area: str
    decided_at: datetime
    action: Action
    model_id: str
    previous_model_id: str
    reason: str
    run_id: str
    champion_mape: float | None = None
    challenger_mape: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class StoredModel:
    """What is needed to load a model."""

    area: str
    model_id: str
    model: str
    data_until: datetime
    uses_weather: bool
    artefact_uri: str
    artefact_sha256: str


@dataclass(frozen=True)
class Standing:
    """An area's models at an instant.

    Attributes:
        champions: the champion first, then those to fall back to, newest first.
        without_weather: the newest model that needs no weather; None where there is none.
    """

    champions: list[StoredModel]
    without_weather: StoredModel | None


def register(client: Client, models: Sequence[TrainedModel]) -> None:
    """Record trained models; one that is recorded already is replaced."""
    _insert(client, "models", [asdict(model) for model in models], [field.name for field in fields(TrainedModel)])


def decide(client: Client, decision: Decision) -> None:
    """Record a decision; the same one again changes nothing."""
    row = asdict(decision) | {"action": str(decision.action)}
    _insert(client, "model_decisions", [row], [field.name for field in fields(Decision)])


def standing(client: Client, *, areas: Sequence[str], known_at: datetime) -> dict[str, Standing]:
    """Return by area the models that were there at an instant, so that an issue of the past uses none of later days.

    Args:
        client: any role's client.
        areas: the perimeters; one without any model has an empty standing.
        known_at: models trained and decisions taken later do not count, UTC.
    """
    parameters = {"areas": list(areas), "known_at": known_at}
    decided: dict[str, list[tuple[str, str]]] = {area: [] for area in areas}
    for area, action, model_id in client.query(statement("champion_decisions"), parameters=parameters).result_rows:
        decided[area].append((action, model_id))
    ranks = {area: champions(decisions) for area, decisions in decided.items()}
    wanted = parameters | {"model_ids": sorted({model_id for ids in ranks.values() for model_id in ids})}
    rows = client.query(statement("models_trained"), parameters=wanted).named_results()
    trained: dict[str, list[StoredModel]] = {area: [] for area in areas}
    for row in rows:
        trained[row["area"]].append(StoredModel(**row))
    return {area: _standing(ranks[area], models) for area, models in trained.items()}


def _standing(ranks: Sequence[str], trained: Sequence[StoredModel]) -> Standing:
    by_id = {model.model_id: model for model in trained}
    return Standing(
        champions=[by_id[model_id] for model_id in ranks if model_id in by_id],
        without_weather=next((model for model in trained if not model.uses_weather), None),
    )


def _insert(client: Client, table: str, rows: Sequence[dict[str, object]], columns: Sequence[str]) -> None:
    client.insert(
        table,
        [[row[name] for name in columns] for row in rows],
        column_names=list(columns),
        settings={"insert_deduplicate": 0},
    )
