"""One area's walk, kept week by week so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from powersense.backtest.inputs import NO_WEATHER, Inputs
from powersense.backtest.workers import forecast_weeks
from powersense.errors import ForecastInputError
from powersense.forecasting.backtest import Plan
from powersense.forecasting.code_version import code_version
from powersense.forecasting.models import MODELS, create
from powersense.forecasting.rte_reference import evaluate
from powersense.forecasting.scorecard import Scorecard, score
from powersense.forecasting.worst_days import WorstDay, worst_days

_WITHOUT_WEATHER = "_without_weather"


def _say_nothing(done: int, weeks: int) -> None:
    pass


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        key: hash of inputs, options and code; names its folder.
        folder: where its weeks, scorecard and picture are.
        plan: what was forecast.
        inputs: from what.
        evaluated: one row per issue and scored half-hour, see `forecasting.rte_reference.evaluate`.
        card: the figures.
        worst: the worst days.
        code_version: hash of the code that forecast.
    """

    key: str
    folder: Path
    plan: Plan
    inputs: Inputs
    evaluated: pd.DataFrame
    card: Scorecard
    worst: tuple[WorstDay, ...]
    code_version: str

    @property
    def weather(self) -> str:
        """What the forecasts knew of the weather; a model that asks for none knows none."""
        return self.inputs.weather if create(self.plan.model).uses_weather else NO_WEATHER

    def rows(self, ran_at: datetime) -> list[dict[str, Any]]:
        """Return one row of the table `backtests` for each figure."""
        run = {
            "run_key": self.key,
            "area": self.inputs.area,
            "model": self.plan.model,
            "first_day": self.plan.first,
            "last_day": self.plan.last,
            "weather": self.weather,
            "vintage": str(self.inputs.vintage),
            "code_version": self.code_version,
            "ran_at": ran_at,
        }
        return [run | asdict(cell) for cell in self.card.cells]


def run(
    plan: Plan, inputs: Inputs, folder: Path, *, on_week: Callable[[int, int], None] = _say_nothing, workers: int = 0
) -> Run:
    """Walk a plan; weeks that a run of the same key has finished are read, not forecast again.

    Args:
        plan: what to forecast; without weather its model is exchanged for the one that needs none.
        inputs: from what.
        folder: where the runs' folders are.
        on_week: told how many weeks of how many are done, at the start and after each.
        workers: processes that forecast side by side; 0 forecasts in this one.

    Raises:
        ForecastInputError: the inputs do not serve the plan.
    """
    plan = replace(plan, model=model_for(plan.model, inputs))
    history = inputs.history(plan)
    key = run_key(plan, inputs)
    kept = folder / key
    kept.mkdir(parents=True, exist_ok=True)
    weeks = {week: kept / "weeks" / f"{week.issued_at[0]:%Y-%m-%d}.parquet" for week in plan.weeks()}
    forecasts = {path: pd.read_parquet(path) for path in weeks.values() if path.exists()}
    on_week(len(forecasts), len(weeks))
    due = [week for week, path in weeks.items() if path not in forecasts]
    for week, forecast in forecast_weeks(plan, history, due, workers=workers):
        _keep(forecast, weeks[week])
        forecasts[weeks[week]] = forecast
        on_week(len(forecasts), len(weeks))
    walked = pd.concat([forecasts[path] for path in weeks.values()], ignore_index=True)
    evaluated = evaluate(walked, inputs.load_mw, inputs.rte_j1_mw)
    return Run(
        key=key,
        folder=kept,
        plan=plan,
        inputs=inputs,
        evaluated=evaluated,
        card=score(evaluated, model=plan.model),
        worst=worst_days(evaluated, model=plan.model, temperature_c=inputs.temperature_c),
        code_version=code_version(),
    )


def model_for(name: str, inputs: Inputs) -> str:
    """Return the model that the inputs allow.

    Raises:
        ForecastInputError: there is no such model, or it needs weather and there is none.
    """
    if name not in MODELS:
        raise ForecastInputError(f"MODEL={name} is none of {', '.join(MODELS)}")
    if inputs.weather != NO_WEATHER or not create(name).uses_weather:
        return name
    if name + _WITHOUT_WEATHER not in MODELS:
        raise ForecastInputError(f"MODEL={name} needs weather; give a temperature, or a model of {', '.join(MODELS)}")
    return name + _WITHOUT_WEATHER


def run_key(plan: Plan, inputs: Inputs) -> str:
    """Return the hash of all that decides a run's result."""
    options = json.dumps(asdict(plan), default=str, sort_keys=True)
    return hashlib.sha256(f"{options}|{inputs.fingerprint()}|{code_version()}".encode()).hexdigest()[:16]


def _keep(forecast: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    # A file under its final name is whole, whenever the process is killed.
    unfinished = path.with_suffix(".part")
    forecast.to_parquet(unfinished)
    unfinished.replace(path)
