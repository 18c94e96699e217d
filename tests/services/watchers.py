"""Debian's Prometheus and Alertmanager with the project's own files, on the ports of a test."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from powersense.local.ports import free_port
from tests.debian import program

FILES = Path(__file__).resolve().parents[2] / "observability"
RULES = FILES / "prometheus" / "rules"
# A busy machine may be slow; time is measured in benchmarks/.
PATIENCE_SECONDS = 120
# A busy machine answers a scrape late: the time-out is as long as may be.
_INTERVALS = {"scrape_interval": 5, "scrape_timeout": 5, "evaluation_interval": 1}
# Before the first scrape, and after one that was late, these two would speak, and hush the others.
_PATIENT = {"PowerSenseDown", "PowerSenseWarehouseDown"}
# What the two local.yml say; a test puts its own in their place.
_API, _ALERTMANAGER = "127.0.0.1:8090", "127.0.0.1:9093"


@dataclass(frozen=True)
class Watchers:
    """Addresses of a Prometheus and an Alertmanager that run."""

    prometheus: str
    alertmanager: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        answer = self._answer("query", query=expression)
        found: list[dict[str, Any]] = answer["result"]
        return found

    def value(self, expression: str) -> float | None:
        """Return the only sample of an instant query; None where there is none."""
        samples = self.ask(expression)
        assert len(samples) <= 1, samples
        return float(samples[0]["value"][1]) if samples else None

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped."""
        found: list[dict[str, Any]] = self._answer("targets")["activeTargets"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of all groups, as Prometheus has them."""
        return [rule for group in self._answer("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """Return the alerts that fire, once the service was scraped."""
        return {
            row["metric"]["alertname"]
            for row in self.ask('ALERTS{alertstate="firing"} and on () powersense_warehouse_up')
        }

    def received(self) -> set[str]:
        """Return the alerts that Alertmanager holds to be active."""
        alerts = httpx.get(f"{self.alertmanager}/api/v2/alerts", timeout=30).json()
        return {alert["labels"]["alertname"] for alert in alerts if alert["status"]["state"] == "active"}

    def _answer(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", (path, parameters, answer)
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def watching(folder: Path, *, api_port: int, keys: Path) -> Iterator[Watchers]:
    """Run both on their local.yml and the rules; only ports, keys and waiting times are the test's.

    Args:
        folder: where they keep their files.
        api_port: loopback port of the Data API service.
        keys: folder of the keys `prometheus` and `alertmanager`, as the service makes them.
    """
    alertmanager, prometheus = free_port(), free_port()
    # The files name the keys from where they lie: a folder as the project's.
    (folder / ".powersense" / "demo").mkdir(parents=True)
    (folder / ".powersense" / "demo" / "keys").symlink_to(keys)
    places = {_API: f"127.0.0.1:{api_port}", _ALERTMANAGER: f"127.0.0.1:{alertmanager}"}
    commands = {
        alertmanager: _alertmanager_command(folder / "observability" / "alertmanager", alertmanager, places),
        prometheus: _prometheus_command(folder / "observability" / "prometheus", prometheus, places),
    }
    with ExitStack() as both:
        for port, command in commands.items():
            both.enter_context(running(command, f"{port}/-/ready", log=folder / f"{port}.log"))
        yield Watchers(f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}")


def _prometheus_command(folder: Path, port: int, places: dict[str, str]) -> list[str]:
    """Write local.yml and its rules for a test: it scrapes often, and alerts do not wait."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    for file in RULES.glob("*.yml"):
        (rules / file.name).write_text(_without_waits(file.read_text()))
    text = _replaced(FILES / "prometheus" / "local.yml", places)
    for name, seconds in _INTERVALS.items():
        text, found = re.subn(rf"{name}: \S+", f"{name}: {seconds}s", text)
        assert found == 1, name
    (folder / "local.yml").write_text(text)
    return [
        program("prometheus", package="prometheus"),
        f"--config.file={folder / 'local.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def _without_waits(rules: str) -> str:
    document = yaml.safe_load(rules)
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        if rule.get("alert") not in _PATIENT:
            rule.pop("for", None)
    return yaml.safe_dump(document)


def _alertmanager_command(folder: Path, port: int, places: dict[str, str]) -> list[str]:
    """Write local.yml for a test: it hardly waits for others of a group."""
    folder.mkdir(parents=True)
    text = _replaced(FILES / "alertmanager" / "local.yml", {_API: places[_API]})
    (folder / "local.yml").write_text(re.sub(r"group_(wait|interval): \S+", r"group_\1: 1s", text))
    return [
        program("prometheus-alertmanager", package="prometheus-alertmanager"),
        f"--config.file={folder / 'local.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]


def _replaced(file: Path, places: dict[str, str]) -> str:
    text = file.read_text()
    for place, own in places.items():
        assert place in text, f"{file} names {place} no more"
        text = text.replace(place, own)
    return text


@contextmanager
def running(
    command: list[str], address: str, *, log: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """Run a server until it is ready at a path of a loopback port, and to the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{address}", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for(is_ready)
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(is_met: Callable[[], Any]) -> Any:
    """Ask until it is so; returns the answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := is_met()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer
