"""The dbt project as Airflow tasks: one that runs dbt, and one that stands for each model.

Cosmos renders from `dbt/target/manifest.json`, so that parsing a DAG file needs neither dbt nor ClickHouse;
`python -m powersense.transform.artifacts` writes the manifest and the docs page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule
from cosmos.config import ExecutionConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, ExecutionMode, InvocationMode, LoadMode, TestBehavior

from powersense.transform.artifacts import manifest_path, project_dir
from powersense.transform.profile import PROFILE, profile_config
from powersense.window import window

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, TaskGroup
    from jinja2.runtime import Context

OPERATOR_ARGUMENTS: dict[str, Any] = {
    "env": {"POWERSENSE_AS_OF": "{{ as_of() }}"},
    "append_env": True,
    "invocation_mode": InvocationMode.DBT_RUNNER,
    "callback": "powersense.transform.results.record",
    "install_deps": False,
    "emit_datasets": False,
    "should_store_compiled_sql": False,
    "pool": "transform",
}


def build_models(task_id: str, **callbacks: Any) -> BaseOperator:
    """Return the task that runs dbt once over the whole project: models in order, each tested before what reads it.

    Unit tests stay out: they test the SQL, not the data, and run with the other tests.

    Args:
        task_id: id of the task.
        **callbacks: callbacks of the task, by Airflow's names.
    """
    from cosmos import settings as cosmos_settings
    from cosmos.operators.local import DbtBuildLocalOperator

    return DbtBuildLocalOperator(
        task_id=task_id,
        dbt_cmd_flags=["--exclude-resource-type", "unit_test"],
        # Keeps dbt's parse of the project between runs; parsing anew costs as much as building.
        cache_dir=Path(cosmos_settings.cache_dir) / PROFILE,
        project_dir=str(project_dir()),
        profile_config=profile_config(),
        **callbacks,
        **OPERATOR_ARGUMENTS,
    )


def model_tasks(group_id: str, *, built_by: str) -> TaskGroup:
    """Render every model as a task, in groups staging, intermediate and marts, after the models that it reads.

    Args:
        group_id: id of the group around them.
        built_by: id of the task of `build_models`, whose outcome each of them reports.
    """
    from cosmos.airflow.task_group import DbtTaskGroup

    from powersense.transform.model_operator import converter

    group = DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            dbt_project_path=project_dir(), manifest_path=manifest_path(), install_dbt_deps=False
        ),
        profile_config=profile_config(),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.BUILD,
            select=["path:models", "path:seeds"],
            emit_datasets=False,
            node_converters=dict.fromkeys((DbtResourceType.MODEL, DbtResourceType.SEED), converter(built_by)),
        ),
        execution_config=ExecutionConfig(execution_mode=ExecutionMode.LOCAL, invocation_mode=InvocationMode.DBT_RUNNER),
        operator_args=OPERATOR_ARGUMENTS,
    )
    # The first models report even when the run failed, so that exactly what failed turns red.
    for task in group.get_roots():
        task.trigger_rule = TriggerRule.ALL_DONE
    return group


def template_macros() -> dict[str, Any]:
    """Return the macros that the DAG's templates call: `as_of()`, the end of the run's window, ISO 8601."""
    from jinja2 import pass_context

    @pass_context
    def as_of(context: Context) -> str:
        return window(context.get_all()).end.isoformat()

    return {"as_of": as_of}
