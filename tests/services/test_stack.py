"""The whole stack, really started: it restarts components that are killed and leaves nothing behind when stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from powersense.api import URL_PREFIX
from powersense.ingest import fetch, store
from powersense.ingest.jobs import job
from powersense.local.airflow_api import AirflowApi
from powersense.local.airflow_env import airflow_environment
from powersense.local.airflow_settings_file import read_airflow_settings
from powersense.local.clickhouse import import_environment, ping
from powersense.local.options import PROJECT_ROOT, read_options
from powersense.local.ports import free_port
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.state import StateFolder
from powersense.quality.facts import AREA_NAMES
from powersense.settings import get_settings
from powersense.sources.catalogue import sources_of
from tests.services.watchers import PATIENCE_SECONDS, wait_for, watching
from tests.services.webhook import Webhook, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COMPONENTS = {
    "clickhouse",
    "replay",
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
    """What `make demo` runs, in a process of its own and on free ports; no DAG runs by the clock."""

    def __init__(self, folder: Path, *, notify_url: str) -> None:
        self.state = folder / "demo"
        self.output_file = folder / "output.txt"
        self.airflow_port, self.clickhouse_port, kafka_port = free_port(), free_port(), free_port()
        self.api_port, replay_port = free_port(), free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self._given = (
            inherited
            | import_environment()
            | {
                "POWERSENSE_STATE_DIR": str(folder),
                "POWERSENSE_SCHEDULES": "off",
                "AIRFLOW_PORT": str(self.airflow_port),
                "CLICKHOUSE_HTTP_PORT": str(self.clickhouse_port),
                "KAFKA_PORT": str(kafka_port),
                "POWERSENSE_API_PORT": str(self.api_port),
                "REPLAY_PORT": str(replay_port),
                "ALERT_NOTIFY_URLS": notify_url,
            }
        )
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "powersense.local.stack", "demo"],
                env=self._given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def environment(self) -> dict[str, str]:
        """Return what the stack's tasks see."""
        options = read_options("demo", self._given)
        secrets = StateFolder(options.state_dir).secrets()
        postgres = EmbeddedPostgres(options.state_dir / "postgres", secrets.postgres_password)
        declared = read_airflow_settings(PROJECT_ROOT / "airflow_settings.yaml")
        return airflow_environment(options, secrets, declared, postgres)

    @property
    def airflow(self) -> AirflowApi:
        secrets = json.loads((self.state / "secrets.json").read_text())
        return AirflowApi(f"http://127.0.0.1:{self.airflow_port}", "admin", secrets["admin_password"])

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
def people() -> Iterator[Webhook]:
    """Whom `ALERT_NOTIFY_URLS` names."""
    with opened() as hook:
        yield hook


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, people: Webhook) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("stack"), notify_url=people.url)
    try:
        running.wait_for(lambda: "make stop" in running.output, 400)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(STOP_SECONDS)


def test_every_component_runs_and_the_login_of_the_box_works(stack: RunningStack) -> None:
    assert set(stack.pids()) == COMPONENTS
    assert json.loads((stack.state / "secrets.json").read_text())["admin_password"] in stack.output
    stack.wait_for(lambda: "ingest_load" in stack.airflow.dag_ids(), 120)
    assert stack.airflow.import_errors() == []


def test_the_key_of_the_box_reads_metrics_and_the_switch_sees_the_warehouse(stack: RunningStack) -> None:
    key = json.loads((stack.state / "secrets.json").read_text())["data_api_key"]
    assert key in stack.output
    address = f"http://127.0.0.1:{stack.api_port}{URL_PREFIX}"
    assert httpx.get(f"{address}/metrics", timeout=30).status_code == 401
    metrics = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=30)
    assert "\npowersense_warehouse_up 1\n" in metrics.text
    assert httpx.get(f"{address}/alive", timeout=30).json() == {"status": "alive"}


def test_prometheus_scrapes_the_demo_and_a_rule_that_fires_reaches_people(
    stack: RunningStack, people: Webhook, tmp_path: Path
) -> None:
    """As docs/observability.md has it: Debian's programs, local.yml, the keys that lie in the stack's folder."""
    rule = "PowerSenseNothingEverFinished"
    with watching(tmp_path, api_port=stack.api_port, keys=stack.state / "keys") as watchers:
        rows = load_last_hours(stack)
        # No DAG of this demo has run yet; nobody has to wait the rule's twenty minutes to hear it.
        assert wait_for(lambda: by_prometheus(people)) == [f"Prometheus firing [critical] {rule}"]
        assert watchers.received() >= {rule}
        stack.airflow.unpause("check_data_quality")
        run_id = stack.airflow.trigger("check_data_quality", {})
        stack.airflow.wait_for("check_data_quality", run_id, timeout_seconds=PATIENCE_SECONDS)
        wait_for(lambda: by_prometheus(people)[1:] == [f"Prometheus resolved [critical] {rule}"])

        [target] = watchers.targets()
        assert target["scrapeUrl"] == f"http://127.0.0.1:{stack.api_port}{URL_PREFIX}/metrics"
        assert (target["health"], target["lastError"]) == ("up", "")
        ages = watchers.ask("powersense_newest_instant_age_seconds")
        assert sorted(row["metric"]["area"] for row in ages) == sorted(AREA_NAMES)
        # The recording stands at now, and its newest quarter of an hour is the portal's.
        assert all(0 < float(row["value"][1]) < 3600 for row in ages)
        assert watchers.value('powersense_table_rows{table="measurements"}') == rows
        assert (watchers.value("powersense_stream_worker_beat_age_seconds") or 0) < 300
        rules = watchers.rules()
        assert {(each["health"], each.get("lastError", "")) for each in rules} == {("ok", "")}
        assert sum(each["type"] == "alerting" for each in rules) > 10
        assert watchers.firing() == {"PowerSenseWatchdog"}


def by_prometheus(people: Webhook) -> list[str]:
    return [title for title in people.titles if title.startswith("Prometheus")]


def load_last_hours(stack: RunningStack) -> int:
    """Read the last hours from the demo's portal as its tasks do, but no history; return the rows."""
    now = datetime.now(UTC)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in stack.environment().items():
            if name.startswith(("AIRFLOW_CONN_", "CLICKHOUSE_")):
                environment.setenv(name, value)
        get_settings.cache_clear()
        jobs = [job("live", source.id, now - timedelta(hours=3), now) for source in sources_of("live")]
        stored = store([fetch(each, run_id="last_hours", dag_id="ingest_load") for each in jobs])
    get_settings.cache_clear()
    return int(stored["rows_new"])


def test_everything_listens_on_loopback_only(stack: RunningStack) -> None:
    addresses = set()
    for pid in stack.pids().values():
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            # Airflow's children come and go.
            with suppress(psutil.NoSuchProcess):
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
