"""Forecasting: each area's load over the next seven days, stored as issued, by the best model that can.

The ladder: the champion, the last good models before it, a model without weather, the analogue, last week. A rung that
fails is named on the rows of the next one; only what is expected to fail (`ModelFileError`, `ForecastInputError`, a
result that cannot be) steps down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from powersense import model_store
from powersense.errors import ForecastInputError, ModelFileError
from powersense.forecasting.inputs import by_time_of_day, half_hour_of, why_implausible
from powersense.forecasting.interface import HORIZON_STEPS, STEP
from powersense.forecasting.models import create, restore
from powersense.settings import get_settings
from powersense.train import SEED
from powersense.warehouse.client import connect
from powersense.warehouse.forecast_inputs import Inputs, read_inputs
from powersense.warehouse.forecasts import QUANTILE_COLUMNS, issued_areas, store_issue
from powersense.warehouse.model_registry import Standing, StoredModel, standing
from powersense.window import Window

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from powersense.forecasting.interface import Forecaster

logger = logging.getLogger(__name__)

CHAMPION, LAST_GOOD, WITHOUT_WEATHER, ANALOGUE, LAST_WEEK = range(5)
NO_MODEL = "no model is trained"
# Beyond two earlier champions a model is older than what the ladder has below.
_EARLIER_CHAMPIONS = 2
_MAX_REASON = 600
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Rung:
    """One way to forecast.

    Attributes:
        level: 0 champion, 1 last good model, 2 without weather, 3 analogue, 4 last week.
        model_id: the stored model; the kind's name where none is stored.
        model: its kind.
        uses_weather: it cannot do without.
        ready: returns the model, ready to predict.
    """

    level: int
    model_id: str
    model: str
    uses_weather: bool
    ready: Callable[[], Forecaster]


@dataclass(frozen=True)
class Issue:
    """An area's forecast.

    Attributes:
        rung: who made it.
        quantiles_mw: shape (half-hours, quantiles).
        reason: why no higher rung did; empty on the highest.
    """

    rung: Rung
    quantiles_mw: NDArray[np.float64]
    reason: str


def issue_window(window: Window, *, areas: Sequence[str], run_id: str) -> dict[str, int]:
    """Issue a run's forecasts: at its end, or at every whole hour of a range that someone asked for.

    Args:
        window: of the run.
        areas: the perimeters.
        run_id: written on every row.

    Returns:
        The sums of the counts of `issue`.
    """
    instants = [half_hour_of(window.end)]
    if window.is_explicit and not window.is_empty:
        first = window.start.replace(minute=0, second=0, microsecond=0)
        first += HOUR if first < window.start else timedelta(0)
        instants = [first + number * HOUR for number in range(-((first - window.end) // HOUR))]
    totals: dict[str, int] = {}
    for instant in instants:
        for name, count in issue(areas, issued_at=instant, run_id=run_id).items():
            totals[name] = totals.get(name, 0) + count
    return totals


def issue(areas: Sequence[str], *, issued_at: datetime, run_id: str) -> dict[str, int]:
    """Forecast the seven days from `issued_at` for each area and store them; what is issued already stays.

    Load before the issue time counts as known now, weather forecasts and models as known then.

    Args:
        areas: the perimeters.
        issued_at: the issue time, UTC; the start of its half-hour counts.
        run_id: written on every row.

    Returns:
        Counts: `areas_issued`, `areas_issued_before`, `areas_without_load` (none known in the last weeks, so nothing to
        forecast from), `rows_stored`, `areas_fallen_back`, and `worst_fallback_level`.

    Raises:
        WarehouseError: ClickHouse failed.
    """
    settings = get_settings()
    instant = half_hour_of(issued_at)
    counts = dict.fromkeys(
        ("areas_issued", "areas_without_load", "rows_stored", "areas_fallen_back", "worst_fallback_level"), 0
    )
    with connect("writer") as client:
        before = issued_areas(client, areas=areas, issued_at=instant)
        wanted = [area for area in areas if area not in before]
        counts["areas_issued_before"] = len(before)
        if not wanted:
            return counts
        inputs = read_inputs(
            client,
            wanted,
            issued_at=instant,
            days=settings.forecast_history_days,
            up_to_vintage=settings.forecast_vintage,
        )
        stands = standing(client, areas=wanted, known_at=instant)
        for area in wanted:
            if inputs[area].load_age_minutes is None:
                logger.warning("%s: no load of the last %s days is known", area, settings.forecast_history_days)
                counts["areas_without_load"] += 1
                continue
            found = climb_down(inputs[area], stands[area], issued_at=instant)
            if found.reason:
                logger.warning(
                    "%s: %s forecasts at level %s: %s", area, found.rung.model_id, found.rung.level, found.reason
                )
            frame = _rows(found, inputs[area], issued_at=instant, run_id=run_id)
            stored = store_issue(client, frame, area=area, issued_at=instant)
            counts["rows_stored"] += stored
            counts["areas_issued"] += stored > 0
            counts["areas_fallen_back"] += found.rung.level > CHAMPION
            counts["worst_fallback_level"] = max(counts["worst_fallback_level"], found.rung.level)
    logger.info("issued %s: %s", instant.isoformat(), counts)
    return counts


def climb_down(inputs: Inputs, stands: Standing, *, issued_at: datetime) -> Issue:
    """Return the forecast of the highest rung that has one.

    Args:
        inputs: what is known; some load of the last weeks is.
        stands: the area's models.
        issued_at: the issue time, UTC.
    """
    import pandas as pd

    history = inputs.history
    when = pd.DatetimeIndex([issued_at]).as_unit("s")
    known = history.load_mw.to_numpy()
    reasons = [] if stands.champions else [NO_MODEL]
    for rung in ladder(inputs, stands, issued_at=issued_at):
        try:
            if rung.uses_weather and inputs.weather_age_minutes is None:
                raise ForecastInputError("no weather forecast of the next seven days is known")
            quantiles = rung.ready().predict(history, when)[0]
        except (ModelFileError, ForecastInputError) as error:
            reasons.append(f"{rung.model_id}: {error}")
            continue
        trouble = why_implausible(quantiles, known)
        if not trouble:
            return Issue(rung, quantiles, _joined(reasons))
        reasons.append(f"{rung.model_id}: {trouble}")
    filled = by_time_of_day(history.load_mw, issued_at)
    return Issue(rung, filled, _joined([*reasons, "the mean load of each time of day is given"]))


def ladder(inputs: Inputs, stands: Standing, *, issued_at: datetime) -> Iterator[Rung]:
    """Yield the ways to forecast, best first."""
    for rank, model in enumerate(stands.champions[: 1 + _EARLIER_CHAMPIONS]):
        yield _stored(model, CHAMPION if rank == 0 else LAST_GOOD)
    spare = stands.without_weather
    if spare and spare not in stands.champions[: 1 + _EARLIER_CHAMPIONS]:
        yield _stored(spare, WITHOUT_WEATHER)
    for level, name in ((ANALOGUE, "analogue"), (LAST_WEEK, "last_week")):
        yield Rung(level, name, name, uses_weather=False, ready=_fitted_now(name, inputs, issued_at))


def _stored(model: StoredModel, level: int) -> Rung:
    def ready() -> Forecaster:
        files = model_store.load(model.artefact_uri, sha256=model.artefact_sha256, model_id=model.model_id)
        return restore(model.model, files)

    return Rung(level, model.model_id, model.model, model.uses_weather, ready)


def _fitted_now(name: str, inputs: Inputs, issued_at: datetime) -> Callable[[], Forecaster]:
    """Return a model that needs no training but the width of its intervals, which the last weeks give."""

    def ready() -> Forecaster:
        model = create(name)
        model.fit(inputs.history, until=issued_at, seed=SEED)
        return model

    return ready


def _rows(found: Issue, inputs: Inputs, *, issued_at: datetime, run_id: str) -> pd.DataFrame:
    """Return an issue as rows of `forecasts`."""
    import pandas as pd

    targets = pd.date_range(issued_at, periods=HORIZON_STEPS, freq=STEP, unit="s")
    frame = pd.DataFrame(found.quantiles_mw.round(2), columns=list(QUANTILE_COLUMNS))
    weather_age = inputs.weather_age_minutes if found.rung.uses_weather else None
    return frame.assign(
        area=inputs.history.area,
        issued_at=pd.Timestamp(issued_at).as_unit("s"),
        target_at=targets,
        lead_minutes=[int(lead.total_seconds()) // 60 for lead in targets - targets[0]],
        model_id=found.rung.model_id,
        model=found.rung.model,
        vintage=inputs.history.vintage,
        fallback_level=found.rung.level,
        fallback_reason=found.reason,
        load_age_minutes=inputs.load_age_minutes,
        weather_age_minutes=pd.array([weather_age] * HORIZON_STEPS, dtype="Int64"),
        run_id=run_id,
    )


def _joined(reasons: Sequence[str]) -> str:
    text = "; ".join(reasons)
    return text if len(text) <= _MAX_REASON else f"{text[: _MAX_REASON - 1]}…"
