"""The figures of ``make demo-once``: what was ingested, modelled, scored and raised, and the incident's recall."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from powersense.calendar import PARIS
from powersense.contracts import AREA_BY_FOLDED_NAME, LOAD_METRIC, fold
from powersense.errors import LocalStackError
from powersense.local.demo_files import FILES, LOAD_INGESTION
from powersense.local.replay_settings import SAMPLE_FOLDER

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LABELS_FILE = SAMPLE_FOLDER / "incident_2017-09-30.csv"
# The bound: of the labelled half-hours, so many have to be flagged.
REQUIRED_RECALL = 0.95

Label = tuple[str, datetime]


@dataclass(frozen=True)
class DemoReport:
    """What one pass over the recording left in the warehouse.

    Attributes:
        rows_by_area: stored measurement rows, all versions.
        revised_rows: rows that are a later version of a value.
        quarantined_rows: records set aside.
        dbt_models: models built by the latest dbt run.
        dbt_tests_passed: tests of the latest dbt run that passed.
        dbt_tests_failed: tests of the latest dbt run that failed.
        points_scored: scored half-hours and quarter-hours.
        incident_recall: flagged share of the incident's labelled half-hours, 0 to 1.
        episodes: the incident's episodes, a sentence each.
        alerts_opened: alerts, each a problem of one area.
        alert_groups: what people see of them, a line a group.
        stream_messages_scored: feature messages whose result landed.
        stream_anomalies: among them.
        stream_dead_letters: feature messages that could not be scored.
        files_loaded: files of the demo's folder whose content counts.
        file_rows: rows that they hold.
        file_values_changed: among those of RTE's files, values that the portal had not brought alike.
    """

    rows_by_area: Mapping[str, int]
    revised_rows: int
    quarantined_rows: int
    dbt_models: int
    dbt_tests_passed: int
    dbt_tests_failed: int
    points_scored: int
    incident_recall: float
    episodes: tuple[str, ...]
    alerts_opened: int
    alert_groups: tuple[str, ...]
    stream_messages_scored: int
    stream_anomalies: int
    stream_dead_letters: int
    files_loaded: int
    file_rows: int
    file_values_changed: int

    def figures(self) -> dict[str, int | float]:
        """Return the figures of ``build/demo.json``, `seconds` excepted."""
        return {
            "areas": len(self.rows_by_area),
            "measurement_rows": sum(self.rows_by_area.values()),
            "revised_rows": self.revised_rows,
            "quarantined_rows": self.quarantined_rows,
            "dbt_models": self.dbt_models,
            "dbt_tests_passed": self.dbt_tests_passed,
            "dbt_tests_failed": self.dbt_tests_failed,
            "points_scored": self.points_scored,
            "incident_recall": round(self.incident_recall, 4),
            "episodes": len(self.episodes),
            "alerts_opened": self.alerts_opened,
            "stream_messages_scored": self.stream_messages_scored,
            "stream_dead_letters": self.stream_dead_letters,
            "files_loaded": self.files_loaded,
            "file_rows": self.file_rows,
            "file_values_changed": self.file_values_changed,
        }

    def lines(self) -> list[str]:
        """Return the summary for people."""
        figures = self.figures()
        return [
            f"Rows ingested      {figures['measurement_rows']:,} in {figures['areas']} areas, "
            f"{self.revised_rows:,} of them revisions, {self.quarantined_rows:,} records in quarantine",
            *(f"  {area:<28} {rows:>10,}" for area, rows in sorted(self.rows_by_area.items())),
            f"dbt                {self.dbt_models} models built, {self.dbt_tests_passed} tests passed, "
            f"{self.dbt_tests_failed} failed",
            f"Points scored      {self.points_scored:,}",
            f"Incident           {self.incident_recall:.1%} of its labelled half-hours flagged",
            *(f"  {sentence}" for sentence in self.episodes),
            f"Alerts opened      {self.alerts_opened} in {len(self.alert_groups)} groups",
            *(f"  {group}" for group in self.alert_groups),
            f"Stream             {self.stream_messages_scored:,} feature messages scored, {self.stream_anomalies:,} of "
            f"them anomalies, {self.stream_dead_letters:,} dead letters",
            f"Files              {self.files_loaded} of {FILES} loaded, {self.file_rows:,} rows, "
            f"{self.file_values_changed:,} values of them other than the portal's",
        ]

    def require_sound(self) -> None:
        """Refuse a result that the recording cannot have given.

        Raises:
            LocalStackError: names each figure that is wrong.
        """
        wrong = [
            text
            for is_wrong, text in (
                (not self.rows_by_area, "no measurement was stored"),
                (self.dbt_models == 0, "dbt built no model"),
                (self.dbt_tests_failed > 0, f"{self.dbt_tests_failed} dbt tests failed"),
                (self.points_scored == 0, "nothing was scored"),
                (
                    self.incident_recall < REQUIRED_RECALL,
                    f"only {self.incident_recall:.1%} of the incident was flagged, {REQUIRED_RECALL:.0%} are required",
                ),
                (not self.alerts_opened, "no alert was opened"),
                (self.stream_messages_scored == 0, "no feature message was scored"),
                (self.stream_dead_letters > 0, f"{self.stream_dead_letters} feature messages could not be scored"),
                (self.files_loaded < FILES, f"{self.files_loaded} of {FILES} files were loaded"),
                (
                    self.file_values_changed > 0,
                    f"{self.file_values_changed} values of RTE's files are not the portal's",
                ),
            )
            if is_wrong
        ]
        if wrong:
            raise LocalStackError(f"the demo's result is wrong: {'; '.join(wrong)}")


def realtime_begins_at() -> datetime:
    """Return the first instant with a real-time load value, UTC.

    Raises:
        LocalStackError: none is stored.
    """
    rows = _query(
        "SELECT min(observed_at), count() FROM measurements WHERE metric = {metric:String} AND vintage = 'realtime'",
        {"metric": LOAD_METRIC},
    )
    first, count = rows[0]
    if not count:
        raise LocalStackError("no real-time load was stored: look at the runs of ingest_load")
    return _utc(first)


def alert_lines() -> list[str]:
    """Return the open groups of alerts, a line each, the gravest first."""
    return [f"  alert {line}" for line in _alert_groups(("open", "acknowledged"))]


def _alert_groups(states: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"[{severity}] {subject}" + (f" ({alerts} alerts)" if alerts > 1 else "")
        for severity, subject, alerts in _query(
            "SELECT severity, subject, alerts FROM alert_groups(at = now64(6, 'UTC')) "
            "WHERE state IN {states:Array(String)} ORDER BY severity DESC, rule, opened_at, group_id",
            {"states": list(states)},
        )
    )


def read(*, shift: timedelta) -> DemoReport:
    """Read the figures from the warehouse.

    Args:
        shift: by how much the replay moves the recording's Paris wall clock.
    """
    labels = incident_labels(shift)
    days = [instant for _, instant in labels]
    models, passed, failed = _dbt_outcome()
    one = _single
    return DemoReport(
        rows_by_area={
            str(area): int(rows)
            for area, rows in _query(
                "SELECT area, count() FROM measurements FINAL WHERE publisher != 'powersense' GROUP BY area"
            )
        },
        revised_rows=one("SELECT count() FROM measurements FINAL WHERE publisher != 'powersense' AND version > 1"),
        quarantined_rows=one("SELECT count() FROM quarantine FINAL"),
        dbt_models=models,
        dbt_tests_passed=passed,
        dbt_tests_failed=failed,
        points_scored=one("SELECT count() FROM scores FINAL WHERE status = 'scored'"),
        incident_recall=_recall(labels),
        episodes=tuple(
            str(text)
            for (text,) in _query(
                "SELECT explanation FROM episodes FINAL WHERE state != 'retracted' "
                "AND started_at <= {last:DateTime('UTC')} AND ended_at > {first:DateTime('UTC')} "
                "ORDER BY area, started_at",
                {"first": min(days), "last": max(days)},
            )
        ),
        alerts_opened=one("SELECT count() FROM alerts FINAL"),
        alert_groups=_alert_groups(("open", "acknowledged", "closed")),
        stream_messages_scored=one("SELECT count() FROM stream_results FINAL"),
        stream_anomalies=one("SELECT count() FROM stream_results FINAL WHERE is_anomaly"),
        stream_dead_letters=one("SELECT count() FROM stream_dead_letters FINAL"),
        files_loaded=one("SELECT count() FROM file_states FINAL WHERE state = 'loaded'"),
        file_rows=one("SELECT sum(rows) FROM file_states FINAL WHERE state = 'loaded'"),
        file_values_changed=_file_values_changed(),
    )


def incident_labels(shift: timedelta) -> list[Label]:
    """Return the labelled half-hours of 30 September 2017 as (area, UTC instant), moved by the replay's shift."""
    with LABELS_FILE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["local_time"].startswith("2017-09-30")]
    return [
        (
            AREA_BY_FOLDED_NAME[fold(row["region"])],
            (datetime.fromisoformat(row["local_time"]) + shift).replace(tzinfo=PARIS).astimezone(UTC),
        )
        for row in rows
    ]


def _dbt_outcome() -> tuple[int, int, int]:
    """Return the models built, tests passed and tests failed of the newest whole dbt run."""
    from powersense.transform.results import last_results
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        results = last_results(client)
    tests = [result for result in results if result.resource_type in ("test", "unit_test")]
    return (
        sum(result.resource_type == "model" and result.has_passed for result in results),
        sum(test.has_passed for test in tests),
        sum(test.has_failed for test in tests),
    )


def _file_values_changed() -> int:
    query = "SELECT sum(rows_changed) FROM file_loads WHERE ingestion = {ingestion:String}"
    return int(_query(query, {"ingestion": LOAD_INGESTION})[0][0])


def _recall(labels: list[Label]) -> float:
    instants = [instant for _, instant in labels]
    flagged = {
        (str(area), _utc(observed_at))
        for area, observed_at in _query(
            "SELECT area, observed_at FROM scores FINAL WHERE is_anomaly AND metric = {metric:String} "
            "AND observed_at BETWEEN {first:DateTime('UTC')} AND {last:DateTime('UTC')}",
            {"metric": LOAD_METRIC, "first": min(instants), "last": max(instants)},
        )
    }
    return sum(label in flagged for label in labels) / len(labels)


def _single(sql: str) -> int:
    return int(_query(sql)[0][0])


def _query(sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    from powersense.warehouse.client import connect

    with connect("reader") as client:
        return _rows(client, sql, parameters)


def _rows(client: Client, sql: str, parameters: dict[str, Any] | None) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
