"""Debian's Prometheus and Alertmanager over the live service: scrape, rules, a message to people, every dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from powersense.api.auth import new_key
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services import observed_data
from tests.services.api_data import served
from tests.services.watchers import FILES, RULES, Watchers, wait_for, watching
from tests.services.webhook import Webhook, opened

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

# Apprise imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
DASHBOARDS = sorted((FILES / "grafana/dashboards").glob("*.json"))


@pytest.fixture(scope="module")
def people() -> Iterator[Webhook]:
    """Whoever is told."""
    with opened() as hook:
        yield hook


@pytest.fixture(scope="module")
def watchers(
    module_warehouse: Warehouse, people: Webhook, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watchers]:
    """The service, Prometheus and Alertmanager as configured in observability/, on free ports."""
    folder = tmp_path_factory.mktemp("observability")
    observed_data.fill(observed_data.now_utc())
    keys = {"prometheus": new_key("prometheus", "read"), "alertmanager": new_key("alertmanager", "write")}
    (folder / "keys").mkdir()
    for name, (key, _) in keys.items():
        (folder / "keys" / name).write_text(key)
    entries = ",".join(f"{entry.name}:{entry.scope}:{entry.sha256}" for _, entry in keys.values())
    with pytest.MonkeyPatch.context() as environment, served(entries) as service:
        environment.setenv("ALERT_NOTIFY_URLS", people.url)
        get_settings.cache_clear()
        port = httpx.URL(service).port
        assert port
        with watching(folder, api_port=port, keys=folder / "keys") as found:
            yield found
    get_settings.cache_clear()


def test_prometheus_scrapes_the_service_with_its_key_and_takes_every_sample(watchers: Watchers) -> None:
    wait_for(lambda: watchers.ask("powersense_warehouse_up == 1"))
    [target] = watchers.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert {row["metric"]["area"] for row in watchers.ask("powersense_newest_instant_age_seconds")} == {
        "Bretagne",
        "France",
    }
    assert [row["value"][1] for row in watchers.ask('powersense_open_alerts{severity="critical"}')] == ["1"]


def test_every_rule_is_evaluated_and_no_healthy_figure_raises_an_alert(watchers: Watchers) -> None:
    wait_for(lambda: watchers.ask("powersense:newest_instant_age_seconds:max"))

    def evaluated() -> list[dict[str, Any]] | None:
        rules = watchers.rules()
        return rules if all(rule["health"] == "ok" for rule in rules) else None

    rules = wait_for(evaluated)
    written = [rule for file in RULES.glob("*.yml") for group in
               yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]  # fmt: skip
    assert len(rules) == len(written)
    # A critical alert that nobody took on for two hours is the one thing wrong with this warehouse.
    wait_for(lambda: "PowerSenseAlertUnacknowledged" in watchers.firing())
    assert watchers.firing() <= {"PowerSenseWatchdog", "PowerSenseAlertUnacknowledged"}


def test_a_fired_rule_reaches_alertmanager_and_through_the_service_people(watchers: Watchers, people: Webhook) -> None:
    wait_for(lambda: "PowerSenseAlertUnacknowledged" in watchers.received())
    [message, *_] = wait_for(lambda: [one for one in people.received if "Unacknowledged" in one["title"]])
    assert message["title"] == "Prometheus firing [warning] PowerSenseAlertUnacknowledged"
    assert message["type"] == "failure"
    assert "nobody took it on" in message["message"]
    assert "Runbook: docs/observability.md#powersensealertunacknowledged" in message["message"]
    # The watchdog is for a monitor outside; people would hear of it for ever.
    assert [one for one in people.received if "Watchdog" in one["title"]] == []


def test_alertmanager_is_told_the_same_with_and_without_docker() -> None:
    of_compose, local = (
        (FILES / "alertmanager" / name).read_text().partition("global:")[2]
        for name in ("alertmanager.yml", "local.yml")
    )
    places = {
        "power_sense_api:8090": "127.0.0.1:8090",
        "/run/powersense/key": "../../.powersense/demo/keys/alertmanager",
    }
    for place, own in places.items():
        assert place in of_compose
        of_compose = of_compose.replace(place, own)
    assert local == of_compose


def targets_of(kind: str) -> list[Any]:
    """Return the queries of all dashboards to a kind of source, those of variables included."""
    return [
        pytest.param(target, id=f"{file.stem}: {panel['title']} {target['refId']}")
        for file in DASHBOARDS
        for panel in json.loads(file.read_text())["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


def test_every_prometheus_query_of_the_dashboards_runs_and_ours_find_something(watchers: Watchers) -> None:
    wait_for(lambda: watchers.ask("powersense:stream_lag_messages:sum"))
    # What this warehouse has none of: forecast errors come from a mart, files from declared ingestions.
    absent = re.compile(r"forecast_error|powersense_files_|ALERTS|load_revisions|airflow")
    empty = []
    for param in targets_of("prometheus"):
        [target] = param.values
        if not watchers.ask(target["expr"]) and not absent.search(target["expr"]):
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
    watchers: Watchers, target: dict[str, Any]
) -> None:
    with connect("reader") as client:
        answer = client.query(expanded(target["rawSql"]))
    assert answer.result_rows
    if target["queryType"] == "timeseries":
        assert answer.column_names[0] == "time"
        instants = [row[0] for row in answer.result_rows]
        assert instants == sorted(instants)


def test_the_variables_of_the_dashboards_have_values(watchers: Watchers) -> None:
    queries = [each["query"] for file in DASHBOARDS for each in json.loads(file.read_text())["templating"]["list"]]
    with connect("reader") as client:
        assert [[row[0] for row in client.query(query).result_rows] for query in queries] == [["France", "Bretagne"]]
