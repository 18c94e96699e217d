"""The stages that bring the local stack up, what can go side by side side by side."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version

from powersense.api import URL_PREFIX
from powersense.errors import LocalStackError
from powersense.local.airflow_api import AirflowApi
from powersense.local.airflow_env import ADMIN, VIEWER, airflow_environment, write_password_file
from powersense.local.airflow_settings_file import read_airflow_settings
from powersense.local.clickhouse_config import READER
from powersense.local.components import ComponentFactory
from powersense.local.demo_files import declare as declare_files
from powersense.local.options import PROJECT_ROOT, StackOptions
from powersense.local.ports import LOOPBACK
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.progress import Progress
from powersense.local.replay_settings import replay_arguments, sample_variables
from powersense.local.state import StateFolder
from powersense.local.stop_request import StoppedError, StopRequest
from powersense.local.supervisor import Supervisor, log_tail
from powersense.page import URL_PREFIX as PAGE_PREFIX

_SETTINGS_FILE = PROJECT_ROOT / "airflow_settings.yaml"
_WATCH_SECONDS = 0.5
_ENGINE_READY_SECONDS = 60.0
_AIRFLOW_READY_SECONDS = 180.0
_COMMAND_TIMEOUT_SECONDS = 300.0


class Stack:
    """One run of the stack.

    Args:
        options: mode, ports, folders.
        progress: where to say what happens.
        stop: when to end.
    """

    def __init__(self, options: StackOptions, progress: Progress, stop: StopRequest) -> None:
        self.options = options
        self.progress = progress
        self.stop = stop
        self.state = StateFolder(options.state_dir)
        self.secrets = self.state.secrets()
        self.postgres = EmbeddedPostgres(options.state_dir / "postgres", self.secrets.postgres_password)
        self._replay_arguments = (
            replay_arguments(options, self.state, now=datetime.now(UTC)) if options.has_replay else []
        )
        self.environment = {
            **sample_variables(self.state),
            **airflow_environment(options, self.secrets, read_airflow_settings(_SETTINGS_FILE), self.postgres),
        }
        self.api = AirflowApi(self.base_url, ADMIN, self.secrets.admin_password)
        self.supervisor = Supervisor(self.state, progress.warn)
        self._components = ComponentFactory(options, self.state, self.secrets, self.environment)

    @property
    def base_url(self) -> str:
        """Address of the Airflow UI."""
        return f"http://{LOOPBACK}:{self.options.airflow_port}"

    def start(self) -> None:
        """Bring everything up, what can go side by side side by side.

        Raises:
            PowerSenseError: a stage failed; says which and where to look.
        """
        with self.progress.stage("Environment") as details:
            leftovers = self.supervisor.end_leftovers()
            if leftovers:
                details.append(f"ended leftovers of a killed run: {', '.join(leftovers)}")
            self.options.require_free_ports()
            write_password_file(self.options, self.secrets)
            if self.options.has_replay:
                declare_files(self.options.state_dir)
            details.append(str(self.options.state_dir))
        # Components start from this thread, which outlives them; other threads only wait and run commands.
        self.supervisor.start(self._components.clickhouse())
        if self.options.has_replay:
            self.supervisor.start(self._components.replay(self._replay_arguments))
        if self.options.has_broker:
            self.supervisor.start(self._components.kafka())
        self.postgres.prepare()
        self.supervisor.start(self._components.postgres(self.postgres))
        self._run_side_by_side(
            [self._prepare_warehouse, self._prepare_airflow, self._write_dbt_artifacts]
            + ([self._await_replay] if self.options.has_replay else [])
            + ([self._await_broker] if self.options.has_broker else [])
        )
        self._refuse_after_stop()
        with self.progress.stage("Airflow") as details:
            components = self._components.airflow(self.api)
            for component in components:
                self.supervisor.start(component)
            self._await(*(component.name for component in components), seconds=_AIRFLOW_READY_SECONDS)
            details.append(self.base_url)
        if self.options.has_services:
            self.supervisor.start(self._components.stream_worker())
            self.supervisor.start(self._components.data_api())
            with self.progress.stage("Data API") as details:
                self._await("data-api", seconds=_ENGINE_READY_SECONDS)
                details.append(f"port {self.options.api_port}")

    def watch(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Keep the components running until a stop is requested or `is_over`.

        Raises:
            LocalStackError: a component keeps dying.
        """
        while not is_over() and not self.stop.wait(_WATCH_SECONDS):
            self.supervisor.watch()

    def shut_down(self) -> None:
        """Stop everything that runs."""
        with self.progress.stage("Stopped"):
            self.supervisor.stop_all(is_impatient=self.stop.is_repeated)

    def show_box(self) -> None:
        """Print addresses, logins and what to look at."""
        secrets, options = self.secrets, self.options
        lines = [
            f"Airflow     {self.base_url}",
            f"  log in    {ADMIN} / {secrets.admin_password}",
            f"  to read   {VIEWER} / {secrets.viewer_password}",
            f"ClickHouse  http://{LOOPBACK}:{options.clickhouse_http_port}",
            f"  to read   {READER} / {secrets.clickhouse_reader_password}",
        ]
        if options.has_replay:
            lines.append(f"Portal      http://{LOOPBACK}:{options.replay_port} (recorded ODRÉ data, moved to now)")
        servers = self.environment["KAFKA_BOOTSTRAP_SERVERS"]
        kept = " (in memory)" if options.has_broker else ""
        lines += [
            f"Kafka       {servers}{kept}: extracted-features, anomalies-detected",
            f"API         {self.base_url}{URL_PREFIX}/docs",
            f"Data API    http://{LOOPBACK}:{options.api_port}{URL_PREFIX}, {URL_PREFIX}/metrics for Prometheus",
            f"  page      http://{LOOPBACK}:{options.api_port}{PAGE_PREFIX}/",
            f"  key       {secrets.data_api_key}",
            f"Logs        {self.state.logs}",
            "",
            "Look at     Power load: each area's load, its episodes and alerts",
            "            ingest_load: a run every 5 minutes",
            "            Assets: how measurements lead to dbt models and scores",
            "            score_anomalies, check_data_quality: anomalies, alerts",
            "            Power load, File loads: what load_files brought from a folder",
            "Stop        Ctrl-C, or `make stop`",
        ]
        self.progress.box("PowerSense", lines)

    def _prepare_warehouse(self) -> None:
        with self.progress.stage("ClickHouse") as details:
            self._await("clickhouse", seconds=_ENGINE_READY_SECONDS)
            details.append(f"port {self.options.clickhouse_http_port}")
        self._run_command("Warehouse migrations", [sys.executable, "-m", "powersense.warehouse.migrate"])

    def _prepare_airflow(self) -> None:
        with self.progress.stage("PostgreSQL"):
            self._await("postgres", seconds=_ENGINE_READY_SECONDS)
        title = "Airflow database and pools"
        stamp = {
            "applied": hashlib.sha256(_SETTINGS_FILE.read_bytes() + version("apache-airflow").encode()).hexdigest()
        }
        if self.state.read("airflow_setup") == stamp:
            with self.progress.stage(title) as details:
                details.append("up to date")
            return
        self._run_command(title, [sys.executable, "-m", "powersense.local.airflow_setup"])
        self.state.write("airflow_setup", stamp)

    def _write_dbt_artifacts(self) -> None:
        """Write the manifest that the DAG is rendered from, unless nothing has changed since it was written."""
        title = "dbt manifest and docs"
        folder = PROJECT_ROOT / "dbt"
        page = folder / "target" / "static_index.html"  # written last
        written = {"target", "logs"}
        inputs = [path for path in folder.rglob("*") if path.is_file() and not written & set(path.parts)]
        if page.exists() and page.stat().st_mtime > max(path.stat().st_mtime for path in inputs):
            with self.progress.stage(title) as details:
                details.append("up to date")
            return
        self._run_command(title, [sys.executable, "-m", "powersense.transform.artifacts"])

    def _await_replay(self) -> None:
        with self.progress.stage("Replay of the portal") as details:
            self._await("replay", seconds=_ENGINE_READY_SECONDS)
            details.append(f"port {self.options.replay_port}")

    def _await_broker(self) -> None:
        with self.progress.stage("Kafka broker") as details:
            self._await("kafka", seconds=_ENGINE_READY_SECONDS)
            details.append(f"port {self.options.kafka_port}")

    def _await(self, *names: str, seconds: float) -> None:
        self.supervisor.wait_until_ready(*names, timeout_seconds=seconds, is_cancelled=self.stop.is_made)
        self._refuse_after_stop()

    def _run_command(self, title: str, command: list[str]) -> None:
        """Run a stage that is a command; its output goes to a log of its own.

        Raises:
            StoppedError: a stop was requested before it was done.
            LocalStackError: it failed; holds the end of its log.
        """
        self._refuse_after_stop()
        log_file = self.state.logs / f"{title.lower().replace(' ', '-')}.log"
        with self.progress.stage(title), log_file.open("wb") as log:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_TIMEOUT_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                self._refuse_after_stop()
                raise LocalStackError(f"{title} failed; {log_file} ends with:\n{log_tail(log_file)}")

    def _refuse_after_stop(self) -> None:
        if self.stop.is_made():
            raise StoppedError("stopped before it was up")

    def _run_side_by_side(self, jobs: list[Callable[[], None]]) -> None:
        with ThreadPoolExecutor(len(jobs)) as pool:
            for job in [pool.submit(job) for job in jobs]:
                job.result()
