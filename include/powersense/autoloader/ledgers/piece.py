"""What a part of a file holds for its ledger, as long rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from powersense.contracts import QuarantineReason

if TYPE_CHECKING:
    import pandas as pd

# What the publishers' own files hold by habit: it is set aside, and speaks against no file.
_HABITS = frozenset({QuarantineReason.GHOST_HOUR, QuarantineReason.UNKNOWN_STATION})
# Set aside without its keys: nobody can tell which value it was to be.
_WITHOUT_KEYS = frozenset(
    {
        QuarantineReason.MALFORMED_RECORD,
        QuarantineReason.MISSING_KEY,
        QuarantineReason.BAD_INSTANT,
        QuarantineReason.UNKNOWN_AREA,
        QuarantineReason.UNKNOWN_VINTAGE,
    }
)
_LONGEST_RECORD = 500


@dataclass(frozen=True)
class Piece:
    """A part of a file that fits in memory.

    Attributes:
        rows: the ledger's landing columns; values only, absent ones are left out.
        quarantined: columns of set_aside.QUARANTINE_COLUMNS.
        unsound: metric, place, observed_at of single values in `quarantined`.
        missing_metrics: expected metrics that the part has no column for.
    """

    rows: pd.DataFrame
    quarantined: pd.DataFrame
    unsound: pd.DataFrame
    missing_metrics: tuple[str, ...] = ()

    @property
    def hides_keys(self) -> bool:
        """Whether a record was set aside that does not say where it belongs."""
        return bool(self.quarantined["reason"].isin([str(reason) for reason in _WITHOUT_KEYS]).any())

    @property
    def has_bad_records(self) -> bool:
        """Whether anything was set aside beyond what the publishers' files hold by habit."""
        return bool((~self._is_habit).any())

    @property
    def first_bad_line(self) -> str:
        """The first record that was set aside, and why; what is no habit goes first. Empty where there is none."""
        if self.quarantined.empty:
            return ""
        row = self.quarantined.iloc[int((~self._is_habit).to_numpy().argmax())]
        detail = f" ({row['detail']})" if row["detail"] else ""
        return f"{row['reason']}{detail}: {str(row['record'])[:_LONGEST_RECORD]}"

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """Columns that were set aside whole, since they hold words."""
        is_column = self.quarantined["reason"] == str(QuarantineReason.UNKNOWN_COLUMN)
        return tuple(dict.fromkeys(self.quarantined.loc[is_column, "record"]))

    @property
    def _is_habit(self) -> pd.Series:
        return self.quarantined["reason"].isin([str(reason) for reason in _HABITS])
