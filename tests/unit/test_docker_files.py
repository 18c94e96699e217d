"""The files that only Docker reads agree with what the rest of the project says."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from powersense.local.clickhouse_config import LOADER_GRANTS, READER_GRANTS, WRITER_GRANTS

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


def test_the_compose_file_mounts_files_that_exist_and_binds_to_loopback():
    service = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())["services"]["clickhouse"]
    mounted = [volume.split(":")[0] for volume in service["volumes"] if volume.startswith("./")]
    assert mounted
    assert all((ROOT / path).is_file() for path in mounted)
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_tasks_and_the_api_reach_the_broker_of_the_compose_file_and_nobody_else_does():
    services = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())["services"]
    address = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    for name in ("scheduler", "api-server"):
        assert services[name]["environment"]["KAFKA_BOOTSTRAP_SERVERS"].endswith(f":-{address}}}")
    assert "ports" not in services["kafka"]


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
