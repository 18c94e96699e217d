"""The dbt project as Airflow tasks: how Cosmos reads it, runs it, and which connection leads it to ClickHouse.

Cosmos renders from `dbt/target/manifest.json`, so that parsing a DAG file needs neither dbt nor ClickHouse;
`python -m powersense.transform_artifacts` writes the manifest and the docs page.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, ExecutionMode, InvocationMode, LoadMode, TestBehavior
from cosmos.profiles.base import BaseProfileMapping

from powersense.settings import get_settings
from powersense.transform_artifacts import manifest_path, project_dir
from powersense.window import window

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, TaskGroup
    from jinja2.runtime import Context

PROFILE = "powersense"
TARGET = "clickhouse"
OPERATOR_ARGUMENTS: dict[str, Any] = {
    "env": {"POWERSENSE_AS_OF": "{{ as_of() }}"},
    "append_env": True,
    "invocation_mode": InvocationMode.DBT_RUNNER,
    "callback": "powersense.transform_results.record",
    "install_deps": False,
    "emit_datasets": False,
    "should_store_compiled_sql": False,
    "pool": "transform",
}


class ClickHouseProfile(BaseProfileMapping):
    """Leads dbt to the Airflow connection of type `clickhouse`: `dbt/profiles.yml` as it is, its variables filled."""

    airflow_connection_type = "clickhouse"
    dbt_profile_type = "clickhouse"

    @property
    def profile(self) -> dict[str, Any]:
        """Return what tells one version of the profile from another; Cosmos caches the file under it."""
        return {"type": self.dbt_profile_type, "text": self.get_profile_file_contents(PROFILE)}

    def get_profile_file_contents(
        self, profile_name: str, target_name: str = TARGET, use_mock_values: bool = False
    ) -> str:
        """Return `dbt/profiles.yml`; it holds variables only, so mock and real values need no difference."""
        return (project_dir() / "profiles.yml").read_text(encoding="utf-8")

    @property
    def env_vars(self) -> dict[str, str]:
        """Return the variables of `profiles.yml`, from the connection and the settings."""
        settings = get_settings()
        extra = self.conn.extra_dejson
        return {
            "CLICKHOUSE_HOST": self.conn.host or "localhost",
            "CLICKHOUSE_PORT": str(self.conn.port or 8123),
            "CLICKHOUSE_USER": self.conn.login or "default",
            "CLICKHOUSE_PASSWORD": self.conn.password or "",
            "CLICKHOUSE_SECURE": str(bool(extra.get("secure", False))).lower(),
            "CLICKHOUSE_DATABASE": settings.clickhouse_database,
            "CLICKHOUSE_MARTS_DATABASE": settings.clickhouse_marts_database,
            "CLICKHOUSE_CLUSTER": settings.clickhouse_cluster,
        }


def profile_config() -> ProfileConfig:
    """Return dbt's profile on the writer's connection."""
    return ProfileConfig(
        profile_name=PROFILE,
        target_name=TARGET,
        profile_mapping=ClickHouseProfile(conn_id=os.environ.get("WRITER_CONNECTION") or "clickhouse_default"),
    )


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

    from powersense.transform_tasks import converter

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
