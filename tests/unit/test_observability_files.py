"""The files of observability/: their own tools and parsers accept them, and they agree with what they speak of."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from powersense.warehouse.metrics import MART_QUERIES, QUERIES
from tests.debian import program

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "observability"
RULES = sorted((FILES / "prometheus/rules").glob("*.yml"))
DASHBOARDS = sorted((FILES / "grafana/dashboards").glob("*.json"))
# As Airflow's own processes begin: the scheduler, the DAG processor.
SEND_METRICS = """
from airflow._shared.observability.metrics import stats
from airflow.configuration import conf
from airflow.observability.metrics import stats_utils
stats.initialize(
    factory=stats_utils.get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
)
stats.incr("ti.finish", tags={"dag_id": "ingest_load", "task_id": "store", "state": "success"})
stats.gauge("dag_processing.import_errors", 2)
"""
# What Astro's own compose file brings.
ASTRO = """
networks: {airflow: {}}
volumes: {airflow_logs: {}}
services:
  scheduler: &astro {image: "p/airflow:latest", networks: [airflow], volumes: ["airflow_logs:/usr/local/airflow/logs"]}
  api-server: *astro
  dag-processor: *astro
  triggerer: *astro
"""


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alert_rules() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_promtool_accepts_configurations_and_rules_and_their_unit_tests_pass() -> None:
    promtool = program("promtool", package="prometheus")
    for name in ("prometheus", "local"):
        run(promtool, "check", "config", "--syntax-only", str(FILES / f"prometheus/{name}.yml"))
    run(promtool, "check", "rules", "--lint-fatal", *map(str, RULES))
    run(promtool, "test", "rules", str(FILES / "prometheus/tests/alerts_test.yml"))


def test_every_alert_is_unit_tested_and_has_a_heading_in_the_runbook_it_names() -> None:
    tested = (FILES / "prometheus/tests/alerts_test.yml").read_text()
    page = (ROOT / "docs/observability.md").read_text()
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, flags=re.MULTILINE)}
    rules = alert_rules()
    assert [rule["alert"] for rule in rules if f"alertname: {rule['alert']}\n" not in tested.replace(",", "\n")] == [
        "PowerSenseWatchdog"
    ]
    assert {rule["alert"].lower() for rule in rules} == anchors
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/observability.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("none", "warning", "critical")


def test_alertmanager_accepts_its_configuration_and_routes_alerts_to_people() -> None:
    file = str(FILES / "alertmanager/alertmanager.yml")
    amtool = program("amtool", package="prometheus-alertmanager")
    run(amtool, "check-config", file)
    for rule in alert_rules():
        labels = [f"alertname={rule['alert']}", f"severity={rule['labels']['severity']}"]
        receiver = run(amtool, "config", "routes", "test", f"--config.file={file}", *labels).strip()
        assert receiver == ("nobody" if rule["alert"] == "PowerSenseWatchdog" else "people")


def test_no_alert_hides_the_watchdog_or_itself_and_an_absent_warehouse_hides_what_follows_from_it() -> None:
    rules = yaml.safe_load((FILES / "alertmanager/alertmanager.yml").read_text())["inhibit_rules"]
    names = {rule["alert"] for rule in alert_rules()}

    def chosen(matchers: list[str]) -> set[str]:
        found = set(names)
        for matcher in matchers:
            [(label, sign, pattern)] = re.findall(r'^(\w+) (=~|!~|=|!=) "?([^"]+)"?$', matcher)
            assert label == "alertname"
            fits = {name for name in names if re.fullmatch(pattern if "~" in sign else re.escape(pattern), name)}
            found &= names - fits if "!" in sign else fits
        return found

    hidden = {name: chosen(rule["target_matchers"]) for rule in rules for name in chosen(rule["source_matchers"])}
    assert len(hidden) == len(rules)
    for name, others in hidden.items():
        assert others
        assert not others & {name, "PowerSenseWatchdog"}
    assert "PowerSenseNothingFinished" in hidden["PowerSenseWarehouseDown"]
    assert "PowerSenseWarehouseDown" in hidden["PowerSenseDown"]


def airflow_metrics() -> dict[str, set[str]]:
    """Return Airflow's metrics as Prometheus sees them through the mapping, with their labels."""
    mapping = yaml.safe_load((FILES / "statsd/mapping.yml").read_text())
    assert set(mapping) == {"defaults", "mappings"}
    assert set(mapping["defaults"]) <= {"observer_type", "histogram_options", "match_type", "ttl"}
    rules = []
    for rule in mapping["mappings"]:
        assert {"match", "name"} <= set(rule) <= {"match", "name", "action", "labels", "histogram_options"}
        pattern = re.escape(rule["match"]).replace(r"\*", r"([^.]*)")
        rules.append((re.compile(f"^{pattern}$"), rule, []))
    registry = yaml.safe_load(
        files("airflow._shared.observability.metrics").joinpath("metrics_template.yaml").read_text()
    )["metrics"]
    found = {}
    for metric in registry:
        name = "airflow." + re.sub(r"\{\w+\}", "x", metric["name"])
        matched = next((each for each in rules if each[0].match(name)), None)
        if matched:
            matched[2].append(name)
            if matched[1].get("action") == "drop":
                continue
        full = matched[1]["name"] if matched else re.sub(r"\W", "_", name)
        suffixes = ("_bucket", "_sum", "_count") if metric["type"] == "timer" else ("",)
        found |= {f"{full}{suffix}": set(metric["name_variables"]) | {"le"} for suffix in suffixes}
    assert [rule["match"] for _, rule, names in rules if not names] == []
    return found


def promql() -> list[str]:
    """Return every expression of rules and dashboards."""
    rules = [rule["expr"] for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
             for rule in group["rules"]]  # fmt: skip
    return rules + [t["expr"] for t in targets() if t["datasource"]["type"] == "prometheus"]


def targets() -> list[dict[str, Any]]:
    boards = [json.loads(file.read_text()) for file in DASHBOARDS]
    return [target for board in boards for panel in board["panels"] for target in panel.get("targets", [])]


def test_rules_and_dashboards_ask_for_metrics_that_airflow_and_the_service_have() -> None:
    airflow = airflow_metrics()
    families = [
        *(f for each in QUERIES.values() for f in each),
        *(f for _, each in MART_QUERIES.values() for f in each),
    ]
    ours = {f"powersense_{family.name}" for family in families} | {"powersense_warehouse_up", "powersense_build_info"}
    recorded = {rule["record"] for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
                for rule in group["rules"] if "record" in rule}  # fmt: skip
    source = (ROOT / "include/powersense/api/monitoring/metrics.py").read_text()
    ours |= {f"powersense_files_{name}" for name in re.findall(r'each\("(\w+)"', source)} | {"powersense_files_files"}
    for expression in promql():
        named = set(re.findall(r"\b(?:powersense|airflow)[_:][\w:]*", re.sub(r'"[^"]*"', "", expression)))
        assert named <= ours | set(airflow) | recorded, expression
        for name, labels in re.findall(r"(airflow_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)\s*=", labels)) <= airflow[name]


def test_airflow_really_sends_what_the_exporter_takes_apart() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())
    sent = {
        "airflow.ti.finish,dag_id=ingest_load,task_id=store,state=success:1|c",
        "airflow.dag_processing.import_errors:2|g",
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(60)
        own = {
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(listening.getsockname()[1]),
        }
        run(sys.executable, "-W", "ignore", "-c", SEND_METRICS, **compose["x-airflow"] | own)
        lines = set()
        while len(lines & sent) < len(sent):
            lines.add(listening.recv(4096).decode())
    # Without legacy names each figure comes once.
    assert {line for line in lines if "import_errors" in line or "ti." in line} == sent


def test_dashboards_are_whole_and_their_sources_are_provisioned() -> None:
    datasources = yaml.safe_load((FILES / "grafana/provisioning/datasources/powersense.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in datasources}
    assert len({source["name"] for source in datasources}) == len(known) == 4
    boards = [json.loads(file.read_text()) for file in DASHBOARDS]
    assert [file.stem for file in DASHBOARDS] == ["data-quality", "load-and-anomalies", "models", "operations"]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == 4
    for board in boards:
        panels = board["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
            assert place["x"] + place["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells
            if panel["type"] == "row":
                continue
            assert panel["title"]
            assert panel["description"].endswith("."), panel["title"]
            assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
            for target in panel["targets"]:
                assert (target["datasource"]["type"], target["datasource"]["uid"]) in known
                assert target.get("expr") or target.get("rawSql")


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Astro's services and ours as docker-compose merges them, with the values of .env.example."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / "astro.yml").write_text(f'version: "3.9"\n{ASTRO}')
    shutil.copy(ROOT / ".env.example", folder / ".env")
    shutil.copy(ROOT / "docker-compose.override.yml", folder)
    compose = program("docker-compose", package="docker-compose")
    merged = run(compose, "-f", "astro.yml", "-f", "docker-compose.override.yml", "config", folder=folder)
    found = yaml.safe_load(merged)
    assert isinstance(found, dict)
    return found


def test_compose_merges_the_stack_with_astros_services(merged: dict[str, Any]) -> None:
    services = merged["services"]
    for name in ("scheduler", "api-server", "dag-processor", "triggerer"):
        environment = services[name]["environment"]
        assert environment["AIRFLOW__METRICS__STATSD_ON"] == "True"
        assert environment["AIRFLOW__LOGGING__JSON_LOGS"] == "True"
        assert environment["AIRFLOW__METRICS__STATSD_HOST"] in services
        assert f":{environment['AIRFLOW__METRICS__STATSD_PORT']}" in str(
            services["power_sense_statsd_exporter"]["command"]
        )
    assert services["scheduler"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
    assert services["power_sense_grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "choose-a-fourth"


def test_what_the_files_call_by_name_runs_in_the_compose_file(merged: dict[str, Any]) -> None:
    folders = [FILES / name for name in ("prometheus/prometheus.yml", "alertmanager", "alloy", "grafana/provisioning")]
    texts = [file.read_text() for one in folders for file in (one.rglob("*.*") if one.is_dir() else [one])]
    hosts = {host for text in texts for host in re.findall(r"\b(power_sense_\w+):\d+", text)}
    assert hosts == {f"power_sense_{name}" for name in
                     ("alertmanager", "alloy", "api", "grafana", "loki", "prometheus", "statsd_exporter")}  # fmt: skip
    assert hosts <= set(merged["services"])
    # Each reads its key where the service writes it, and no other's.
    entries = merged["services"]["power_sense_api"]["environment"]["POWERSENSE_API_KEY_FILES"].split(", ")
    keys = {name: file for name, _, file in (entry.split(":", 2) for entry in entries)}
    # A new volume takes its owner from the image's folder.
    assert "mkdir -p .powersense/keys/prometheus .powersense/keys/alertmanager " in (ROOT / "Dockerfile").read_text()
    for name, file in keys.items():
        volume = f"key_{name}"
        mounts = {
            mount.split(":")[0]: mount.split(":")[1] for mount in merged["services"]["power_sense_api"]["volumes"]
        }
        assert file == f"{mounts[volume]}/key"
        reader = [mount for mount in merged["services"][f"power_sense_{name}"]["volumes"] if mount.startswith("key_")]
        assert reader == [f"{volume}:/run/powersense:ro"]
