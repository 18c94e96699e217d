"""Debian's Prometheus and Alertmanager over the live service: scrape, rules, a message to people, every dashboard."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from powersense.api.auth import new_key
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.debian import program
from tests.services import observed_data
from tests.services.api_data import served

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

# Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "observability"
DASHBOARDS = sorted((FILES / "grafana/dashboards").glob("*.json"))
# A busy machine may be slow; time is measured in benchmarks/.
PATIENCE_SECONDS = 120


@dataclass
class Stack:
    """Addresses of what runs, and what people were told."""

    prometheus: str
    alertmanager: str
    told: list[dict[str, Any]]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]


@pytest.fixture(scope="module")
def stack(module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The service, Prometheus and Alertmanager as configured in observability/, on free ports."""
    folder = tmp_path_factory.mktemp("observability")
    observed_data.fill(observed_data.now_utc())
    told: list[dict[str, Any]] = []
    keys = {scope: new_key(scope, scope) for scope in ("read", "write")}
    for scope, (key, _) in keys.items():
        (folder / scope).write_text(key)
    entries = ",".join(f"{entry.name}:{entry.scope}:{entry.sha256}" for _, entry in keys.values())
    with pytest.MonkeyPatch.context() as environment, listener(told) as people, served(entries) as service:
        environment.setenv("ALERT_NOTIFY_URLS", f"json://127.0.0.1:{people}/hook")
        get_settings.cache_clear()
        api = service.removeprefix("http://").split("/")[0]
        alertmanager, prometheus = free_port(), free_port()
        with (
            running(alertmanager_command(folder, port=alertmanager, api=api), f"{alertmanager}/-/ready"),
            running(
                prometheus_command(folder, port=prometheus, api=api, alertmanager=alertmanager),
                f"{prometheus}/-/ready",
            ),
        ):
            yield Stack(f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}", told)
    get_settings.cache_clear()


def prometheus_command(folder: Path, *, port: int, api: str, alertmanager: int) -> list[str]:
    """Write local.yml and its rules for a test's ports; scrapes are frequent and alerts do not wait."""
    rules = folder / "rules"
    rules.mkdir()
    for file in (FILES / "prometheus/rules").glob("*.yml"):
        (rules / file.name).write_text(re.sub(r"^ +for: .*\n", "", file.read_text(), flags=re.MULTILINE))
    text = (FILES / "prometheus/local.yml").read_text()
    text = text.replace("127.0.0.1:8090", api).replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
    text = text.replace("../../.powersense/demo/keys/prometheus", str(folder / "read"))
    text = re.sub(r"(scrape|evaluation)_interval: \S+", r"\1_interval: 5s", text).replace(": 10s", ": 5s")
    (folder / "prometheus.yml").write_text(text)
    return [
        program("prometheus", package="prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def alertmanager_command(folder: Path, *, port: int, api: str) -> list[str]:
    """Write alertmanager.yml for a test's ports; it hardly waits for others of a group."""
    text = (FILES / "alertmanager/alertmanager.yml").read_text()
    text = text.replace("power_sense_api:8090", api).replace("/run/powersense/key", str(folder / "write"))
    (folder / "alertmanager.yml").write_text(re.sub(r"group_(wait|interval): \S+", r"group_\1: 1s", text))
    return [
        program("prometheus-alertmanager", package="prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]


@contextmanager
def running(command: list[str], address: str) -> Iterator[None]:
    """Run a server until it is ready, and to the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def is_ready() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        try:
            return httpx.get(f"http://127.0.0.1:{address}", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for(is_ready)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def listener(received: list[dict[str, Any]]) -> Iterator[int]:
    """Take what Apprise posts; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def wait_for(is_met: Callable[[], Any]) -> Any:
    """Ask until it is so; returns the answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := is_met()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer


def test_prometheus_scrapes_the_service_with_its_key_and_takes_every_sample(stack: Stack) -> None:
    wait_for(lambda: stack.ask("powersense_warehouse_up == 1"))
    [target] = httpx.get(f"{stack.prometheus}/api/v1/targets", timeout=30).json()["data"]["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert {row["metric"]["area"] for row in stack.ask("powersense_newest_instant_age_seconds")} == {
        "Bretagne",
        "France",
    }
    assert [row["value"][1] for row in stack.ask('powersense_open_alerts{severity="critical"}')] == ["1"]


def test_every_rule_is_evaluated_and_no_healthy_figure_raises_an_alert(stack: Stack) -> None:
    wait_for(lambda: stack.ask("powersense:newest_instant_age_seconds:max"))

    def evaluated() -> list[dict[str, Any]] | None:
        groups = httpx.get(f"{stack.prometheus}/api/v1/rules", timeout=30).json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if all(rule["health"] == "ok" for rule in rules) else None

    rules = wait_for(evaluated)
    written = [rule for file in (FILES / "prometheus/rules").glob("*.yml") for group in
               yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]  # fmt: skip
    assert len(rules) == len(written)
    # A critical alert that nobody took on for two hours is the one thing wrong with this warehouse.
    wait_for(lambda: "PowerSenseAlertUnacknowledged" in firing(stack))
    assert firing(stack) <= {"PowerSenseWatchdog", "PowerSenseAlertUnacknowledged"}


def firing(stack: Stack) -> set[str]:
    return {
        row["metric"]["alertname"] for row in stack.ask('ALERTS{alertstate="firing"} and on () powersense_warehouse_up')
    }


def test_a_fired_rule_reaches_alertmanager_and_through_the_service_people(stack: Stack) -> None:
    def received() -> set[str]:
        alerts = httpx.get(f"{stack.alertmanager}/api/v2/alerts", timeout=30).json()
        return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["state"] == "active"}

    wait_for(lambda: "PowerSenseAlertUnacknowledged" in received())
    [message, *_] = wait_for(lambda: [one for one in stack.told if "Unacknowledged" in one["title"]])
    assert message["title"] == "Prometheus firing [warning] PowerSenseAlertUnacknowledged"
    assert message["type"] == "failure"
    assert "nobody took it on" in message["message"]
    assert "Runbook: docs/observability.md#powersensealertunacknowledged" in message["message"]
    # The watchdog is for a monitor outside; people would hear of it for ever.
    assert [one for one in stack.told if "Watchdog" in one["title"]] == []


def targets_of(kind: str) -> list[Any]:
    """Return the queries of all dashboards to a kind of source, those of variables included."""
    return [
        pytest.param(target, id=f"{file.stem}: {panel['title']} {target['refId']}")
        for file in DASHBOARDS
        for panel in json.loads(file.read_text())["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


def test_every_prometheus_query_of_the_dashboards_runs_and_ours_find_something(stack: Stack) -> None:
    wait_for(lambda: stack.ask("powersense:stream_lag_messages:sum"))
    # What this warehouse has none of: forecast errors come from a mart, files from declared ingestions.
    absent = re.compile(r"forecast_error|powersense_files_|ALERTS|load_revisions|airflow")
    empty = []
    for param in targets_of("prometheus"):
        [target] = param.values
        if not stack.ask(target["expr"]) and not absent.search(target["expr"]):
            empty.append(f"{param.id}: {target['expr']}")
    assert empty == []


def expanded(sql: str) -> str:
    """Return a query as Grafana's ClickHouse plugin sends it, for the last three days and Bretagne."""
    within = r"\1 >= now() - INTERVAL 3 DAY AND \1 <= now()"
    text = re.sub(r"\$__timeFilter\(([\w.]+)\)", within, sql).replace("${area:singlequote}", "'Bretagne'")
    assert "$" not in text, text
    return text


@pytest.mark.parametrize("target", targets_of("grafana-clickhouse-datasource"))
def test_every_clickhouse_query_of_the_dashboards_finds_rows_as_the_reader(
    stack: Stack, target: dict[str, Any]
) -> None:
    with connect("reader") as client:
        answer = client.query(expanded(target["rawSql"]))
    assert answer.result_rows
    if target["queryType"] == "timeseries":
        assert answer.column_names[0] == "time"
        instants = [row[0] for row in answer.result_rows]
        assert instants == sorted(instants)


def test_the_variables_of_the_dashboards_have_values(stack: Stack) -> None:
    queries = [each["query"] for file in DASHBOARDS for each in json.loads(file.read_text())["templating"]["list"]]
    with connect("reader") as client:
        assert [[row[0] for row in client.query(query).result_rows] for query in queries] == [["France", "Bretagne"]]
