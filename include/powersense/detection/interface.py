"""What every detector is given, and what it owes in return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


class Workspace(Protocol):
    """The points of one scoring, held in the warehouse for as long as it runs.

    Tables that stand in it (all of them last as long as the workspace):

    - `scoring_points`: one row per known load of the targets' days and of the detector's history before them: `area`,
      `day` (Paris), `bucket` (minutes of the Paris day, steps of 15), `day_type`, `observed_at` (UTC), `vintage`,
      `version`, `value` (MW), `is_target`, `is_accepted` (a label says that it is usual: a baseline may hold it though
      it is flagged), `is_usable` (false: a past anomaly, an outage, or what a label says is not usual; no baseline may
      hold it). In a superseded load's bucket stands the value that supersedes it, with that one's `observed_at`; no
      target.
    - `scoring_wider_bands`: `area`, `observed_at` of targets whose band false alarms have widened, `low_factor` and
      `high_factor`: what the band's half is multiplied with. Of any other target both are 1.
    - `scoring_flags`: `area`, `observed_at` of the targets that stand as anomalies from an earlier scoring.
    - `scoring_results`: empty; the detector's answer, see `Detector.score`.
    """

    @property
    def as_of(self) -> datetime:
        """Wall-clock instant, UTC: what was inserted later, forecasts included, is not seen."""
        ...

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run a statement in the warehouse: how a detector that is pushed down does its work."""
        ...

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return a query's rows."""
        ...

    def frame(self, statement: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
        """Return a query's rows as a frame: how a detector that works in this process reads its points."""
        ...

    def insert(self, table: str, frame: pd.DataFrame) -> None:
        """Append a frame to one of the workspace's tables: how such a detector hands in its results."""
        ...


class Detector(Protocol):
    """A rule that tells how unusual each load is."""

    @property
    def name(self) -> str:
        """Identifies the detector in `scores`, `anomalies` and `episodes`; never reused for another rule."""
        ...

    @property
    def history_days(self) -> int:
        """Whole Paris days before the first target's day of which the detector reads points."""
        ...

    def score(self, workspace: Workspace) -> int:
        """Leave in `scoring_results` at least one row per target; the one of the highest `pass` counts.

        The score of a target rests on points of earlier days only, of which none is an outage, labelled as not usual,
        or, unless a label accepts it, a past anomaly or a target that the result itself flags; or on a forecast issued
        before it. Its band rests on labels of episodes that had ended. So it does not matter in what portions a range
        is scored, as long as the labels are the same.

        Returns:
            Number of passes made.
        """
        ...


def statement(name: str) -> str:
    """Return the text of `detection/sql/<name>.sql`."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
