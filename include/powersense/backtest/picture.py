"""A run as one HTML page with inline SVG: error by day lead, and a typical week with its band."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from powersense.backtest.report import label
from powersense.calendar import PARIS

if TYPE_CHECKING:
    from powersense.backtest.run import Run

_WIDTH, _HEIGHT = 900, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 34
_HALF_HOURS_OF_A_WEEK = 7 * 48
# RTE's points stand beside ours, which they would hide.
_BESIDE = {"rte_j1": -0.08, "rte_j1_corrected": 0.08}


def page(run: Run) -> str:
    """Return the page."""
    weather = "no weather" if run.weather == "none" else f"{run.weather} weather"
    subtitle = f"{run.plan.first} to {run.plan.last}, issued at {run.plan.issue_hour}:00 Paris time, {weather}"
    template = files(__package__).joinpath("picture.html").read_text(encoding="utf-8")
    parts = {
        "title": f"{run.plan.model} for {run.inputs.area}",
        "subtitle": f"{subtitle}; run {run.key}",
    }
    for name, text in parts.items():
        template = template.replace(f"{{{{{name}}}}}", escape(text))
    week_title, week = _week(run)
    charts = {"errors": _errors(run), "week_title": escape(week_title), "week": week}
    for name, markup in charts.items():
        template = template.replace(f"{{{{{name}}}}}", markup)
    return template


class _Axes:
    """Data to pixels.

    Args:
        x: least and greatest value along.
        y: least and greatest value up.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def across(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low or 1) * (_WIDTH - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low or 1) * (_HEIGHT - _TOP - _BOTTOM)

    def points(self, x: np.ndarray, y: np.ndarray) -> str:
        return " ".join(f"{self.across(a):.1f},{self.up(b):.1f}" for a, b in zip(x, y, strict=True))

    def rules(self, step: float, unit: str) -> str:
        low, high = self._y
        lines = []
        for value in np.arange(np.ceil(low / step) * step, high + step / 1000, step):
            y = self.up(value)
            lines.append(f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            lines.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}{unit}</text>')
        return "".join(lines)

    def label(self, value: float, text: str) -> str:
        return f'<text class="tick" x="{self.across(value):.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{text}</text>'


def _errors(run: Run) -> str:
    """Return MAPE by day lead: a line each, RTE as points at D+1."""
    card, leads = run.card, run.card.leads
    if not leads:
        return ""
    series = {
        name: [(lead, value) for lead in leads if (value := card.value(name, lead, "mape_pct")) is not None]
        for name in card.references
    }
    highest = max((value for found in series.values() for _, value in found), default=1.0)
    axes = _Axes((leads[0] - 0.4, leads[-1] + 0.4), (0.0, highest * 1.08))
    marks = [axes.rules(_step(highest), " %"), *(axes.label(lead, f"D+{lead}") for lead in leads)]
    for name, found in series.items():
        style = "ours" if name == run.plan.model else name
        across = np.array([lead for lead, _ in found], dtype="float64")
        marks.append(
            f'<polyline class="line {style}" points="{axes.points(across, np.array([v for _, v in found]))}"/>'
        )
        for lead, value in found:
            hint = f"<title>{escape(label(name))}, D+{lead}: {value:.2f} %</title>"
            x, y = axes.across(lead + _BESIDE.get(name, 0)), axes.up(value)
            marks.append(f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="4">{hint}</circle>')
            if style == "ours":
                marks.append(f'<text class="tick" x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle">{value:.2f}</text>')
    legend = [("ours" if name == run.plan.model else name, label(name)) for name in series]
    return _svg("MAPE by day lead", "".join(marks)) + _legend(legend)


def _week(run: Run) -> tuple[str, str]:
    """Return the title and chart of the week whose error at the shortest lead is the median of all weeks'."""
    rows = _typical_week(run)
    if rows.empty:
        return "", ""
    local = pd.DatetimeIndex(rows["target_at"]).tz_convert(PARIS)
    x = np.arange(len(rows), dtype="float64")
    top = float(rows[["q900_mw", "load_mw"]].max().max()) / 1000
    bottom = float(rows[["q100_mw", "load_mw"]].min().min()) / 1000
    room = (top - bottom) * 0.06
    axes = _Axes((0, len(rows)), (bottom - room, top + room))
    band = np.concatenate([rows["q900_mw"], rows["q100_mw"][::-1]]) / 1000
    midnights = [number for number, at in enumerate(local) if (at.hour, at.minute) == (0, 0)]
    marks = [axes.rules(_step(top - bottom), ""), *(axes.label(at + 24, f"{local[at]:%a %d %b}") for at in midnights)]
    marks.append(f'<polygon class="band" points="{axes.points(np.concatenate([x, x[::-1]]), band)}"/>')
    for style, column in (("ours", "q500_mw"), ("load", "load_mw")):
        marks.append(f'<polyline class="line {style}" points="{axes.points(x, rows[column].to_numpy() / 1000)}"/>')
    error = float((rows["q500_mw"] / rows["load_mw"] - 1).abs().mean() * 100)
    title = f"A typical week at D+{rows['lead_day'].iloc[0]}: {error:.2f} % error, load in GW"
    legend = [("load", "load"), ("ours", run.plan.model), ("band-key", "80 % band")]
    return title, _svg(title, "".join(marks)) + _legend(legend)


def _typical_week(run: Run) -> pd.DataFrame:
    rows = run.evaluated[run.evaluated["lead_day"] == min(run.plan.leads)]
    rows = rows.dropna(subset=["load_mw", "q100_mw", "q500_mw", "q900_mw"]).sort_values("target_at")
    local = pd.DatetimeIndex(rows["target_at"]).tz_convert(PARIS).tz_localize(None).normalize()
    mondays = pd.Series(local - pd.to_timedelta(local.day_of_week, unit="D"), index=rows.index)
    error = (rows["q500_mw"] / rows["load_mw"] - 1).abs()
    weekly = error.groupby(mondays).agg(["mean", "size"])
    whole = weekly[weekly["size"] >= _HALF_HOURS_OF_A_WEEK - 2]
    if whole.empty:
        return rows.head(_HALF_HOURS_OF_A_WEEK)
    typical = whole["mean"].sort_values().index[(len(whole) - 1) // 2]
    found: pd.DataFrame = rows.loc[mondays == typical]
    return found


def _step(span: float) -> float:
    """Return a round distance between rules that gives four to eight of them."""
    magnitude = 10.0 ** np.floor(np.log10(span or 1))
    return float(next(step for step in (0.1, 0.2, 0.5, 1, 2) if span / (step * magnitude) <= 8) * magnitude)


def _svg(title: str, marks: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{marks}</svg>'


def _legend(entries: list[tuple[str, str]]) -> str:
    keys = "".join(f'<span><i class="key {style}"></i>{escape(text)}</span>' for style, text in entries)
    return f'<p class="legend">{keys}</p>'
