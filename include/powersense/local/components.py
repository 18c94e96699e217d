"""The components of the local stack: what each runs, and how it shows that it does its work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from powersense.api.auth import key_entry
from powersense.local import clickhouse, kafka
from powersense.local.airflow_api import AirflowApi
from powersense.local.options import StackOptions
from powersense.local.ports import is_free
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.state import Secrets, StateFolder
from powersense.local.supervisor import Component

# Stands in logs, and in what people do with it.
API_KEY_NAME = "local-stack"

AIRFLOW_COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": (),
    "dag-processor": (),
    # Task logs are read from the disk that all components share: no servers for them.
    "scheduler": ("--skip-serve-logs",),
    "triggerer": ("--skip-serve-logs",),
}


@dataclass(frozen=True)
class ComponentFactory:
    """Makes the components of one stack.

    Attributes:
        options: ports and mode.
        state: the stack's folder; logs go there.
        secrets: passwords and keys.
        environment: the environment of all of them.
    """

    options: StackOptions
    state: StateFolder
    secrets: Secrets
    environment: Mapping[str, str]

    def clickhouse(self) -> Component:
        """Return the warehouse."""
        options, secrets = self.options, self.secrets
        passwords = clickhouse.password_environment(
            secrets.clickhouse_writer_password,
            secrets.clickhouse_reader_password,
            secrets.clickhouse_loader_password,
        )
        command = clickhouse.engine_command(
            self.state.path / "clickhouse",
            options.clickhouse_http_port,
            options.clickhouse_tcp_port,
            # Beside the data: whoever removes a broken data folder keeps them.
            backups_dir=self.state.path / "backups",
        )
        component = self._component(
            "clickhouse", command, is_ready=lambda: clickhouse.ping(options.clickhouse_http_port)
        )
        return replace(component, environment={**self.environment, **passwords})

    def postgres(self, server: EmbeddedPostgres) -> Component:
        """Return Airflow's metadata database."""
        component = self._component("postgres", server.command(), is_ready=server.is_ready)
        # SIGINT is its fast shutdown: it does not wait for clients.
        return replace(component, user=server.system_user, stop_signal=signal.SIGINT)

    def replay(self, arguments: list[str]) -> Component:
        """Return the replay of the portal."""
        port = self.options.replay_port
        command = [sys.executable, "-m", "powersense.local.replay", "--port", str(port), *arguments]
        return self._component("replay", command, is_ready=lambda: not is_free(port))

    def kafka(self) -> Component:
        """Return the embedded broker; what it holds ends with it."""
        port = self.options.kafka_port
        return self._component("kafka", kafka.broker_command(port), is_ready=lambda: kafka.is_ready(port))

    def stream_worker(self) -> Component:
        """Return the worker that scores the stream; it waits by itself for broker, model and warehouse."""
        command = [sys.executable, "-m", "powersense.streaming"]
        return self._component("stream-worker", command, is_ready=lambda: True)

    def data_api(self) -> Component:
        """Return the Data API service with its page, metrics and dead-man's switch; the stack's own key may write."""
        port, configured = self.options.api_port, self.environment.get("POWERSENSE_API_KEYS", "")
        own = key_entry(API_KEY_NAME, "write", self.secrets.data_api_key)
        entries = ",".join(filter(None, [f"{own.name}:{own.scope}:{own.sha256}", configured]))
        command = [sys.executable, "-m", "powersense.api", "serve", "--port", str(port)]
        component = self._component("data-api", command, is_ready=lambda: not is_free(port))
        # What runs beside the stack reads its key there (observability/prometheus/local.yml); only its owner may.
        keys = self.state.path / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        files = f"prometheus:read:{keys / 'prometheus'},alertmanager:write:{keys / 'alertmanager'}"
        own_keys = {"POWERSENSE_API_KEYS": entries, "POWERSENSE_API_KEY_FILES": files}
        return replace(component, environment={**self.environment, **own_keys})

    def airflow(self, api: AirflowApi) -> list[Component]:
        """Return Airflow's four processes; they are ready when all report their heartbeats."""
        made = {
            name: self._component(
                f"airflow-{name}",
                [sys.executable, "-m", "airflow", name, *arguments],
                is_ready=api.is_healthy,
            )
            for name, arguments in AIRFLOW_COMPONENTS.items()
        }
        # It waits ten seconds for its runner, which hears nothing of the stop from it (Airflow 3.3.2).
        made["triggerer"] = replace(made["triggerer"], tells_children=True)
        return list(made.values())

    def _component(
        self,
        name: str,
        command: list[str],
        *,
        is_ready: Callable[[], bool],
    ) -> Component:
        return Component(name, command, self.environment, self.state.logs / f"{name}.log", is_ready)
