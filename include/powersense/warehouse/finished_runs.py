"""Runs that reached their end: a row a run, from the last step of each core DAG."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from powersense.warehouse.scoring import utc
from powersense.warehouse.sql import statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Named here, since the driver would ask the server for them at every insert.
_TYPES = ("String", "String")


@dataclass(frozen=True)
class NewestFinish:
    """The newest end of a DAG's runs: the instant in UTC, and its age by the server's clock."""

    dag_id: str
    finished_at: datetime
    age_seconds: float


def record_finished_run(client: Client, *, dag_id: str, run_id: str) -> None:
    """Record that a run reached its end now; again, it moves the instant.

    Args:
        client: a writer's client.
        dag_id: the run's DAG.
        run_id: the Airflow run.
    """
    client.insert(
        "finished_runs",
        [[dag_id, run_id]],
        column_names=("dag_id", "run_id"),
        column_type_names=_TYPES,
        settings={"insert_deduplicate": 0},
    )


def newest_finishes(client: Client) -> list[NewestFinish]:
    """Return the newest end of each DAG's runs within the last 30 days, by DAG."""
    rows = client.query(statement("finished_newest")).named_results()
    return [NewestFinish(str(row["dag_id"]), utc(row["newest_at"]), float(row["age_seconds"])) for row in rows]
