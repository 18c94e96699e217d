"""Figures of the warehouse for Prometheus: which query gives which metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from powersense.contracts import AREAS, LOAD_METRIC
from powersense.settings import Settings
from powersense.warehouse.marts import has_mart
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True)
class Family:
    """One metric of a query's rows.

    Attributes:
        name: without the prefix `powersense_`; ends in its unit.
        about: what a sample says.
        column: of the rows; a NULL gives no sample.
        labels: columns that become labels.
        fixed: labels that all its samples bear.
    """

    name: str
    about: str
    column: str
    labels: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Sample:
    """One figure, the labels in the order of exposition."""

    labels: tuple[tuple[str, str], ...]
    value: float


_AREA = ("area",)
_SOURCE = ("source",)
_ROWS = "Rows that the last day's ingestion runs saw, by what became of them."
_RUNS = "Ingestion runs that began in the last day, by how they ended."
_VALUES = "Values of the load inserted in the last day: for the first time, or as a later version."

QUERIES: Mapping[str, tuple[Family, ...]] = {
    "finished_newest": (
        Family("run_finished_age_seconds", "Since a run of the DAG last reached its end.", "age_seconds", ("dag_id",)),
    ),
    "metrics_load": (
        Family("newest_instant_age_seconds", "Age of the area's newest load value.", "age_seconds", _AREA),
        Family(
            "ingestion_lag_seconds", "From the area's newest instant until its value was stored.", "lag_seconds", _AREA
        ),
    ),
    "metrics_weather": (
        Family("weather_age_seconds", "Age of the newest weather, observed and forecast.", "age_seconds", ("kind",)),
    ),
    "metrics_ingestion": (
        Family("ingestion_success_age_seconds", "Since a run last succeeded.", "success_age_seconds", _SOURCE),
        Family("ingestion_runs_1d", _RUNS, "succeeded", _SOURCE, (("state", "success"),)),
        Family("ingestion_runs_1d", _RUNS, "failed", _SOURCE, (("state", "failed"),)),
        Family("ingested_rows_1d", _ROWS, "rows_new", _SOURCE, (("outcome", "new"),)),
        Family("ingested_rows_1d", _ROWS, "rows_revised", _SOURCE, (("outcome", "revised"),)),
        Family("ingested_rows_1d", _ROWS, "rows_unchanged", _SOURCE, (("outcome", "unchanged"),)),
        Family("ingested_rows_1d", _ROWS, "rows_quarantined", _SOURCE, (("outcome", "quarantined"),)),
    ),
    "metrics_quarantine": (
        Family("quarantined_records_1d", "Records first set aside in the last day.", "records", ("source", "reason")),
    ),
    "metrics_tables": (
        Family("table_rows", "Rows of a table as stored.", "row_count", ("table",)),
        Family("table_bytes", "Size of a table on disk.", "size_bytes", ("table",)),
    ),
    "metrics_versions": (
        Family("load_values_1d", _VALUES, "first_versions", ("vintage",), (("kind", "first"),)),
        Family("load_values_1d", _VALUES, "revisions", ("vintage",), (("kind", "revision"),)),
    ),
    "metrics_scores": (
        Family(
            "newest_score_age_seconds",
            "Age of the newest instant that was scored.",
            "age_seconds",
            ("detector", "area"),
        ),
        Family("anomalies_1d", "Anomalous instants of the last day that stand.", "anomalies", ("detector", "area")),
    ),
    "metrics_episodes": (
        Family("open_episodes", "Episodes of anomalies that are open.", "episodes", ("detector", "severity")),
    ),
    "metrics_forecasts": (
        Family("forecast_age_seconds", "Age of the area's newest forecast.", "age_seconds", _AREA),
        Family(
            "forecast_fallback_level", "Rung of the ladder that it came from; 0: the champion.", "fallback_level", _AREA
        ),
    ),
    "metrics_models": (
        Family("model_age_seconds", "Since the newest model was trained.", "age_seconds", ("kind", "scope")),
    ),
    "metrics_alerts": (
        Family("open_alerts", "Alerts that are open.", "alerts", ("rule", "severity")),
        Family("open_alert_age_seconds", "Age of the oldest of them.", "oldest_seconds", ("rule", "severity")),
    ),
    "metrics_alert_groups": (
        Family(
            "alert_groups", "Groups of alerts, by whether someone took them on.", "alert_groups", ("severity", "state")
        ),
        Family("alert_group_age_seconds", "Age of the oldest of them.", "oldest_seconds", ("severity", "state")),
    ),
    "metrics_notices": (Family("notices_1d", "Notices to people in the last day.", "notices", ("target", "outcome")),),
    "metrics_stream": (
        Family(
            "stream_worker_lag_messages", "Messages that wait, as the worker last said.", "lag_messages", ("worker",)
        ),
        Family("stream_worker_beat_age_seconds", "Since the worker last beat.", "beat_age_seconds", ("worker",)),
        Family("stream_worker_running", "Whether it scores.", "is_running", ("worker",)),
        Family("stream_worker_batch_p99_seconds", "Its batches, 99 of 100 of them.", "batch_p99_seconds", ("worker",)),
    ),
}
# From a mart, which is not there before dbt has run.
MART_QUERIES: Mapping[str, tuple[str, tuple[Family, ...]]] = {
    "metrics_forecast_error": (
        "mart_forecast_errors",
        (
            Family(
                "forecast_error_ratio", "Mean error of the day ahead over a week, of the load.", "error_ratio", _AREA
            ),
            Family("forecast_error_rte_ratio", "The same of RTE's own forecasts.", "rte_error_ratio", _AREA),
        ),
    ),
}


def warehouse_samples(client: Client, *, settings: Settings) -> Iterator[tuple[Family, list[Sample]]]:
    """Yield every metric with its samples; ages are by the server's clock.

    Args:
        client: a reader's client.
        settings: name the database of the marts.
    """
    parameters = {
        "metric": LOAD_METRIC,
        "areas": [area.name for area in AREAS],
        "marts": settings.clickhouse_marts_database,
        "at": datetime.now(UTC),
    }
    for name, families in QUERIES.items():
        yield from _samples(client, name, families, parameters)
    for name, (mart, families) in MART_QUERIES.items():
        if has_mart(client, mart, database=settings.clickhouse_marts_database):
            yield from _samples(client, name, families, parameters)


def _samples(
    client: Client, query: str, families: Sequence[Family], parameters: Mapping[str, Any]
) -> Iterator[tuple[Family, list[Sample]]]:
    rows = list(client.query(statement(query), parameters=dict(parameters)).named_results())
    for family in families:
        yield (
            family,
            [
                Sample(
                    (*((label, str(row[label])) for label in family.labels), *family.fixed), float(row[family.column])
                )
                for row in rows
                if row[family.column] is not None
            ],
        )
