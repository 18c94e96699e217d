"""People who call the API about alerts, and checks that find what a test says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.quality.alerts import apply_findings
from powersense.quality.outbox import deliver
from powersense.quality.rules import Finding, Severity
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from tests.services.scoring_data import table

KEYS = {"bob": "write", "eve": "write", "reader": "read"}


@contextmanager
def service_for_people() -> Iterator[TestClient]:
    """The API, alone, with a key for each of the people: the name itself."""
    entries = [f"{name}:{scope}:{hashlib.sha256(name.encode()).hexdigest()}" for name, scope in KEYS.items()]
    with TestClient(create_service(",".join(entries)), base_url=f"http://alone{URL_PREFIX}/") as client:
        yield client


class People:
    """Whoever calls the API, by name."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def ask(self, method: str, path: str, *, by: str = "reader", status: int = 200, **options: Any) -> Any:
        answer = self._client.request(method, path, headers={"X-API-Key": by}, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def group(self, **asked: Any) -> dict[str, Any]:
        """Return the only group that there is of what is asked for, with its members and history."""
        (found,) = self.ask("GET", "alert-groups", params=asked)["items"]
        whole: dict[str, Any] = self.ask("GET", f"alert-groups/{found['group_id']}")
        assert {key: whole[key] for key in found if not key.endswith("_at")} == {
            key: value for key, value in found.items() if not key.endswith("_at")
        }
        return whole


def stale(area: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding("stale_data", severity, f"No recent load for {area}", "old", area=area)


def run_check(*findings: Finding, at: datetime, run_id: str = "run") -> dict[str, int]:
    """Do what the check does after its rules have run."""
    with connect("writer") as client:
        counts = apply_findings(client, findings, checked=["stale_data"], now=at, run_id=run_id)
        return counts | deliver(client, settings=get_settings(), run_id=run_id)


def tell(*, minutes: float = 0) -> dict[str, int]:
    """Do what a later check does that finds nothing new."""
    with connect("writer") as client:
        clock = datetime.now(UTC) + timedelta(minutes=minutes)
        return deliver(client, settings=get_settings(), run_id="later", clock=clock)


def groups() -> list[tuple[str, ...]]:
    """Return the areas of each group."""
    found = table(
        "SELECT arraySort(groupArray(area)) AS areas FROM alerts FINAL GROUP BY group_id ORDER BY min(opened_at)"
    )
    return [tuple(areas) for areas in found["areas"]]
