"""One name for every column, whichever of its spellings a file or an export uses. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_UNIT = re.compile(r"\s*\([^()]*\)\s*$")
_NOT_NAME = re.compile(r"[^a-z0-9]+")


def fold_label(label: str) -> str:
    """Reduce a label to lower-case ASCII words joined by underscores, without its unit.

    >>> fold_label("Ech. comm. Allemagne-Belgique (MW)")
    'ech_comm_allemagne_belgique'
    """
    plain = unicodedata.normalize("NFKD", _UNIT.sub("", label.lstrip("\ufeff"))).encode("ascii", "ignore").decode()
    return _NOT_NAME.sub("_", plain.lower()).strip("_")


def canonical_names(labels: Iterable[str], aliases: Mapping[str, str]) -> list[str]:
    """Return the portal's technical name of each label; unknown labels keep their folded form.

    Two columns never get the same name: a later one takes a numeric suffix, so that its values survive.

    Args:
        labels: headers as published, with stray spaces, units, a BOM, or RTE's `?` for a typographic apostrophe.
        aliases: folded label → technical name, where folding alone does not give it.

    >>> canonical_names([" Stockage batterie", "Prévision J-1"], {"prevision_j_1": "prevision_j1"})
    ['stockage_batterie', 'prevision_j1']
    """
    names: list[str] = []
    for position, label in enumerate(labels):
        folded = fold_label(str(label)) or f"column_{position + 1}"
        name = stem = aliases.get(folded, folded)
        repeat = 1
        while name in names:
            repeat += 1
            name = f"{stem}_{repeat}"
        names.append(name)
    return names
