"""Météo-France's stations and departments: the package's catalogue, and what a recording adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from powersense.stations import Station, by_omm, stations

# Corsica is 20 in station numbers and file names.
_CORSICA = {"2A": "20", "2B": "20"}
_OVERSEAS = (*range(971, 976), *range(984, 989))
DEPARTMENTS = frozenset([f"{number:02d}" for number in range(1, 96)] + [str(number) for number in _OVERSEAS])


def department_number(text: str) -> str | None:
    """Return a department's number as file names write it, or None for one that does not exist.

    >>> department_number("2A"), department_number("1"), department_number("99")
    ('20', '01', None)
    """
    plain = text.strip().upper()
    number = _CORSICA.get(plain, plain.zfill(2))
    return number if number in DEPARTMENTS else None


def department_of(station: str) -> str:
    """Return the department that a station's number of eight digits begins with.

    >>> department_of("97412336"), department_of("20004002")
    ('974', '20')
    """
    return station[:3] if station[:2] in ("97", "98") else station[:2]


@lru_cache(maxsize=1)
def stations_by_omm() -> dict[str, Station]:
    """Return the stations that report SYNOP, by the WMO number that its files name them with."""
    return {omm: stations()[station] for omm, station in by_omm().items()}


def station_of_row(row: Mapping[str, str]) -> Station:
    """Return the station that a row of hourly climatology describes."""
    number = row["NUM_POSTE"]
    place = float(row["LAT"]), float(row["LON"]), round(float(row["ALTI"] or 0))
    return stations().get(number) or Station(number, "", row["NOM_USUEL"], department_of(number), "", *place)
