"""The whole stack, really started: it restarts components that are killed and leaves nothing behind when stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from powersense.api import URL_PREFIX
from powersense.local.airflow_api import AirflowApi
from powersense.local.clickhouse import import_environment, ping
from powersense.local.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COMPONENTS = {
    "clickhouse",
    "postgres",
    "kafka",
    "stream-worker",
    "data-api",
    "airflow-api-server",
    "airflow-dag-processor",
    "airflow-scheduler",
    "airflow-triggerer",
}
STOP_SECONDS = 30


class RunningStack:
    """A stack in a process of its own, on free ports, that reads no upstream."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "live"
        self.output_file = folder / "output.txt"
        self.airflow_port, self.clickhouse_port, kafka_port = free_port(), free_port(), free_port()
        self.api_port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "powersense.local.stack", "live"],
                env=inherited
                | import_environment()
                | {
                    "POWERSENSE_STATE_DIR": str(folder),
                    "POWERSENSE_SCHEDULES": "off",
                    "AIRFLOW_PORT": str(self.airflow_port),
                    "CLICKHOUSE_HTTP_PORT": str(self.clickhouse_port),
                    "KAFKA_PORT": str(kafka_port),
                    "POWERSENSE_API_PORT": str(self.api_port),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def pids(self) -> dict[str, int]:
        file = self.state / "processes.json"
        return {name: pid for name, (pid, _) in json.loads(file.read_text()).items()} if file.exists() else {}

    def wait_for(self, is_met: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_met():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.2)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("stack"))
    try:
        running.wait_for(lambda: "make stop" in running.output, 400)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(STOP_SECONDS)


def test_every_component_runs_and_the_login_of_the_box_works(stack: RunningStack) -> None:
    assert set(stack.pids()) == COMPONENTS
    secrets = json.loads((stack.state / "secrets.json").read_text())
    assert secrets["admin_password"] in stack.output
    api = AirflowApi(f"http://127.0.0.1:{stack.airflow_port}", "admin", secrets["admin_password"])
    stack.wait_for(lambda: "ingest_load" in api.dag_ids(), 120)
    assert api.import_errors() == []


def test_the_key_of_the_box_reads_metrics_and_the_switch_sees_the_warehouse(stack: RunningStack) -> None:
    key = json.loads((stack.state / "secrets.json").read_text())["data_api_key"]
    assert key in stack.output
    address = f"http://127.0.0.1:{stack.api_port}{URL_PREFIX}"
    assert httpx.get(f"{address}/metrics", timeout=30).status_code == 401
    metrics = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert "\npowersense_warehouse_up 1\n" in metrics.text
    assert httpx.get(f"{address}/alive", timeout=30).json() == {"status": "alive"}


def test_everything_listens_on_loopback_only(stack: RunningStack) -> None:
    addresses = set()
    for pid in stack.pids().values():
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            addresses |= {
                connection.laddr.ip
                for connection in process.net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
            }
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("name", ["clickhouse", "airflow-triggerer", "stream-worker"])
def test_a_killed_component_is_started_again(stack: RunningStack, name: str) -> None:
    killed = stack.pids()[name]
    os.kill(killed, signal.SIGKILL)
    stack.wait_for(lambda: stack.pids()[name] != killed, 30)
    stack.wait_for(lambda: ping(stack.clickhouse_port), 30)
    assert f"{name} ended with code -9" in stack.output


def test_a_stop_leaves_no_process_behind(stack: RunningStack) -> None:
    leaders = set(stack.pids().values())
    begun = time.monotonic()
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(STOP_SECONDS) == 0, stack.output
    assert time.monotonic() - begun < STOP_SECONDS
    left = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if os.getsid(process.pid) in leaders or str(stack.state) in " ".join(process.info["cmdline"] or []):
                left.append(process.info["cmdline"])
        except ProcessLookupError:
            continue
    assert left == []
