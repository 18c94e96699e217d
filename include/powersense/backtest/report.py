"""A run as people read it on a terminal, and as `scorecard.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from powersense.backtest.inputs import NO_WEATHER
from powersense.forecasting.scorecard import ALL_LEADS, SLICES

if TYPE_CHECKING:
    from powersense.backtest.run import Run

_RTE = {"rte_j1": "RTE J-1", "rte_j1_corrected": "RTE J-1 corrected"}
_WEATHER = {
    NO_WEATHER: "none",
    "observed": "observed weather: the temperature that came, not one forecast for it",
}
_MISSING = "·"


def label(name: str) -> str:
    """Return a model's or reference's name for people.

    >>> label("rte_j1_corrected"), label("last_week")
    ('RTE J-1 corrected', 'last week')
    """
    return _RTE.get(name, name.replace("_", " "))


def renderable(run: Run) -> RenderableType:
    """Return the whole scorecard."""
    tables = [_by_lead(run), _day_ahead(run), _by_slice(run), _worst(run)]
    return Group(_header(run), *(table for table in tables if table.row_count))


def as_json(run: Run, *, ran_at: str, seconds: float) -> dict[str, Any]:
    """Return what `scorecard.json` holds: `run`, `cells` and `worst_days`."""
    return {
        "run": {
            "key": run.key,
            "area": run.inputs.area,
            "model": run.plan.model,
            "first_day": str(run.plan.first),
            "last_day": str(run.plan.last),
            "leads": list(run.plan.leads),
            "issue_hour_paris": run.plan.issue_hour,
            "load": run.inputs.origin,
            "vintage": run.inputs.vintage,
            "weather": run.weather,
            "code_version": run.code_version,
            "ran_at": ran_at,
            "seconds": round(seconds, 1),
            "half_hours_without_load": run.card.without_load,
            "half_hours_without_forecast": run.card.without_forecast,
            "half_hours_without_reference": run.card.without_reference,
        },
        "cells": [asdict(cell) for cell in run.card.cells],
        "worst_days": [asdict(day) | {"day": str(day.day)} for day in run.worst],
    }


def _header(run: Run) -> Panel:
    plan, card = run.plan, run.card
    lines = [
        f"Model     [bold]{plan.model}[/], refitted weekly, one issue a day at {plan.issue_hour}:00 Paris time",
        f"Scored    the half-hours of {plan.first} to {plan.last} (Paris days), the same for everyone in a row",
        f"Load      {run.inputs.origin}, {run.inputs.vintage} level",
        f"Weather   {_WEATHER[run.weather]}",
    ]
    left_out = {
        "no load known": card.without_load,
        f"{plan.model} could not say": card.without_forecast,
        "a reference could not say": card.without_reference,
    }
    if 7 in card.leads:
        lines.append(f"Horizon   seven days from the issue: D+7 ends at {plan.issue_hour}:00 of its day")
    if any(left_out.values()):
        said = ", ".join(f"{count:,} ({why})" for why, count in left_out.items() if count)
        lines.append(f"Left out  of {len(run.evaluated):,} forecast half-hours: {said}")
    if "rte_j1" not in card.references_at(1):
        lines.append("RTE J-1   not known for at least half of these half-hours, so not compared")
    return Panel("\n".join(lines), title=f"Backtest {run.inputs.area}  {run.key}", title_align="left", expand=False)


def _by_lead(run: Run) -> Table:
    table = _table("By day lead: MAPE in %, then our errors in MW", "lead", "half-hours", label(run.plan.model))
    others = run.card.references[1:]
    for title in (*(label(name) for name in others), "RMSE", "bias", "pinball", "80 % covers"):
        table.add_column(title, justify="right")
    for lead_day in (*run.card.leads, *([ALL_LEADS] if len(run.card.leads) > 1 else [])):
        is_all = lead_day == ALL_LEADS
        table.add_row(
            "all" if is_all else f"D+{lead_day}",
            _number(run, run.plan.model, lead_day, "half_hours", ",.0f"),
            *(_number(run, name, lead_day, "mape_pct", ".2f") for name in (run.plan.model, *others)),
            *(_number(run, run.plan.model, lead_day, f"{name}_mw", ",.0f") for name in ("rmse", "bias", "pinball")),
            _number(run, run.plan.model, lead_day, "coverage80_pct", ".1f", unit=" %"),
            style="bold" if is_all else None,
            end_section=lead_day == run.card.leads[-1],
        )
    return table


def _day_ahead(run: Run) -> Table:
    lead_day = run.card.leads[0] if run.card.leads else 1
    table = _table(f"D+{lead_day}, on the same half-hours", "forecast", "MAPE %", "RMSE MW", "bias MW", "pinball MW")
    for name in run.card.references_at(lead_day):
        table.add_row(
            label(name),
            _number(run, name, lead_day, "mape_pct", ".2f"),
            *(_number(run, name, lead_day, f"{metric}_mw", ",.0f") for metric in ("rmse", "bias", "pinball")),
        )
    return table


def _by_slice(run: Run) -> Table:
    lead_day = run.card.leads[0] if run.card.leads else 1
    has_rte = "rte_j1" in run.card.references_at(lead_day)
    titles = [f"{label(run.plan.model)} D+{lead_day}", *(["RTE J-1", "RTE J-1 corrected"] if has_rte else [])]
    table = _table(
        "By season and kind of day: MAPE in %",
        "half-hours of",
        *titles,
        "all leads",
        f"80 % covers D+{lead_day}",
        "80 % covers all",
    )
    for name in SLICES[1:]:
        if run.card.value(run.plan.model, lead_day, "mape_pct", slice=name) is None:
            continue
        references = (run.plan.model, *(("rte_j1", "rte_j1_corrected") if has_rte else ()))
        table.add_row(
            name.replace("_", " "),
            *(_number(run, reference, lead_day, "mape_pct", ".2f", slice=name) for reference in references),
            _number(run, run.plan.model, ALL_LEADS, "mape_pct", ".2f", slice=name),
            _number(run, run.plan.model, lead_day, "coverage80_pct", ".1f", slice=name, unit=" %"),
            _number(run, run.plan.model, ALL_LEADS, "coverage80_pct", ".1f", slice=name, unit=" %"),
            end_section=name == "autumn",
        )
    return table


def _worst(run: Run) -> Table:
    lead_day = run.card.leads[0] if run.card.leads else 1
    has_rte = any(day.rte_mape_pct is not None for day in run.worst)
    table = _table(f"The worst days at D+{lead_day}", "day", "MAPE %", "bias MW", *(["RTE J-1 %"] if has_rte else []))
    table.add_column("reason")
    for day in run.worst:
        rte = [_MISSING if day.rte_mape_pct is None else f"{day.rte_mape_pct:.2f}"] if has_rte else []
        table.add_row(f"{day.day:%a %Y-%m-%d}", f"{day.mape_pct:.2f}", f"{day.bias_mw:+,.0f}", *rte, day.reason)
    return table


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _number(  # noqa: PLR0913 - the address of one figure
    run: Run, reference: str, lead_day: int, metric: str, form: str, *, slice: str = "all", unit: str = ""
) -> str:
    value = run.card.value(reference, lead_day, metric, slice=slice)
    return _MISSING if value is None else f"{value:{form}}{unit}"
