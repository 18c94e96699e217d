"""What each dbt run made of each model and test, kept in `dbt_results`: tasks hold no files."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from powersense.errors import ConfigurationError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

COLUMNS = (
    "invocation_id",
    "node_id",
    "resource_type",
    "name",
    "tested_node",
    "status",
    "failures",
    "message",
    "seconds",
    "command",
    "is_whole_run",
    "dag_id",
    "run_id",
    "started_at",
)
OUTCOMES_KEY = "outcomes"
KEPT_TYPES = ("model", "seed", "test", "unit_test")

PASSED = ("success", "pass")
FAILED = ("error", "fail", "runtime error")


@dataclass(frozen=True)
class NodeResult:
    """The last outcome of one dbt node.

    Attributes:
        node_id: dbt's unique id.
        resource_type: `model`, `seed`, `test` or `unit_test`.
        name: the node's name, as the UI shows it.
        tested_node: name of what a test tests; empty for other nodes.
        status: dbt's word: `success`, `pass`, `warn`, `fail`, `error`, `skipped`.
        failures: rows that a test found wrong; None for other nodes.
        message: dbt's message.
        started_at: start of the dbt run, UTC.
    """

    node_id: str
    resource_type: str
    name: str
    tested_node: str
    status: str
    failures: int | None
    message: str
    started_at: datetime

    @property
    def has_passed(self) -> bool:
        """True for a built model and for a test that found nothing, or only what is worth a warning."""
        return self.status in (*PASSED, "warn")

    @property
    def has_failed(self) -> bool:
        """True for what failed by itself; what was skipped because of it has not failed."""
        return self.status in FAILED


def record(project_dir: str, *, context: Mapping[str, Any]) -> None:
    """Store the results of the dbt run that just ended; Cosmos calls it after success and failure alike.

    Args:
        project_dir: the task's copy of the project, with dbt's artifacts in `target`.
        context: the task's Airflow context.
    """
    from powersense.settings import get_settings
    from powersense.warehouse.client import connect

    target = Path(project_dir) / "target"
    results_file, manifest_file = target / "run_results.json", target / "manifest.json"
    if not results_file.is_file():
        logger.warning("dbt ended before it ran anything; its log above says why")
        return
    task_instance = context["ti"]
    found = rows(
        json.loads(results_file.read_text(encoding="utf-8")),
        json.loads(manifest_file.read_text(encoding="utf-8")),
        dag_id=task_instance.dag_id,
        run_id=str(context["run_id"]),
    )
    with connect("writer") as client:
        client.insert("dbt_results", found, column_names=COLUMNS, database=get_settings().clickhouse_database)
    logger.info("Recorded %d dbt results", len(found))
    summed = {"try_number": task_instance.try_number, "nodes": outcomes(found)}
    task_instance.xcom_push(key=OUTCOMES_KEY, value=summed)


def rows(results: Mapping[str, Any], manifest: Mapping[str, Any], *, dag_id: str, run_id: str) -> list[list[Any]]:
    """Return the rows of `dbt_results` for one `run_results.json`, in the order of `COLUMNS`.

    Raises:
        ConfigurationError: results and manifest are not of the same dbt run.
    """
    nodes = {**manifest["nodes"], **manifest.get("unit_tests", {})}
    metadata, arguments = results["metadata"], results.get("args", {})
    command = str(arguments.get("which", ""))
    is_whole_run = command == "build" and not arguments.get("select")
    started_at = datetime.fromisoformat(metadata["invocation_started_at"].replace("Z", "+00:00"))
    found = []
    for result in results["results"]:
        node = nodes.get(result["unique_id"])
        if node is None:
            if result["unique_id"].startswith("exposure."):
                continue
            raise ConfigurationError(f"manifest.json does not know {result['unique_id']} of run_results.json")
        if node["resource_type"] not in KEPT_TYPES:
            continue
        tested = node.get("attached_node") or (node.get("depends_on", {}).get("nodes") or [""])[0]
        found.append(
            [
                metadata["invocation_id"],
                result["unique_id"],
                node["resource_type"],
                node["name"],
                tested.rsplit(".", 1)[-1] if node["resource_type"] in ("test", "unit_test") else "",
                result["status"],
                result.get("failures"),
                result.get("message") or "",
                float(result.get("execution_time") or 0.0),
                command,
                is_whole_run,
                dag_id,
                run_id,
                started_at,
            ]
        )
    return found


def outcomes(found: list[list[Any]]) -> dict[str, dict[str, Any]]:
    """Sum up the rows of one dbt run by model, for the tasks that report them.

    Returns:
        By name of the model or seed: `status` and `message` of its own, and `failed` and `warned`, the tests on it that
        found something, each with dbt's message.
    """
    summed: dict[str, dict[str, Any]] = {}
    results = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    for result in results:
        if result["resource_type"] in ("model", "seed"):
            summed[result["name"]] = {
                "status": result["status"],
                "message": result["message"],
                "failed": [],
                "warned": [],
            }
    for result in results:
        tested = summed.get(result["tested_node"])
        if tested is None or result["status"] not in (*FAILED, "warn"):
            continue
        tested["warned" if result["status"] == "warn" else "failed"].append(f"{result['name']}: {result['message']}")
    return summed


def last_results(client: Client, *, database: str | None = None) -> list[NodeResult]:
    """Return the last outcome of every node of the newest whole dbt run; empty before the first.

    Args:
        client: a reader's or writer's client.
        database: where `dbt_results` lies; that of the settings by default.
    """
    from powersense.settings import get_settings
    from powersense.warehouse.sql import statement

    parameters = {"database": database or get_settings().clickhouse_database}
    answer = client.query(statement("dbt_results_last"), parameters=parameters)
    return [NodeResult(node_id, *last) for node_id, last in answer.result_rows]
