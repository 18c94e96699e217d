"""The connection that leads dbt to ClickHouse: `dbt/profiles.yml`, filled from Airflow's."""

from __future__ import annotations

import os
from typing import Any

from cosmos.config import ProfileConfig
from cosmos.profiles.base import BaseProfileMapping

from powersense.settings import get_settings
from powersense.transform.artifacts import project_dir

PROFILE = "powersense"
TARGET = "clickhouse"


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
