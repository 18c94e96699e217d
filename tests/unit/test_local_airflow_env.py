"""The environment of the local Airflow: declared connections at local addresses, secrets that last."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from powersense.errors import ConfigurationError
from powersense.local.airflow_env import airflow_environment, write_password_file
from powersense.local.airflow_settings_file import Pool, connection_variables, read_airflow_settings
from powersense.local.options import PROJECT_ROOT, Mode, read_options
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.state import StateFolder

SETTINGS_FILE = PROJECT_ROOT / "airflow_settings.yaml"


def environment(tmp_path: Path, mode: Mode = "demo", **given: str) -> dict[str, str]:
    options = read_options(mode, {"POWERSENSE_STATE_DIR": str(tmp_path), "CLICKHOUSE_HTTP_PORT": "18123", **given})
    secrets = StateFolder(options.state_dir).secrets()
    postgres = EmbeddedPostgres(options.state_dir / "postgres", secrets.postgres_password)
    return airflow_environment(options, secrets, read_airflow_settings(SETTINGS_FILE), postgres)


def test_the_declared_file_has_what_the_dags_use() -> None:
    declared = read_airflow_settings(SETTINGS_FILE)
    assert {"clickhouse_default", "clickhouse_reader", "odre_default"} <= set(declared.connections)
    assert {"warehouse_writes", "bootstrap", "transform"} <= {pool.name for pool in declared.pools}
    assert all(pool.slots > 0 for pool in declared.pools)


@pytest.mark.parametrize(
    ("connection", "user"),
    [("CLICKHOUSE_DEFAULT", "powersense_writer"), ("CLICKHOUSE_READER", "powersense_reader")],
)
def test_clickhouse_connections_lead_to_the_embedded_engine(tmp_path: Path, connection: str, user: str) -> None:
    variables = environment(tmp_path)
    found = json.loads(variables[f"AIRFLOW_CONN_{connection}"])
    assert (found["host"], found["port"], found["login"]) == ("127.0.0.1", 18123, user)
    declared = read_airflow_settings(SETTINGS_FILE).connections[connection.lower()]
    assert found["password"] not in {"", declared.get("password")}


def test_the_demo_asks_the_replay_and_the_live_stack_the_portal(tmp_path: Path) -> None:
    outside = {"REPLAY_PORT": "18190", "API_URL": "https://example.org", "HISTORY_DATA_URL": "https://example.org"}
    demo = environment(tmp_path, "demo", **outside)
    assert json.loads(demo["AIRFLOW_CONN_ODRE_DEFAULT"])["host"] == "http://127.0.0.1:18190"
    assert (demo["API_URL"], demo["HISTORY_DATA_URL"]) == ("", "")
    live = environment(tmp_path, "live", **outside)
    assert json.loads(live["AIRFLOW_CONN_ODRE_DEFAULT"])["host"] == "https://odre.opendatasoft.com"
    assert live["API_URL"] == "https://example.org"


def test_the_own_broker_is_plain_and_a_configured_one_keeps_its_security(tmp_path: Path) -> None:
    outside = {"KAFKA_BOOTSTRAP_SERVERS": "broker:9093", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_PORT": "19092"}
    demo, live = environment(tmp_path, "demo", **outside), environment(tmp_path, "live", **outside)
    assert (demo["KAFKA_BOOTSTRAP_SERVERS"], demo["KAFKA_SECURITY_PROTOCOL"]) == ("127.0.0.1:19092", "")
    assert (live["KAFKA_BOOTSTRAP_SERVERS"], live["KAFKA_SECURITY_PROTOCOL"]) == ("broker:9093", "SASL_SSL")
    alone = environment(tmp_path, "live", KAFKA_PORT="19092")
    assert alone["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:19092"


def test_only_demo_once_turns_the_schedules_off(tmp_path: Path) -> None:
    modes: tuple[Mode, ...] = ("demo", "demo-once", "live")
    assert [environment(tmp_path, mode)["POWERSENSE_SCHEDULES"] for mode in modes] == ["on", "off", "on"]


def test_notices_lead_to_the_local_page_unless_another_is_named(tmp_path: Path) -> None:
    assert (
        environment(tmp_path, AIRFLOW_PORT="8085")["POWERSENSE_PUBLIC_URL"] == "http://127.0.0.1:8085/powersense/page/"
    )
    named = environment(tmp_path, POWERSENSE_PUBLIC_URL="https://grid.example.org/powersense/page/")
    assert named["POWERSENSE_PUBLIC_URL"] == "https://grid.example.org/powersense/page/"


def test_loopback_is_kept_from_a_proxy_of_the_environment(tmp_path: Path) -> None:
    assert environment(tmp_path, NO_PROXY="example.org")["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_tuning_can_be_overridden_and_the_stack_s_own_addresses_cannot(tmp_path: Path) -> None:
    variables = environment(tmp_path, AIRFLOW__CORE__PARALLELISM="9", AIRFLOW__API__HOST="10.0.0.1")
    assert variables["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = StateFolder(tmp_path / "demo").secrets()
    assert StateFolder(tmp_path / "demo").secrets() == first
    assert StateFolder(tmp_path / "other").secrets() != first
    options = read_options("demo", {"POWERSENSE_STATE_DIR": str(tmp_path)})
    for file in (tmp_path / "demo" / "secrets.json", write_password_file(options, first)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_overrides_replace_fields_of_a_connection_and_keep_the_others() -> None:
    declared = {"a_b": {"conn_type": "http", "host": "far", "login": "x"}}
    assert connection_variables(declared, {"a_b": {"host": "near"}}) == {
        "AIRFLOW_CONN_A_B": '{"conn_type": "http", "host": "near", "login": "x"}'
    }


def test_a_settings_file_in_astro_s_format_is_read(tmp_path: Path) -> None:
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(
        "airflow:\n"
        "  connections:\n  - {conn_id: c, conn_type: http, conn_host: h, conn_login: '', conn_extra: {k: 1}}\n"
        "  pools:\n  - {pool_name: p, pool_slot: 3, pool_description: d}\n"
        "  variables:\n  - {variable_name: v, variable_value: 5}\n"
    )
    found = read_airflow_settings(file)
    assert found.connections == {"c": {"conn_type": "http", "host": "h", "extra": {"k": 1}}}
    assert found.pools == (Pool("p", 3, "d"),)
    assert found.variables == {"v": "5"}


@pytest.mark.parametrize(
    "text", ["", "airflow: {pools: [{pool_name: p}]}", "airflow: {connections: [{conn_id: c}]}", "a: ["]
)
def test_a_broken_settings_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=str(file)):
        read_airflow_settings(file)
