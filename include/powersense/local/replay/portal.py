"""What the ODRÉ portal declares: its four éCO2mix datasets, their fields, labels, types and spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from powersense.contracts import fold
from powersense.local.replay.table import Field, FieldType

DATASETS = ("eco2mix-national-tr", "eco2mix-national-cons-def", "eco2mix-regional-tr", "eco2mix-regional-cons-def")
MISSING_TEXTS = frozenset({"", "ND", "-"})
REALTIME_NATURE = "Données temps réel"
TIME_FIELDS = ("date", "heure", "date_heure")
KEPT_WHEN_BLANK = frozenset(
    {"perimetre", "code_insee_region", "libelle_region", "nature", *TIME_FIELDS, "prevision_j1", "prevision_j"}
)

_TIMES: tuple[tuple[str, str, FieldType], ...] = (
    ("date", "Date", "date"),
    ("heure", "Heure", "text"),
    ("date_heure", "Date - Heure", "datetime"),
)
# Battery and on/offshore wind are texts on the portal since they appeared in 2022.
_NATIONAL: tuple[tuple[str, str, FieldType], ...] = (
    ("perimetre", "Périmètre", "text"),
    ("nature", "Nature", "text"),
    *_TIMES,
    ("consommation", "Consommation (MW)", "int"),
    ("prevision_j1", "Prévision J-1 (MW)", "int"),
    ("prevision_j", "Prévision J (MW)", "int"),
    ("fioul", "Fioul (MW)", "int"),
    ("charbon", "Charbon (MW)", "int"),
    ("gaz", "Gaz (MW)", "int"),
    ("nucleaire", "Nucléaire (MW)", "int"),
    ("eolien", "Eolien (MW)", "int"),
    ("eolien_terrestre", "Eolien terrestre (MW)", "text"),
    ("eolien_offshore", "Eolien offshore (MW)", "text"),
    ("solaire", "Solaire (MW)", "int"),
    ("hydraulique", "Hydraulique (MW)", "int"),
    ("pompage", "Pompage (MW)", "int"),
    ("bioenergies", "Bioénergies (MW)", "int"),
    ("ech_physiques", "Ech. physiques (MW)", "int"),
    ("taux_co2", "Taux de CO2 (g/kWh)", "int"),
    ("ech_comm_angleterre", "Ech. comm. Angleterre (MW)", "int"),
    ("ech_comm_espagne", "Ech. comm. Espagne (MW)", "int"),
    ("ech_comm_italie", "Ech. comm. Italie (MW)", "int"),
    ("ech_comm_suisse", "Ech. comm. Suisse (MW)", "int"),
    ("ech_comm_allemagne_belgique", "Ech. comm. Allemagne-Belgique (MW)", "int"),
    ("fioul_tac", "Fioul - TAC (MW)", "int"),
    ("fioul_cogen", "Fioul - Cogénération (MW)", "int"),
    ("fioul_autres", "Fioul - Autres (MW)", "int"),
    ("gaz_tac", "Gaz - TAC (MW)", "int"),
    ("gaz_cogen", "Gaz - Cogénération (MW)", "int"),
    ("gaz_ccg", "Gaz - CCG (MW)", "int"),
    ("gaz_autres", "Gaz - Autres (MW)", "int"),
    ("hydraulique_fil_eau_eclusee", "Hydraulique - Fil de l'eau + éclusée (MW)", "int"),
    ("hydraulique_lacs", "Hydraulique - Lacs (MW)", "int"),
    ("hydraulique_step_turbinage", "Hydraulique - STEP turbinage (MW)", "int"),
    ("bioenergies_dechets", "Bioénergies - Déchets (MW)", "int"),
    ("bioenergies_biomasse", "Bioénergies - Biomasse (MW)", "int"),
    ("bioenergies_biogaz", "Bioénergies - Biogaz (MW)", "int"),
    ("stockage_batterie", "Stockage batterie (MW)", "text"),
    ("destockage_batterie", "Déstockage batterie (MW)", "text"),
)
_REGIONAL: tuple[tuple[str, str, FieldType], ...] = (
    ("code_insee_region", "Code INSEE région", "text"),
    ("libelle_region", "Région", "text"),
    ("nature", "Nature", "text"),
    *_TIMES,
    ("consommation", "Consommation (MW)", "int"),
    ("thermique", "Thermique (MW)", "int"),
    ("nucleaire", "Nucléaire (MW)", "int"),
    ("eolien", "Eolien (MW)", "int"),
    ("solaire", "Solaire (MW)", "int"),
    ("hydraulique", "Hydraulique (MW)", "int"),
    ("pompage", "Pompage (MW)", "text"),
    ("bioenergies", "Bioénergies (MW)", "int"),
    ("ech_physiques", "Ech. physiques (MW)", "int"),
    ("stockage_batterie", "Stockage batterie (MW)", "text"),
    ("destockage_batterie", "Déstockage batterie (MW)", "text"),
)
FIELDS: dict[str, tuple[Field, ...]] = {
    name: tuple(Field(*declared) for declared in (_REGIONAL if "regional" in name else _NATIONAL)) for name in DATASETS
}

_NAME_BY_FOLDED_LABEL = {
    "heures": "heure",
    "region": "libelle_region",
    "tauxdeco2": "taux_co2",
    "fioulcogeneration": "fioul_cogen",
    "gazcogeneration": "gaz_cogen",
    "hydrauliquefildeleaueclusee": "hydraulique_fil_eau_eclusee",
} | {fold(field.name): field.name for fields in FIELDS.values() for field in fields}


def dataset_of(*, is_regional: bool, nature: str) -> str:
    """Return the dataset in which the portal publishes rows of that nature.

    >>> dataset_of(is_regional=True, nature="Données consolidées")
    'eco2mix-regional-cons-def'
    """
    scope = "regional" if is_regional else "national"
    return f"eco2mix-{scope}-{'tr' if nature == REALTIME_NATURE else 'cons-def'}"


def technical_name(label: str) -> str:
    """Return the portal's technical name for a header of an RTE file or of a labelled export.

    An unknown header keeps its words: columns that RTE adds later survive.

    >>> technical_name("Fioul - Cogén.")
    'fioul_cogen'
    >>> technical_name(" Consommation corrigée (MW)")
    'consommation_corrigee'
    """
    bare = re.sub(r"\([^)]*\)\s*$", "", label.lstrip("\ufeff"))
    known = _NAME_BY_FOLDED_LABEL.get(fold(bare))
    if known:
        return known
    plain = unicodedata.normalize("NFKD", bare).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")


def fields_for(dataset: str, names: Iterable[str], types: dict[str, FieldType]) -> tuple[Field, ...]:
    """Return the fields of those names in the portal's order, undeclared ones last, typed as recorded."""
    present = list(dict.fromkeys(names))
    declared = {field.name: field for field in FIELDS[dataset]}
    ordered = [name for name in declared if name in present] + [name for name in present if name not in declared]
    return tuple(
        Field(name, declared[name].label if name in declared else name, types.get(name, "text")) for name in ordered
    )
