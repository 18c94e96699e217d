"""What the command line of a backtest says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from powersense.backtest.inputs import NO_WEATHER, OBSERVED_WEATHER
from powersense.contracts import AREA_BY_FOLDED_NAME, AREAS, NATIONAL_AREA, Vintage, fold
from powersense.errors import ForecastInputError
from powersense.forecasting.backtest import LEADS, Plan

_USAGE = (
    "make backtest FROM=2018-01-01 TO=2018-12-31 [AREAS=…] [LEADS=1,2,7] [WEATHER=none] [MODEL=gam] "
    "[VINTAGE=definitive] [LOAD=<parquet> [TEMPERATURE=<parquet>]]"
)


@dataclass(frozen=True)
class Options:
    """One call.

    Attributes:
        plan: what to forecast, for each area.
        areas: of which areas.
        load: parquet of a load; None: the warehouse's.
        temperature: parquet of temperatures; only beside `load`.
        has_weather: forecasts may use observed weather.
        vintage: highest vintage that counts, or level of `load`.
        folder: where runs are kept.
    """

    plan: Plan
    areas: tuple[str, ...]
    load: Path | None
    temperature: Path | None
    has_weather: bool
    vintage: Vintage
    folder: Path


def read_options(arguments: Sequence[str], *, issue_hour: int) -> Options:
    """Read the command line.

    Raises:
        ForecastInputError: an option has a value that does not exist, or two contradict each other.
    """
    given = _parser().parse_args(arguments)
    areas = area_names(given.areas) or (NATIONAL_AREA,)
    load = Path(given.load) if given.load else None
    temperature = Path(given.temperature) if given.temperature else None
    if temperature and not load:
        raise ForecastInputError(f"TEMPERATURE={temperature} needs a LOAD=<parquet> beside it")
    if load and len(areas) > 1:
        raise ForecastInputError(f"AREAS={', '.join(areas)}: a LOAD file holds one area; name one")
    if given.weather == OBSERVED_WEATHER and load and not temperature:
        raise ForecastInputError("WEATHER=observed with a LOAD file needs a TEMPERATURE=<parquet> beside it")
    has_weather = given.weather != NO_WEATHER and (temperature is not None or load is None)
    plan = Plan(
        first=_day("FROM", given.first),
        last=_day("TO", given.last),
        model=given.model or "gam",
        leads=_leads(given.leads),
        issue_hour=issue_hour,
    )
    return Options(
        plan=plan,
        areas=areas,
        load=load,
        temperature=temperature if has_weather else None,
        has_weather=has_weather,
        vintage=Vintage(given.vintage or Vintage.DEFINITIVE),
        folder=Path(given.folder),
    )


def area_names(text: str) -> tuple[str, ...]:
    """Return the areas that a text names, separated by commas or blanks.

    Raises:
        ForecastInputError: a part of it is no area.

    >>> area_names("France Pays de la Loire, bretagne")
    ('France', 'Pays de la Loire', 'Bretagne')
    """
    words, found = text.replace(",", " ").split(), []
    while words:
        # Names hold blanks themselves: the longest that fits.
        sizes = range(len(words), 0, -1)
        size = next((size for size in sizes if fold(" ".join(words[:size])) in AREA_BY_FOLDED_NAME), None)
        if size is None:
            known = ", ".join(area.name for area in AREAS)
            raise ForecastInputError(f"AREAS={text}: no area begins with {words[0]!r}; known are {known}")
        found.append(AREA_BY_FOLDED_NAME[fold(" ".join(words[:size]))])
        words = words[size:]
    return tuple(dict.fromkeys(found))


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ForecastInputError(f"{name}={text or '(empty)'} is no day; give one such as {name}=2018-01-01") from error


def _leads(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.replace(",", " ").split()})) or LEADS
    except ValueError as error:
        raise ForecastInputError(f"LEADS={text}: give day leads from 1 to 7, such as 1,2,7") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m powersense.backtest", usage=_USAGE, allow_abbrev=False)
    parser.add_argument("--from", dest="first", default="", help="first scored Paris day")
    parser.add_argument("--to", dest="last", default="", help="last scored Paris day, included")
    parser.add_argument("--areas", default="", help="areas, separated by blanks or commas; France by default")
    parser.add_argument("--leads", default="", help="day leads; 1 to 7 by default")
    parser.add_argument("--model", default="", help="name of the model; gam by default")
    parser.add_argument("--weather", choices=("", OBSERVED_WEATHER, NO_WEATHER), default="", help="may it be used")
    parser.add_argument(
        "--vintage", choices=("", *(str(vintage) for vintage in Vintage)), default="", help="load's level"
    )
    parser.add_argument("--load", default="", help="parquet with utc, consommation and perhaps prevision_j1")
    parser.add_argument("--temperature", default="", help="parquet with date, region, tmoy")
    parser.add_argument("--folder", default="build/backtest", help="where runs are kept")
    return parser
