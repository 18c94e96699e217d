"""The dead-man's switch on the replayed incident: real runs, a scheduler that stops, a service that notices, people.

The portal is the replay at the night of 30 September 2017, the runs are the DAGs' own, and the Data API service is a
process of its own beside Debian's Prometheus and Alertmanager.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from powersense.api import URL_PREFIX
from powersense.contracts import LOAD_METRIC
from powersense.local.ports import free_port
from powersense.local.replay import ReplayServer
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.finished_runs import newest_finishes
from tests.dags.real_dags import dag_of, runnable
from tests.services.scoring_data import paris_day
from tests.services.test_incident_2017 import FIRST_RUN, INCIDENT_DAY
from tests.services.watchers import RULES, Watchers, running, wait_for, watching
from tests.services.webhook import Webhook, listening

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

# Dag.test() runs the scheduler's own code, which warns about its own future; Apprise imports a deprecated module.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("airflow_home"),
]

webhook = pytest.fixture(listening)

DAGS = {"ingest_load", "score_anomalies", "check_data_quality"}
DAY_START, _ = paris_day(INCIDENT_DAY)
# Longer than a run takes on a busy machine; the service looks four times meanwhile.
DEADMAN_MINUTES = "0.5"
QUARTER = timedelta(minutes=15)
# More than the limit of the rule.
SILENCE = timedelta(minutes=21)
LATER = FIRST_RUN + 3 * QUARTER
RULE = "PowerSenseNothingFinished"
AGE = "min(powersense_run_finished_age_seconds)"


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    """The replayed portal when the first bad values had just appeared, and no history before its real time."""
    with ReplayServer(clock=FIRST_RUN.isoformat()) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": server.base_url}))
        monkeypatch.setenv("HISTORY_START_YEAR", "2018")
        monkeypatch.setenv("DEADMAN_MINUTES", DEADMAN_MINUTES)
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


@dataclass(frozen=True)
class Service:
    """The Data API service as a process, and who watches it."""

    address: str
    key: str
    watchers: Watchers

    def alive(self) -> int:
        """Return the status that a monitor outside sees."""
        return httpx.get(f"{self.address}/alive", timeout=30).status_code

    def age_seconds(self) -> float:
        """Return what the rule asks for, as the service says it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        text = httpx.get(f"{self.address}/metrics", headers=headers, timeout=30).text
        return min(float(age) for age in re.findall(r"^powersense_run_finished_age_seconds\{.*\} (\S+)$", text, re.M))


@contextmanager
def served(folder: Path) -> Iterator[Service]:
    """Run the service as the stack does, with Prometheus and Alertmanager beside it."""
    port, keys = free_port(), folder / "keys"
    files = f"prometheus:read:{keys / 'prometheus'},alertmanager:write:{keys / 'alertmanager'}"
    environment = os.environ | {"POWERSENSE_API_KEY_FILES": files}
    command = [sys.executable, "-m", "powersense.api", "serve", "--port", str(port)]
    health = f"{port}{URL_PREFIX}/health"
    with (
        running(command, health, log=folder / "data-api.log", environment=environment),
        watching(folder, api_port=port, keys=keys) as watchers,
    ):
        yield Service(f"http://127.0.0.1:{port}{URL_PREFIX}", (keys / "prometheus").read_text().strip(), watchers)


def run(dag_id: str, *, end: datetime) -> None:
    """Run a DAG over the incident's first hours, to its end."""
    assert (
        runnable(dag_of(dag_id)).test(run_conf={"start": DAY_START.isoformat(), "end": end.isoformat()}).state
        == "success"
    )


def finished() -> set[str]:
    with connect("reader") as client:
        return {newest.dag_id for newest in newest_finishes(client)}


def let_pass(time: timedelta) -> None:
    """Make what has finished so much older, as if nothing had happened for so long."""
    with connect("writer") as client:
        client.command("CREATE TABLE aged AS finished_runs")
        client.command(
            "INSERT INTO aged SELECT * REPLACE (finished_at - toIntervalSecond({seconds:UInt32}) AS finished_at) "
            "FROM finished_runs FINAL",
            parameters={"seconds": int(time.total_seconds())},
        )
        client.command("EXCHANGE TABLES finished_runs AND aged")
        client.command("DROP TABLE aged SYNC")


def newest_load() -> datetime:
    with connect("reader") as client:
        query = "SELECT max(observed_at) FROM measurements WHERE metric = {metric:String} AND isNotNull(value)"
        newest: datetime = client.query(query, parameters={"metric": LOAD_METRIC}, tz_mode="aware").result_rows[0][0]
        return newest


def limit_of_the_rule() -> float:
    """Return the seconds that the rule's file names."""
    groups = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    [expression] = [rule["expr"] for group in groups for rule in group["rules"] if rule.get("alert") == RULE]
    query, _, limit = expression.partition(" > ")
    assert query == AGE
    return float(limit)


def told_of_silence(webhook: Webhook) -> list[str]:
    """Return what people heard of the silence and its end, without its figures, sorted."""
    return sorted(title.partition(":")[0] for title in webhook.titles if " is " in title or RULE in title)


def test_a_scheduler_that_stops_in_the_incident_is_told_once_and_so_is_its_return(
    warehouse: Warehouse, portal: ReplayServer, webhook: Webhook, tmp_path: Path
) -> None:
    limit = limit_of_the_rule()
    run("ingest_load", end=FIRST_RUN)
    run("score_anomalies", end=FIRST_RUN)
    with served(tmp_path) as service:
        run("check_data_quality", end=FIRST_RUN)
        assert (finished(), service.alive()) == (DAGS, 200)
        assert service.age_seconds() < limit
        assert webhook.titles[0].startswith("PowerSense opened [critical] Anomalous load in")

        # The scheduler stops; the incident and the portal go on.
        portal.set_clock(LATER.isoformat())
        let_pass(SILENCE)
        assert service.age_seconds() > limit
        wait_for(lambda: service.alive() == 503)
        wait_for(lambda: RULE in service.watchers.received())
        wait_for(lambda: len(told_of_silence(webhook)) > 1)
        assert told_of_silence(webhook) == ["PowerSense is silent", f"Prometheus firing [critical] {RULE}"]
        assert newest_load() < FIRST_RUN

        # It runs again, makes up for what it missed, and goes on.
        run("ingest_load", end=LATER)
        assert newest_load() == LATER - QUARTER
        wait_for(lambda: service.alive() == 200)
        run("score_anomalies", end=LATER)

        def is_all_clear() -> bool:
            run("check_data_quality", end=LATER)
            return len(told_of_silence(webhook)) > 3

        wait_for(is_all_clear)
        assert RULE not in service.watchers.received()
        assert (service.alive(), service.age_seconds() < limit) == (200, True)
    assert told_of_silence(webhook) == [
        "PowerSense is alive again",
        "PowerSense is silent",
        f"Prometheus firing [critical] {RULE}",
        f"Prometheus resolved [critical] {RULE}",
    ]
    # People knew of the incident all the time.
    assert [title for title in webhook.titles if "load in" in title] == webhook.titles[:1]
