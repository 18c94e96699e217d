"""What judging a file's pieces came to, before anything of it is landed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powersense.autoloader.ledgers.piece import Piece
from powersense.errors import FileContentError
from powersense.files.declaration import Ingestion

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Findings:
    """Sums over the pieces of one file.

    Attributes:
        rows: values that it holds.
        is_set_aside: whether any record was set aside.
        hides_keys: whether a record was set aside that does not say where it belongs.
        first_bad_line: the first record that was set aside, and why.
        metrics, places, vintages: of its values.
        unsound: keys of single values that were set aside.
        schema_changes: one sentence for each column that is missing, or is none of a number.
    """

    rows: int = 0
    is_set_aside: bool = False
    hides_keys: bool = False
    first_bad_line: str = ""
    metrics: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    vintages: set[str] = field(default_factory=set)
    unsound: list[pd.DataFrame] = field(default_factory=list)
    schema_changes: list[str] = field(default_factory=list)

    def add(self, piece: Piece, *, place: str) -> None:
        """Count a piece.

        Args:
            piece: the next of the file.
            place: column of its rows' place.
        """
        self.rows += len(piece.rows)
        self.is_set_aside |= not piece.quarantined.empty
        self.hides_keys |= piece.hides_keys
        self.first_bad_line = self.first_bad_line or piece.first_bad_line
        self.metrics |= set(piece.rows["metric"].unique())
        self.places |= set(piece.rows[place].unique())
        self.vintages |= set(piece.rows["vintage"].unique())
        if len(piece.unsound):
            self.unsound.append(piece.unsound)
        for name in piece.missing_metrics:
            self._note(f"no column gives {name!r}")
        for name in piece.unknown_columns:
            self._note(f"column {name!r} holds words and was set aside")

    def _note(self, sentence: str) -> None:
        if sentence not in self.schema_changes:
            self.schema_changes.append(sentence)


def refuse_piece(piece: Piece, ingestion: Ingestion, *, name: str) -> None:
    """Refuse a file for one of its pieces, where its ingestion asks for that.

    Raises:
        FileContentError: a bad record under bad_records `fail`, or a missing column under schema_policy `fail`.
    """
    if ingestion.bad_records == "fail" and piece.has_bad_records:
        raise FileContentError(
            f"{name}: it holds a bad record, and bad_records is 'fail': {piece.first_bad_line[:200]}; "
            "deliver it corrected, or set bad_records to 'quarantine'",
            first_bad_line=piece.first_bad_line,
        )
    if ingestion.schema_policy == "fail" and piece.missing_metrics:
        raise FileContentError(
            f"{name}: no column gives {', '.join(piece.missing_metrics)}, which source {ingestion.target.source!r} "  # type: ignore[union-attr]
            "promises, and schema_policy is 'fail'; deliver it whole, or set schema_policy to 'evolve'"
        )


def refuse_useless(findings: Findings, *, name: str) -> None:
    """Refuse a file of which nothing can be stored though it is not empty.

    Raises:
        FileContentError: names the first record and what is wrong with it.
    """
    if findings.is_set_aside and not findings.rows:
        raise FileContentError(
            f"{name}: not one of its records can be stored; the first: {findings.first_bad_line[:200]}. "
            "Correct the format or the source in the ingestion, or deliver it corrected",
            first_bad_line=findings.first_bad_line,
        )
