"""Whether an ingestion's ledger target can take its format, told before any file is read."""

from __future__ import annotations

from powersense.errors import SourceDeclarationError
from powersense.files.declaration import Ingestion, LedgerTarget

# What each format of Météo-France's is written in.
_SOURCE_OF_FORMAT = {
    "meteo_hourly": "hourly",
    "meteo_synop": "synop",
    "meteo_climatology": "climatology",
    "meteo_observations": "observations",
}


def check_target(ingestion: Ingestion) -> None:
    """Check that the source of a ledger target is declared and is written in the ingestion's format.

    Args:
        ingestion: any; one with a table of its own passes.

    Raises:
        SourceDeclarationError: names the source and what would fit.
    """
    from powersense.sources.catalogue import get_source

    if not isinstance(ingestion.target, LedgerTarget):
        return
    if ingestion.target.kind == "measurements":
        get_source(ingestion.target.source)
        return
    wanted = _SOURCE_OF_FORMAT[ingestion.format]
    if ingestion.target.source != wanted:
        raise SourceDeclarationError(
            f"ingestion {ingestion.name!r}: target.source is {ingestion.target.source!r}, but files of format "
            f"{ingestion.format!r} are of source {wanted!r}; write that"
        )
