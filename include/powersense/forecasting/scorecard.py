"""The scorecard: how far forecasts were from the load that came, by day lead, season and kind of day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.calendar import PARIS, public_holidays
from powersense.forecasting.backtest import QUANTILE_COLUMNS
from powersense.forecasting.interface import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEASONS = ("winter", "spring", "summer", "autumn")
SLICES = ("all", *SEASONS, "public_holiday", "normal_day")
# A card's lead_day 0: all day leads together.
ALL_LEADS = 0
RTE = ("rte_j1", "rte_j1_corrected")
REFERENCES = (*RTE, "last_week", "analogue")
# RTE takes part where it forecast at least this share of the half-hours; else a few of them would decide for all.
_RTE_LEAST_SHARE = 0.5
_MEDIAN = QUANTILE_COLUMNS[QUANTILES.index(0.5)]
_LOWER, _UPPER = QUANTILE_COLUMNS[QUANTILES.index(0.1)], QUANTILE_COLUMNS[QUANTILES.index(0.9)]


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes:
        reference: the model's name, or whom it is compared with: rte_j1, rte_j1_corrected, last_week, analogue.
        lead_day: 1 to 7; 0 for all together.
        slice: one of `SLICES`.
        metric: mape_pct, rmse_mw, bias_mw (forecast minus load), pinball_mw, coverage80_pct, half_hours.
        value: in the metric's unit.
    """

    reference: str
    lead_day: int
    slice: str
    metric: str
    value: float


@dataclass(frozen=True)
class Scorecard:
    """All figures of one area.

    Attributes:
        model: whose forecasts are scored.
        cells: the figures.
        without_load: half-hours left out because no load is known.
        without_forecast: half-hours left out because our model could not say.
        without_reference: half-hours left out because a reference could not say.
    """

    model: str
    cells: tuple[Cell, ...]
    without_load: int
    without_forecast: int
    without_reference: int

    def value(self, reference: str, lead_day: int, metric: str, *, slice: str = "all") -> float | None:
        """Return a figure, or None where there is none."""
        key = (reference, lead_day, slice, metric)
        return next((cell.value for cell in self.cells if (*_key(cell), cell.metric) == key), None)

    @property
    def leads(self) -> tuple[int, ...]:
        """The day leads that were scored."""
        return tuple(sorted({cell.lead_day for cell in self.cells} - {ALL_LEADS}))

    @property
    def references(self) -> tuple[str, ...]:
        """All that stand on the card, our model first."""
        found = {cell.reference for cell in self.cells}
        return tuple(name for name in dict.fromkeys((self.model, *REFERENCES)) if name in found)

    def references_at(self, lead_day: int) -> tuple[str, ...]:
        """Who is compared at a day lead, our model first."""
        return tuple(dict.fromkeys(cell.reference for cell in self.cells if cell.lead_day == lead_day))


def score(evaluated: pd.DataFrame, *, model: str) -> Scorecard:
    """Score evaluated forecasts; everyone on exactly the same half-hours.

    Args:
        evaluated: rows of `rte_reference.evaluate`.
        model: name under which the quantile columns are scored.

    Returns:
        The card. RTE stands on day lead 1 only, and not at all where it forecast less than half of it.
    """
    compared = compare(evaluated, model=model)
    has_load = evaluated["load_mw"].notna()
    has_forecast = evaluated[list(QUANTILE_COLUMNS)].notna().all(axis=1)
    is_left = pd.Series(False, index=evaluated.index)
    for frame in compared.values():
        is_left.loc[frame.index] = True
    return Scorecard(
        model=model,
        cells=tuple(cell for lead_day, frame in compared.items() for cell in _cells(frame, lead_day, model)),
        without_load=int((~has_load).sum()),
        without_forecast=int((has_load & ~has_forecast).sum()),
        without_reference=int((has_load & has_forecast & ~is_left).sum()),
    )


def compare(evaluated: pd.DataFrame, *, model: str) -> dict[int, pd.DataFrame]:
    """Return by day lead the half-hours for which everyone has a forecast, with a column for each by name."""
    frame = evaluated.rename(columns={name: name.removesuffix("_mw") for name in _points(evaluated)})
    frame = frame.assign(**{model: frame[_MEDIAN]})
    found = {}
    for lead_day, rows in frame.groupby("lead_day"):
        has_rte = lead_day == 1 and rows[list(RTE)].notna().all(axis=1).mean() >= _RTE_LEAST_SHARE
        kept = rows if has_rte else rows.drop(columns=list(RTE))
        names = [name for name in kept.columns if name not in ("issued_at", "target_at", "lead_day")]
        found[int(str(lead_day))] = kept.dropna(subset=names)
    shared = [rows.drop(columns=list(RTE), errors="ignore") for rows in found.values()]
    return {ALL_LEADS: pd.concat(shared), **found} if shared else {}


def season_of(months: NDArray[np.int32]) -> NDArray[np.object_]:
    """Return the meteorological season of each month: winter is December to February."""
    names: NDArray[np.object_] = np.asarray(SEASONS, dtype=object)[months % 12 // 3]
    return names


def _points(frame: pd.DataFrame) -> list[str]:
    return [f"{name}_mw" for name in REFERENCES if f"{name}_mw" in frame]


def _cells(frame: pd.DataFrame, lead_day: int, model: str) -> Iterator[Cell]:
    references = [model, *(name for name in REFERENCES if name in frame and name != model)]
    for name, is_in in _slices(pd.DatetimeIndex(frame["target_at"])).items():
        rows = frame[is_in]
        if rows.empty:
            continue
        for reference in references:
            for metric, value in _figures(rows, reference, is_ours=reference == model).items():
                yield Cell(reference, lead_day, name, metric, value)


def _slices(target_at: pd.DatetimeIndex) -> dict[str, NDArray[np.bool_]]:
    local = target_at.tz_convert(PARIS)
    holidays = {day for year in set(local.year) for day in public_holidays(int(year))}
    is_holiday = np.isin(local.date, np.array(sorted(holidays), dtype=object))
    season = season_of(local.month.to_numpy())
    return {
        "all": np.ones(len(local), dtype=bool),
        **{name: season == name for name in SEASONS},
        "public_holiday": is_holiday,
        "normal_day": ~is_holiday,
    }


def _figures(rows: pd.DataFrame, reference: str, *, is_ours: bool) -> dict[str, float]:
    load, forecast = rows["load_mw"].to_numpy(), rows[reference].to_numpy()
    error = forecast - load
    figures = {
        "mape_pct": float(np.mean(np.abs(error / load)) * 100),
        "rmse_mw": float(np.sqrt(np.mean(error**2))),
        "bias_mw": float(np.mean(error)),
        # A point forecast stands for all quantiles.
        "pinball_mw": pinball(load, np.repeat(forecast[:, None], len(QUANTILES), axis=1)),
        "half_hours": float(len(rows)),
    }
    if is_ours:
        is_inside = (load >= rows[_LOWER].to_numpy()) & (load <= rows[_UPPER].to_numpy())
        figures["pinball_mw"] = pinball(load, rows[list(QUANTILE_COLUMNS)].to_numpy())
        figures["coverage80_pct"] = float(np.mean(is_inside) * 100)
    return figures


def pinball(load_mw: NDArray[np.float64], quantiles_mw: NDArray[np.float64]) -> float:
    """Return the mean pinball loss over all `QUANTILES`, MW.

    Args:
        load_mw: shape (n,).
        quantiles_mw: shape (n, len(QUANTILES)).

    Source: Koenker and Bassett (1978), Regression quantiles, Econometrica 46.
    """
    levels = np.asarray(QUANTILES)
    above = load_mw[:, None] - quantiles_mw
    return float(np.mean(np.maximum(levels * above, (levels - 1) * above)))


def _key(cell: Cell) -> tuple[str, int, str]:
    return cell.reference, cell.lead_day, cell.slice
