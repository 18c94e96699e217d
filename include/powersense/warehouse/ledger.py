"""Which tables a versioned series of values lives in, and what its place is called."""

from __future__ import annotations

from dataclasses import dataclass

from powersense.contracts import LANDING_COLUMNS


@dataclass(frozen=True)
class Ledger:
    """A table of versions, with what the versioned writer needs beside it; names only.

    Attributes:
        table: the versions.
        landing_table: what fetches landed, before numbering.
        log_table: the order of landings.
        place: column of the series' place; its plural is the log's list of them.
    """

    table: str
    landing_table: str
    log_table: str
    place: str

    @property
    def places(self) -> str:
        """Column of the log that lists a landing's places."""
        return f"{self.place}s"

    @property
    def landing_columns(self) -> tuple[str, ...]:
        """Columns of a landing frame."""
        return tuple(self.place if name == "area" else name for name in LANDING_COLUMNS)

    @property
    def names(self) -> dict[str, str]:
        """The identifiers that every statement of the writer is given."""
        return {
            "table": self.table,
            "landing_table": self.landing_table,
            "log_table": self.log_table,
            "place": self.place,
            "places_column": self.places,
        }


MEASUREMENTS = Ledger("measurements", "measurements_landing", "landings", place="area")
WEATHER = Ledger("weather_observations", "weather_landing", "weather_landings", place="station")
