"""The task that stands for one dbt model in Airflow.

One dbt run builds all models (`tasks.build_models`): a run each would start dbt some twenty times, and Cosmos's
watcher mode streams every dbt event through Airflow's API; both cost more than the build itself. So each model's task
only reports what that run made of the model and its tests, and builds the model itself when it is cleared alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup
from airflow.sdk.exceptions import AirflowException
from cosmos.operators.local import DbtBuildLocalOperator

from powersense.transform.results import FAILED, OUTCOMES_KEY

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator
    from cosmos.dbt.graph import DbtNode


class DbtModelFailed(AirflowException):
    """dbt could not build a model, skipped it after a failure before it, or a test of error severity failed on it."""


class DbtModelOperator(DbtBuildLocalOperator):
    """Reports the outcome of one model, or builds it and its tests when cleared after the run that built it.

    Args:
        node_name: the model's name in the dbt project.
        built_by: id of the task whose dbt run built the model.
        **kwargs: see DbtBuildLocalOperator.
    """

    ui_color = "#ffd1b3"

    def __init__(self, *, node_name: str, built_by: str, **kwargs: Any) -> None:
        super().__init__(select=node_name, **kwargs)
        self.node_name = node_name
        self.built_by = built_by

    def execute(self, context: Mapping[str, Any], **kwargs: Any) -> Any:
        """Succeed or fail as the model did.

        Raises:
            DbtModelFailed: names the model and what went wrong with it.
        """
        task_instance = context["ti"]
        outcomes = task_instance.xcom_pull(task_ids=self.built_by, key=OUTCOMES_KEY)
        if outcomes is not None and task_instance.try_number <= outcomes["try_number"]:
            report(self.node_name, outcomes["nodes"].get(self.node_name))
            return None
        if task_instance.try_number == 1:
            raise DbtModelFailed(f"dbt ended before {self.node_name} was reached; the log of {self.built_by} says why")
        return super().execute(context, **kwargs)


def report(node_name: str, outcome: Mapping[str, Any] | None) -> None:
    """Log a model's outcome, or raise what dbt said.

    Raises:
        DbtModelFailed: see the class.
    """
    if outcome is None:
        raise DbtModelFailed(f"the dbt run knew no {node_name}: write the manifest anew, it is older than the project")
    problems = list(outcome["failed"])
    if outcome["status"] in (*FAILED, "skipped"):
        problems.insert(
            0, f"{outcome['status']}: {outcome['message'] or 'a model before it, or a test on one, failed'}"
        )
    if problems:
        raise DbtModelFailed(f"{node_name}: " + "; ".join(problems))


def converter(built_by: str) -> Callable[..., BaseOperator]:
    """Return what Cosmos calls to turn a dbt node into a task of its layer's group."""
    layers: dict[str, TaskGroup] = {}

    def convert(
        *, dag: DAG, task_group: TaskGroup, node: DbtNode, task_args: Mapping[str, Any], **_: Any
    ) -> BaseOperator:
        layer = node.fqn[1] if node.resource_type.value == "model" else "seeds"
        if layer not in layers:
            layers[layer] = TaskGroup(group_id=layer, dag=dag, parent_group=task_group)
        return DbtModelOperator(
            task_id=node.name,
            node_name=node.name,
            built_by=built_by,
            dag=dag,
            task_group=layers[layer],
            **task_args,
        )

    return convert
