"""The vocabulary that every part shares: vintages, areas, quarantine reasons, and the long measurement frame."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from powersense.errors import ConfigurationError

LOAD_METRIC = "consommation"
Z_SCORE_METRIC = "consommation_anomaly_zscore"
NATIONAL_AREA = "France"

LANDING_COLUMNS = (
    "metric",
    "area",
    "observed_at",
    "vintage",
    "publisher",
    "value",
    "source",
    "retrieved_at",
    "run_id",
)


class Vintage(StrEnum):
    """How final a published value is, in rising order; RTE's `nature` field names it."""

    REALTIME = "realtime"
    CONSOLIDATED = "consolidated"
    DEFINITIVE = "definitive"


VINTAGE_BY_NATURE = {
    "Données temps réel": Vintage.REALTIME,
    "Données consolidées": Vintage.CONSOLIDATED,
    "Données définitives": Vintage.DEFINITIVE,
}


class QuarantineReason(StrEnum):
    """Why a record, or one value of it, was set aside instead of stored."""

    MALFORMED_RECORD = "malformed_record"
    UNKNOWN_COLUMN = "unknown_column"
    MISSING_KEY = "missing_key"
    UNKNOWN_AREA = "unknown_area"
    UNKNOWN_STATION = "unknown_station"
    UNKNOWN_VINTAGE = "unknown_vintage"
    BAD_INSTANT = "bad_instant"
    GHOST_HOUR = "ghost_hour"
    CONTRADICTING_DUPLICATE = "contradicting_duplicate"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    FUTURE_VALUE = "future_value"
    FOREIGN_SERIES = "foreign_series"


@dataclass(frozen=True)
class Area:
    """A perimeter for which load is published.

    Attributes:
        name: the portal's spelling, used as `area` everywhere.
        insee: INSEE region code; empty for France.
        aliases: other spellings seen in RTE files.
    """

    name: str
    insee: str
    aliases: tuple[str, ...] = ()


AREAS = (
    Area("France", ""),
    Area("Auvergne-Rhône-Alpes", "84"),
    Area("Bourgogne-Franche-Comté", "27"),
    Area("Bretagne", "53"),
    Area("Centre-Val de Loire", "24", ("Centre-Val-de-Loire", "Centre")),
    Area("Grand Est", "44", ("Grand-Est",)),
    Area("Hauts-de-France", "32"),
    Area("Île-de-France", "11", ("Ile-de-France",)),
    Area("Normandie", "28"),
    Area("Nouvelle-Aquitaine", "75"),
    Area("Occitanie", "76"),
    Area("Pays de la Loire", "52", ("Pays-de-la-Loire",)),
    Area("Provence-Alpes-Côte d'Azur", "93", ("PACA", "Provence-Alpes-Côte-d'Azur")),
)


def fold(name: str) -> str:
    """Reduce a name to what all its spellings share: no case, accents or punctuation.

    >>> fold("Île-de-France") == fold("ILE DE FRANCE")
    True
    """
    plain = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in plain.casefold() if letter.isalnum())


def chosen_areas(given: object = None) -> list[str]:
    """Return the areas of a run: those of its parameter `areas`, else all, in the order of `AREAS`.

    Args:
        given: a list of names, or one name; None where the run says nothing.

    Raises:
        ConfigurationError: one does not exist.
    """
    known = [area.name for area in AREAS]
    if given is None or given in ([], ""):
        return known
    names = list(given) if isinstance(given, list | tuple) else [given]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(f"areas={given!r}: {unknown[0]!r} is none of {', '.join(known)}")
    return [name for name in known if name in names]


AREA_BY_FOLDED_NAME = {fold(spelling): area.name for area in AREAS for spelling in (area.name, *area.aliases)}
