"""The service of file ingestions with a key to read and one to write, its addresses and its pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from tests.warehouses import Warehouse

READ, WRITE = "ps_test_read", "ps_test_write"
KEYS = ",".join(
    f"{scope.rstrip('e')}er:{scope}:{hashlib.sha256(key.encode()).hexdigest()}"
    for scope, key in (("read", READ), ("write", WRITE))
)
BASE = "/file-ingestions"
NAME = "meter_readings"
NOW = datetime.now(UTC).replace(microsecond=123_456)
INJECTION = "x' OR 1=1; DROP TABLE file_states --"


def serving() -> Iterator[Any]:
    """Calls the service with a key that may write; a fixture of the modules that want it."""
    with TestClient(create_service(KEYS), base_url="http://alone") as client:
        client.headers["Authorization"] = f"Bearer {WRITE}"
        yield client


def with_a_warehouse(service: Any, warehouse: Warehouse) -> Any:
    """The same on a warehouse of the test's own; a fixture upon `service`."""
    return service


def url(*parts: str) -> str:
    """Return an address below `/file-ingestions`, its parts escaped."""
    return "/".join([URL_PREFIX + BASE, *(quote(part, safe="") for part in parts)])


def pages(api: Any, address: str, **parameters: Any) -> list[list[dict[str, Any]]]:
    """Return the pages of a listing, each reached by the cursor of the one before."""
    found, after = [], ""
    while after is not None:
        answer = api.get(address, params={**parameters, "after": after})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        after = answer.json()["next"]
        assert len(found) < 50
    return found
