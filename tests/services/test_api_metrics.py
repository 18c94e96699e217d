"""What Prometheus reads of the file autoloader: through the service, with a key, from stored rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.auth import new_key
from powersense.warehouse.client import connect
from tests.services.file_rows import declare, ran, seen

KEY, ENTRY = new_key("prometheus", "read")


def scraped() -> dict[str, float]:
    """Return the samples of one scrape, by name and labels."""
    with TestClient(create_service(f"{ENTRY.name}:{ENTRY.scope}:{ENTRY.sha256}")) as service:
        assert service.get(f"{URL_PREFIX}/metrics").status_code == 401
        answer = service.get(f"{URL_PREFIX}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert len(re.findall(r"^# TYPE \S+ gauge$", answer.text, flags=re.MULTILINE)) == 8
    samples = re.findall(r"^powersense_files_(\S+) (\S+)$", answer.text, flags=re.MULTILINE)
    return {name: float(value) for name, value in samples}


def test_each_ingestion_shows_its_files_its_rows_and_its_last_run(warehouse):
    assert scraped() == {}
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    with connect("writer") as client:
        declare(client, "meters", at=now - 9 * hour)
        declare(client, "grid", at=now - 9 * hour, enabled=False)
        for path in ("1.csv", "2.csv"):
            seen(client, "meters", path, at=now - 2 * hour, loaded_version="v1")
        seen(client, "meters", "3.csv", at=now - hour, state="quarantined", error="no header")
        ran(client, "meters", "one", at=now - 3 * hour, seconds=7.5)
        ran(client, "meters", "two", at=now - hour, state="failed", error="away", seconds=1.25)
        ran(client, "meters", "dry", at=now, is_dry_run=True)
    found = scraped()
    ages = {
        name: found.pop(f'{name}{{ingestion="meters"}}') for name in ("newest_file_age_seconds", "last_run_age_seconds")
    }
    assert all(3600 <= age < 3700 for age in ages.values())
    assert found == {
        'ingestion_enabled{ingestion="grid"}': 0,
        'ingestion_enabled{ingestion="meters"}': 1,
        'files{ingestion="meters",state="loaded"}': 2,
        'files{ingestion="meters",state="quarantined"}': 1,
        'rows{ingestion="grid"}': 0,
        'rows{ingestion="meters"}': 20,
        'bytes{ingestion="grid"}': 0,
        'bytes{ingestion="meters"}': 300,
        'last_run_seconds{ingestion="meters"}': 1.25,
        'last_run_failed{ingestion="meters"}': 1,
    }
