"""Training: models of each area, compared over held-out weeks, stored, and the decision about who forecasts recorded.

A run knows nothing later than its instant, so one of the past trains what would have been trained then.
"""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from powersense import model_store
from powersense.contracts import chosen_areas, fold
from powersense.errors import ConfigurationError, ForecastError, ForecastInputError
from powersense.forecasting.championship import Action, winner
from powersense.forecasting.code_version import code_version
from powersense.forecasting.comparison import WITHOUT_WEATHER, measure
from powersense.forecasting.inputs import half_hour_of
from powersense.forecasting.models import create
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.forecast_inputs import read_inputs
from powersense.warehouse.model_registry import Decision, Standing, TrainedModel, decide, register, standing
from powersense.window import Window

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from powersense.forecasting.interface import History

logger = logging.getLogger(__name__)

Kind = Literal["light", "full", "rollback"]

SEED = 2018
_FULL_WEEKDAY = 6


class TrainingJob(TypedDict):
    """One mapped task's work.

    Attributes:
        area: whose models.
        kind: `light` fits the champion's kind again on newer data, `full` compares all kinds over held-out weeks,
            `rollback` brings the previous champion back.
    """

    area: str
    kind: Kind


class Outcome(TypedDict):
    """What a job came to.

    Attributes:
        area: whose models.
        action: promote, keep or rollback; none where nothing could be trained and no champion stands.
        champion: id of the model that forecasts from now on; empty with none.
        reason: for people.
        models_trained: how many were stored.
    """

    area: str
    action: str
    champion: str
    reason: str
    models_trained: int


def plan_training(
    window: Window, *, kind: object = None, areas: object = None, is_rollback: bool = False
) -> list[TrainingJob]:
    """Return a run's jobs: of the areas asked for, else all; light, and full on Sundays, unless the run says otherwise.

    Args:
        window: of the run; its end is now.
        kind: `light` or `full`; None leaves it to the day.
        areas: names of areas, or one; None means all.
        is_rollback: bring the previous champions back in place of training.

    Raises:
        ConfigurationError: an area or a kind does not exist.
    """
    chosen: Kind = "rollback" if is_rollback else "full" if is_full(kind, now=window.end) else "light"
    return [{"area": area, "kind": chosen} for area in chosen_areas(areas)]


def is_full(kind: object, *, now: datetime) -> bool:
    """Tell whether a run of an instant trains in full: as it is asked, else on Sundays.

    Raises:
        ConfigurationError: there is no such kind.
    """
    if kind not in (None, "", "light", "full"):
        raise ConfigurationError(f"kind={kind!r} must be light or full")
    return kind == "full" if kind else now.weekday() == _FULL_WEEKDAY


def run_job(job: TrainingJob, *, now: datetime, run_id: str) -> Outcome:
    """Do one job of `plan_training`; see `train_area` and `roll_back`."""
    if job["kind"] == "rollback":
        return roll_back(job["area"], now=now, run_id=run_id)
    return train_area(job["area"], now=now, kind=job["kind"], run_id=run_id)


def train_area(area: str, *, now: datetime, run_id: str, kind: Literal["light", "full"] = "light") -> Outcome:
    """Train an area's models on what is known before `now`, and decide who forecasts it.

    Light: the champion's kind is fitted again. Full, and wherever there is no champion: each kind is fitted on what
    lies before the held-out weeks and measured on daily issues in them; a challenger is promoted if its error is lower
    by the margin. What wins is fitted again on everything before it is stored, and beside a model with weather one
    without, to fall back to. Where too little is known, the champion stands.

    Args:
        area: the perimeter.
        now: data of this instant and later do not count, UTC.
        run_id: written on every row; one run, repeated, trains the same models.
        kind: light or full.

    Raises:
        ModelFileError: an artefact cannot be stored.
        WarehouseError: ClickHouse failed.
    """
    with connect("writer") as client:
        training = _Training(_history(client, area, now=now), now=now, run_id=run_id)
        stands = standing(client, areas=[area], known_at=now)[area]
        if kind == "light" and stands.champions:
            decision, trained = _refit(training, stands)
        else:
            decision, trained = _compare(training, stands)
        # Models first: a decision never names one that is not there.
        if trained:
            register(client, trained)
        if decision.model_id:
            decide(client, decision)
    return _outcome(decision, models_trained=len(trained))


def roll_back(area: str, *, now: datetime, run_id: str) -> Outcome:
    """Bring an area's previous champion back.

    Args:
        area: the perimeter.
        now: the decision's instant, UTC; forecasts issued from then on obey it.
        run_id: written on the decision.

    Raises:
        ForecastError: there is no earlier champion to bring back.
    """
    with connect("writer") as client:
        ranks = standing(client, areas=[area], known_at=now)[area].champions
        if len(ranks) < 2:
            raise ForecastError(f"{area}: no champion before the present one to bring back; train_models makes them")
        present, earlier = ranks[:2]
        reason = f"{earlier.model_id} was brought back by hand"
        decision = Decision(
            area=area,
            decided_at=now,
            action=Action.ROLLBACK,
            model_id=earlier.model_id,
            previous_model_id=present.model_id,
            reason=reason,
            run_id=run_id,
        )
        decide(client, decision)
    return _outcome(decision, models_trained=0)


class _Training:
    """One run's work on one area: its history, and the facts that every row of it carries."""

    def __init__(self, history: History, *, now: datetime, run_id: str) -> None:
        self.history, self.now, self.run_id = history, now, run_id
        self.until = half_hour_of(now)

    def store(self, name: str, measured: dict[str, dict[str, Any]]) -> list[TrainedModel]:
        """Fit a kind on all data and store it, and beside one with weather the one without.

        Raises:
            ForecastInputError: the kind cannot be fitted on what is known.
        """
        return [self._store(kind, measured.get(kind, {})) for kind in dict.fromkeys([name, WITHOUT_WEATHER])]

    def decision(self, action: Action, model_id: str, previous_model_id: str, reason: str, **mape: Any) -> Decision:
        """Return the decision's row."""
        return Decision(
            area=self.history.area,
            decided_at=self.now,
            action=action,
            model_id=model_id,
            previous_model_id=previous_model_id,
            reason=reason,
            run_id=self.run_id,
            **mape,
        )

    def _store(self, kind: str, measured: dict[str, Any]) -> TrainedModel:
        history = self.history
        model = create(kind)
        model.fit(history, until=self.until, seed=SEED)
        run = hashlib.sha256(self.run_id.encode()).hexdigest()[:8]
        model_id = f"{fold(history.area)}-{kind}-{self.now:%Y%m%dT%H%M%S}-{run}"
        uri, sha256 = model_store.save(model_id, model.save(), model=kind)
        known = history.load_mw.dropna().index
        return TrainedModel(
            model_id=model_id,
            area=history.area,
            model=kind,
            trained_at=self.now,
            data_until=self.until,
            train_from=known[0].to_pydatetime() if len(known) else self.until,
            vintage=history.vintage,
            features=list(getattr(model, "features", ())),
            uses_weather=model.uses_weather,
            metrics=json.dumps(measured),
            code_version=code_version(),
            seed=SEED,
            artefact_uri=uri,
            artefact_sha256=sha256,
            run_id=self.run_id,
        )


def _history(client: Client, area: str, *, now: datetime) -> History:
    settings = get_settings()
    inputs = read_inputs(
        client,
        [area],
        issued_at=half_hour_of(now),
        days=366 * settings.forecast_train_years,
        up_to_vintage=settings.forecast_vintage,
        has_forecast=False,
    )
    return inputs[area].history


def _refit(training: _Training, stands: Standing) -> tuple[Decision, list[TrainedModel]]:
    """Fit the champion's kind again on all data; the champion stays as it is where that cannot be done."""
    champion = stands.champions[0]
    try:
        trained = training.store(champion.model, {})
    except ForecastInputError as error:
        reason = f"{champion.model} could not be fitted again: {error}"
        return training.decision(Action.KEEP, champion.model_id, champion.model_id, reason), []
    reason = f"{champion.model} was fitted again on data before {training.until:%Y-%m-%d %H:%M} UTC"
    return training.decision(Action.KEEP, trained[0].model_id, champion.model_id, reason), trained


def _compare(training: _Training, stands: Standing) -> tuple[Decision, list[TrainedModel]]:
    """Measure every kind over the held-out weeks, choose, and fit the chosen one on all data."""
    settings = get_settings()
    present = stands.champions[0] if stands.champions else None
    champion, champion_id = (present.model, present.model_id) if present else (None, "")
    days, margin = settings.forecast_evaluation_days, settings.forecast_promotion_margin
    measured = measure(training.history, until=training.until, days=days, seed=SEED)
    errors = {name: found["mape"] for name, found in measured.items()}
    if errors:
        name, reason = winner(errors, champion=champion, margin=margin)
    else:
        name, reason = champion or WITHOUT_WEATHER, f"too little is known to hold {days} days out: nothing was compared"
    try:
        trained = training.store(name, measured)
    except ForecastInputError as error:
        # Absent data degrade: the champion stands, or the ladder begins at the analogue.
        return training.decision(Action.KEEP, champion_id, champion_id, f"{name} cannot be trained: {error}"), []
    challengers = [error for kind, error in errors.items() if kind != champion]
    decision = training.decision(
        Action.KEEP if champion == name else Action.PROMOTE,
        trained[0].model_id,
        champion_id,
        reason,
        champion_mape=errors.get(champion or ""),
        challenger_mape=min(challengers, default=None),
        margin=margin,
    )
    return decision, trained


def _outcome(decision: Decision, *, models_trained: int) -> Outcome:
    outcome: Outcome = {
        "area": decision.area,
        "action": str(decision.action) if decision.model_id else "none",
        "champion": decision.model_id,
        "reason": decision.reason,
        "models_trained": models_trained,
    }
    logger.info("%s", outcome)
    return outcome
