"""The scoring workspace: a ClickHouse session in whose temporary tables one scoring is worked out, and what it stores.

All of it stays on the server; only z-scores that changed pass through this process, since they are landed like any
other measurement. Behind a load balancer the session needs to stay on one server (ClickHouse sessions are local to a
server).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.calendar import PARIS, local_midnight
from powersense.contracts import AREAS, LOAD_METRIC, Vintage
from powersense.warehouse.client import connect
from powersense.warehouse.reads import EVER
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    import pandas as pd
    from clickhouse_connect.driver.client import Client

SESSION_TIMEOUT_SECONDS = 600

# In the order of scoring_counts.sql.
_COUNTS = (
    "points_scored",
    "points_insufficient_history",
    "points_superseded",
    "anomalies",
    "anomalies_new",
    "anomalies_retracted",
)


@dataclass(frozen=True)
class Series:
    """What one detector scores.

    Attributes:
        detector: its name.
        metric: the scored metric, in MW.
        areas: perimeters.
    """

    detector: str
    metric: str = LOAD_METRIC
    areas: tuple[str, ...] = tuple(area.name for area in AREAS)

    @property
    def parameters(self) -> dict[str, Any]:
        """Server-side parameters that name the series."""
        return {"detector": self.detector, "metric": self.metric, "areas": list(self.areas)}


@dataclass(frozen=True)
class Extent:
    """Targets of a scoring: how many, and the half-open range [start, end) of UTC instants that holds them."""

    points: int
    start: datetime
    end: datetime


class ScoringWorkspace:
    """One scoring's session; meets `detection.interface.Workspace`. Made by `open_workspace`."""

    def __init__(self, client: Client, series: Series, *, as_of: datetime | None) -> None:
        self.client = client
        self.series = series
        self.as_of = as_of or EVER
        self._known: dict[str, Any] = {"as_of": self.as_of, "up_to_vintage": Vintage.DEFINITIVE.value}
        self._extent: dict[str, Any] = {}

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run a statement in the session."""
        self.client.command(statement, parameters=dict(parameters))

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return a query's rows."""
        rows: Sequence[Sequence[Any]] = self.client.query(statement, parameters=dict(parameters)).result_rows
        return rows

    def frame(self, statement: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
        """Return a query's rows as a frame."""
        frame: pd.DataFrame = self.client.query_df(statement, parameters=dict(parameters))
        return frame

    def insert(self, table: str, frame: pd.DataFrame) -> None:
        """Append a frame to one of the session's tables."""
        self.client.insert_df(table, frame)

    def choose_range(self, start: datetime, end: datetime) -> Extent:
        """Make every point of [start, end) a target."""
        return self._choose("scoring_interval_targets", {"start": start, "end": end})

    def choose_due(self, since: datetime, now: datetime, *, changed_since: datetime) -> Extent:
        """Make what is due before `now` the targets: points without a score, or whose value changed or was superseded.

        Args:
            since: points before it are due only if they have a score and got a row inserted after `changed_since`.
            now: points from it on are not considered.
            changed_since: wall-clock bound of that look into the past.
        """
        return self._choose("scoring_due_targets", {"start": since, "end": now, "changed_since": changed_since})

    def prepare(self, extent: Extent, *, history_days: int, band: Mapping[str, float]) -> None:
        """Make the tables that a detector finds.

        Args:
            extent: of the targets.
            history_days: Paris days before the first target that are read.
            band: how false alarms widen the band, `detection.labels.BAND_PARAMETERS`.
        """
        first_day = extent.start.astimezone(PARIS).date() - timedelta(days=history_days)
        self._extent = {"start": extent.start, "end": extent.end, "history_start": local_midnight(first_day)}
        for name in ("labels", "known", "superseded", "points", "results", "flags", "known_flags"):
            self._run(f"scoring_{name}")
        self._run("scoring_wider_bands", **band)

    def finish(self, *, run_id: str, critical_share: float) -> dict[str, int]:
        """Freeze the results and store the changes in `anomalies`; returns counts of points, anomalies and changes."""
        self._run("scoring_superseded_results")
        self._run("scoring_final")
        self._run("scoring_changes", run_id=run_id, critical_share=critical_share)
        self.execute("INSERT INTO anomalies SELECT * EXCEPT was_active FROM scoring_changes", {})
        return dict(zip(_COUNTS, map(int, self.rows(statement("scoring_counts"), {})[0]), strict=True))

    def new_z_scores(self, *, z_score_metric: str) -> pd.DataFrame:
        """Return the z-scores that differ from the stored ones, with the columns to land that they determine."""
        return self.frame(statement("scoring_new_z_scores"), self._parameters | {"z_score_metric": z_score_metric})

    def store(self, *, run_id: str) -> None:
        """Store the scores: from then on the targets count as scored."""
        self._run("scoring_store", run_id=run_id)

    def drop(self) -> None:
        """Free the session's tables at once, instead of when the session times out."""
        self.execute(statement("scoring_drop"), {})

    @property
    def _parameters(self) -> dict[str, Any]:
        return self.series.parameters | self._known | self._extent

    def _run(self, name: str, **parameters: Any) -> None:
        self.execute(statement(name), self._parameters | parameters)

    def _choose(self, name: str, bounds: dict[str, Any]) -> Extent:
        self._run(name, **bounds)
        count, first, last = self.rows("SELECT count(), min(observed_at), max(observed_at) FROM scoring_targets", {})[0]
        return Extent(int(count), utc(first), utc(last) + timedelta(seconds=1))


@contextmanager
def open_workspace(series: Series, *, as_of: datetime | None) -> Iterator[ScoringWorkspace]:
    """Open a session for one scoring; its tables end with it.

    Args:
        series: what is scored, by which detector.
        as_of: values inserted later are not seen (wall clock); None sees all.
    """
    with connect("writer", session_id=uuid.uuid4().hex, session_timeout=SESSION_TIMEOUT_SECONDS) as client:
        workspace = ScoringWorkspace(client, series, as_of=as_of)
        try:
            yield workspace
        finally:
            workspace.drop()


def newest_scored_at(client: Client, series: Series) -> datetime | None:
    """Return the wall-clock instant of the series' latest score, UTC; None before the first."""
    query = "SELECT maxOrNull(scored_at) FROM scores WHERE detector = {detector:String} AND metric = {metric:String}"
    newest = client.query(query, parameters=series.parameters).result_rows[0][0]
    return None if newest is None else utc(newest)


def first_issued_at(client: Client) -> datetime | None:
    """Return the issue time of the oldest stored forecast, UTC; None where nothing was ever forecast."""
    rows, first = client.query("SELECT count(), min(issued_at) FROM forecasts").result_rows[0]
    return utc(first) if rows else None


def utc(instant: datetime) -> datetime:
    """Give a zone to an instant that the driver returns without one; the tables hold UTC only."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
