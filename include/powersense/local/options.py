"""Options of the local stack: from the environment, then from ``.env`` at the project's root, then the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from powersense.errors import ConfigurationError
from powersense.local.ports import require_free

Mode = Literal["demo", "demo-once", "live"]
MODES: tuple[Mode, ...] = get_args(Mode)
PROJECT_ROOT = Path(__file__).resolve().parents[3]

_LARGEST_PORT = 65_535


@dataclass(frozen=True)
class StackOptions:
    """What one run of the local stack is told.

    Attributes:
        mode: `demo` and `demo-once` read the local replay, `live` the portal.
        environment: variables that every process inherits, those of `.env` included.
        state_dir: folder of everything that the stack keeps between runs.
        airflow_port: loopback port of the Airflow UI and API.
        clickhouse_http_port: loopback port of ClickHouse's HTTP interface.
        clickhouse_tcp_port: loopback port of ClickHouse's native interface; None opens none.
        replay_port: loopback port of the portal's replay; unused in `live`.
        kafka_port: loopback port of the embedded broker; unused where another broker is configured.
        api_port: loopback port of the Data API service; unused in `demo-once`.
    """

    mode: Mode
    environment: Mapping[str, str]
    state_dir: Path
    airflow_port: int
    clickhouse_http_port: int
    clickhouse_tcp_port: int | None
    replay_port: int
    kafka_port: int
    api_port: int

    @property
    def has_broker(self) -> bool:
        """True when the stack brings its own broker: none is configured, or the mode is one of the demos'."""
        return self.has_replay or not self.environment.get("KAFKA_BOOTSTRAP_SERVERS")

    @property
    def has_replay(self) -> bool:
        """True when the upstream is the local replay."""
        return self.mode != "live"

    @property
    def has_services(self) -> bool:
        """True when the stack goes on running: then the stream's worker and the Data API service run in it."""
        return self.mode != "demo-once"

    def require_free_ports(self) -> None:
        """Refuse to start on a port that is taken.

        Raises:
            PortInUseError: names the port and the variable that chooses another.
        """
        require_free("ClickHouse (HTTP)", self.clickhouse_http_port, variable="CLICKHOUSE_HTTP_PORT")
        if self.clickhouse_tcp_port is not None:
            require_free("ClickHouse (native)", self.clickhouse_tcp_port, variable="CLICKHOUSE_TCP_PORT")
        if self.has_replay:
            require_free("the replay of the portal", self.replay_port, variable="REPLAY_PORT")
        if self.has_broker:
            require_free("the Kafka broker", self.kafka_port, variable="KAFKA_PORT")
        require_free("Airflow", self.airflow_port, variable="AIRFLOW_PORT")
        if self.has_services:
            require_free("the Data API", self.api_port, variable="POWERSENSE_API_PORT")


def read_options(mode: Mode, environment: Mapping[str, str] | None = None) -> StackOptions:
    """Read the stack's options.

    Args:
        mode: which stack to run.
        environment: variables to read in place of the process's own and of `.env`.

    Raises:
        ConfigurationError: a port is no port; names the variable and its value.
    """
    values = dict(environment) if environment is not None else _process_environment()
    tcp_port = values.get("CLICKHOUSE_TCP_PORT")
    state_root = Path(values.get("POWERSENSE_STATE_DIR") or PROJECT_ROOT / ".powersense")
    return StackOptions(
        mode=mode,
        environment=values,
        state_dir=state_root.resolve() / mode,
        airflow_port=_port(values, "AIRFLOW_PORT", 8080),
        clickhouse_http_port=_port(values, "CLICKHOUSE_HTTP_PORT", 8123),
        clickhouse_tcp_port=_port(values, "CLICKHOUSE_TCP_PORT", 0) if tcp_port else None,
        replay_port=_port(values, "REPLAY_PORT", 8190),
        kafka_port=_port(values, "KAFKA_PORT", 9092),
        api_port=_port(values, "POWERSENSE_API_PORT", 8090),
    )


def _process_environment() -> dict[str, str]:
    """Return the process's environment over the values of `.env`, as Astro reads that file."""
    from dotenv import dotenv_values

    declared = {name: value for name, value in dotenv_values(PROJECT_ROOT / ".env").items() if value}
    return {**declared, **os.environ}


def _port(values: Mapping[str, str], variable: str, default: int) -> int:
    text = values.get(variable) or str(default)
    if not text.isdigit() or not 0 < int(text) <= _LARGEST_PORT:
        raise ConfigurationError(f"{variable}={text!r} is no port: give a number from 1 to {_LARGEST_PORT}")
    return int(text)
