"""The weather stations and regions of mainland France, from the CSV files beside this module. Pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from powersense.errors import ConfigurationError

# Météo-France counts both departments of Corsica as one.
CORSICA = "20"
_SPELLINGS = {"2A": CORSICA, "2B": CORSICA}


@dataclass(frozen=True)
class Station:
    """One station.

    Attributes:
        station: Météo-France's id, 8 digits; the first two are the department.
        omm: number under which it sends SYNOP, 5 digits; empty where it sends none.
        name: usual name.
        department: two digits; `20` for Corsica.
        area: region, as in contracts.AREAS; empty in Corsica.
        latitude, longitude: degrees.
        altitude_m: metres.
    """

    station: str
    omm: str
    name: str
    department: str
    area: str
    latitude: float
    longitude: float
    altitude_m: int


@lru_cache(maxsize=1)
def stations() -> dict[str, Station]:
    """Return the catalogue by id."""
    rows = _rows("stations.csv")
    return {
        row["station"]: Station(
            station=row["station"],
            omm=row["omm"],
            name=row["name"],
            department=row["department"],
            area=row["area"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            altitude_m=int(row["altitude_m"]),
        )
        for row in rows
    }


@lru_cache(maxsize=1)
def by_omm() -> dict[str, str]:
    """Return ids by SYNOP number."""
    return {station.omm: station.station for station in stations().values() if station.omm}


@lru_cache(maxsize=1)
def populations() -> dict[str, int]:
    """Return the residents of each region."""
    return {row["area"]: int(row["population"]) for row in _rows("areas.csv")}


@lru_cache(maxsize=1)
def departments() -> tuple[str, ...]:
    """Return the departments that have stations, in order."""
    return tuple(sorted({station.department for station in stations().values()}))


def department(code: str | int) -> str:
    """Return Météo-France's spelling of a department code.

    Raises:
        ConfigurationError: mainland France and Corsica have no such department.

    >>> department(9), department("2a")
    ('09', '20')
    """
    text = str(code).strip().upper().rjust(2, "0")
    found = _SPELLINGS.get(text, text)
    if found not in departments():
        raise ConfigurationError(f"department {code!r} is none of mainland France; give codes like 09, 75 or 2A")
    return found


def _rows(name: str) -> list[dict[str, str]]:
    with files(__name__).joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
