"""The files that only Docker reads agree with what the rest of the project says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from powersense import model_store
from powersense.local.clickhouse_config import LOADER_GRANTS, READER_GRANTS, WRITER_GRANTS
from powersense.settings import get_settings
from powersense.streaming.metrics import Metrics, MetricsServer

ROOT = Path(__file__).resolve().parents[2]
# Locally each allowed table engine is named; a server keeps its engines open and closes file access by other means.
SERVER_WRITER_GRANTS = {grant for grant in WRITER_GRANTS if "TABLE ENGINE" not in grant}
SERVER_LOADER_GRANTS = {grant for grant in LOADER_GRANTS if "TABLE ENGINE" not in grant}


@pytest.fixture(scope="module")
def users():
    return ElementTree.parse(ROOT / "docker/clickhouse-users.xml").getroot().find("users")


@pytest.mark.parametrize(
    ("user", "grants"),
    [
        ("powersense_writer", SERVER_WRITER_GRANTS),
        ("powersense_loader", SERVER_LOADER_GRANTS),
        ("powersense_reader", set(READER_GRANTS)),
    ],
)
def test_the_server_grants_what_the_embedded_engine_grants(users, user, grants):
    assert {query.text for query in users.find(user).iter("query")} == grants


def test_passwords_come_from_the_environment(users):
    for user in ("powersense_writer", "powersense_loader", "powersense_reader"):
        password = users.find(user).find("password")
        assert password.get("from_env", "").startswith("CLICKHOUSE_")
        assert not password.text


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())


def test_the_compose_file_mounts_what_exists_and_binds_to_loopback(compose):
    # Astro declares this network beside its services.
    networks = {"airflow"}
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source == "/var/run/docker.sock":
                continue
            assert (ROOT / source).exists() if source.startswith("./") else source in compose["volumes"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert set(service.get("networks", [])) <= networks
        assert set(service.get("depends_on", {})) <= set(compose["services"])
    assert "./docker/clickhouse-users.xml" in compose["services"]["clickhouse"]["volumes"][1]


def test_the_containers_are_named_after_the_project(compose):
    own = set(compose["services"]) - {"scheduler", "api-server", "dag-processor", "triggerer"}
    names = {name: compose["services"][name]["container_name"] for name in own}
    assert {name: f"power_sense_{name.removeprefix('power_sense_')}" for name in own} == names


def test_tasks_api_and_worker_reach_the_broker_of_the_compose_file_and_nobody_else_does(compose):
    services = compose["services"]
    address = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    for name in ("scheduler", "api-server", "power_sense_stream_worker", "power_sense_api"):
        assert services[name]["environment"]["KAFKA_BOOTSTRAP_SERVERS"].endswith(f":-{address}}}")
    assert "ports" not in services["kafka"]


def test_the_worker_runs_the_image_of_the_project_and_finds_the_warehouse_in_the_environment(compose):
    service = compose["services"]["power_sense_stream_worker"]
    assert (service["build"], service["pull_policy"]) == (".", "build")
    assert (ROOT / service["build"] / "Dockerfile").is_file()
    command = service["command"]
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{command[2]}.__main__") is not None
    assert service["profiles"] == ["worker"]
    assert (service["restart"], service["env_file"]) == ("unless-stopped", [".env"])
    assert {"clickhouse", "kafka"} == set(service["depends_on"])
    # Outside Airflow the connections are found there alone.
    told = (ROOT / ".env.example").read_text()
    assert {"DEFAULT", "READER"} <= set(re.findall(r"^AIRFLOW_CONN_CLICKHOUSE_(\w+)=clickhouse://", told, re.MULTILINE))


def test_the_worker_loads_the_models_where_tasks_and_api_store_them(compose, monkeypatch):
    [root] = re.findall(r"POWERSENSE_PROJECT_ROOT=(\S+)", (ROOT / "Dockerfile").read_text())
    monkeypatch.setenv("POWERSENSE_PROJECT_ROOT", root)
    monkeypatch.delenv("MODEL_STORE_URL", raising=False)
    get_settings.cache_clear()
    folder = model_store.store_url().removeprefix("file://")
    for name in ("scheduler", "api-server", "power_sense_stream_worker", "power_sense_api"):
        service = compose["services"][name]
        assert f"models:{folder}" in service["volumes"]
    # A new volume takes its owner from the image's folder.
    assert f"mkdir -p {folder.removeprefix(f'{root}/')}\n" in (ROOT / "Dockerfile").read_text()


def test_the_worker_is_healthy_while_its_metrics_answer(compose):
    service = compose["services"]["power_sense_stream_worker"]
    check = service["healthcheck"]["test"]
    assert check[:3] == ["CMD", "python", "-c"]
    port = service["environment"]["STREAM_METRICS_PORT"]
    assert f":{port}/" in check[3]

    server = MetricsServer(Metrics(), port=0)
    asked = [sys.executable, *check[2:3], check[3].replace(port, str(server.port))]
    try:
        assert subprocess.run(asked, check=False).returncode == 0
    finally:
        server.close()
    assert subprocess.run(asked, check=False, capture_output=True).returncode != 0


def _pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    pins = [re.match(r"([A-Za-z0-9_.\-]+)==([^ ;\\]+)", line) for line in lines]
    return {pin[1].lower().replace("_", "-"): pin[2] for pin in pins if pin}


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [
        ("requirements.txt", "requirements.lock"),
        ("requirements-local.txt", "requirements.lock"),
        ("requirements-dev.txt", "requirements-dev.lock"),
    ],
)
def test_the_lock_holds_every_pinned_requirement(requirements, lock):
    wanted = _pins(requirements)
    locked = _pins(lock)
    assert wanted
    assert {name: locked.get(name) for name in wanted} == wanted


def test_the_image_installs_what_the_local_stack_runs():
    assert _pins("requirements.lock").items() >= _pins("requirements.txt").items()
    assert (ROOT / "Dockerfile").read_text().count("FROM astrocrpublic.azurecr.io/runtime:3.3") == 1
