"""Options of the local stack: defaults, overrides, and errors that name what to change."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from powersense.errors import ConfigurationError, PortInUseError
from powersense.local.options import StackOptions, read_options
from powersense.local.ports import free_port, is_free, require_free

PORTS = (
    *("AIRFLOW_PORT", "CLICKHOUSE_HTTP_PORT", "CLICKHOUSE_TCP_PORT", "REPLAY_PORT", "KAFKA_PORT"),
    "POWERSENSE_API_PORT",
)


def options(tmp_path: Path, **environment: str) -> StackOptions:
    return read_options("demo", {"POWERSENSE_STATE_DIR": str(tmp_path), **environment})


def test_the_defaults_are_the_documented_ports(tmp_path: Path) -> None:
    chosen = options(tmp_path)
    assert (chosen.airflow_port, chosen.clickhouse_http_port, chosen.replay_port) == (8080, 8123, 8190)
    assert (chosen.kafka_port, chosen.api_port) == (9092, 8090)
    assert chosen.clickhouse_tcp_port is None
    assert chosen.state_dir == tmp_path / "demo"


def test_variables_move_the_ports(tmp_path: Path) -> None:
    chosen = options(tmp_path, AIRFLOW_PORT="9000", CLICKHOUSE_TCP_PORT="9001", REPLAY_PORT="9002")
    assert (chosen.airflow_port, chosen.clickhouse_tcp_port, chosen.replay_port) == (9000, 9001, 9002)


@pytest.mark.parametrize("text", ["http", "0", "70000", "-1", "80.5"])
def test_what_is_no_port_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"AIRFLOW_PORT='{text}'"):
        options(tmp_path, AIRFLOW_PORT=text)


@pytest.mark.parametrize("variable", PORTS)
def test_a_busy_port_is_named_with_its_variable(tmp_path: Path, variable: str) -> None:
    ports = {name: str(free_port()) for name in PORTS}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {busy} .*{variable}="):
            options(tmp_path, **{**ports, variable: str(busy)}).require_free_ports()


def test_the_live_stack_needs_no_port_for_the_replay(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {name: str(free_port()) for name in ("AIRFLOW_PORT", "CLICKHOUSE_HTTP_PORT", "KAFKA_PORT")}
        environment = {**ports, "REPLAY_PORT": str(taken.getsockname()[1]), "POWERSENSE_STATE_DIR": str(tmp_path)}
        read_options("live", environment).require_free_ports()


def test_a_configured_broker_serves_the_live_stack_and_never_a_demo(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {name: str(free_port()) for name in PORTS if name != "CLICKHOUSE_TCP_PORT"}
        environment = {**ports, "KAFKA_PORT": str(taken.getsockname()[1]), "POWERSENSE_STATE_DIR": str(tmp_path)}
        environment["KAFKA_BOOTSTRAP_SERVERS"] = "broker.example.org:9092"
        assert not read_options("live", environment).has_broker
        read_options("live", environment).require_free_ports()
        with pytest.raises(PortInUseError, match="KAFKA_PORT="):
            read_options("demo", environment).require_free_ports()


def test_a_free_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not is_free(port)
        with pytest.raises(PortInUseError, match=f"port {port} for the test .*TEST_PORT={port + 1000}"):
            require_free("the test", port, variable="TEST_PORT")
