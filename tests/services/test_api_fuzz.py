"""The live API against its own description: whatever is sent, no server error, and no answer that is not described.

`API_FUZZ=full` asks every case that schemathesis makes; without, every tenth of those at the edges of the description,
and a few at random.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from powersense.api import URL_PREFIX
from powersense.api.app import create_app
from powersense.api.auth import key_access, new_key
from powersense.settings import get_settings
from tests.services.api_data import build_marts, fill, served

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FULL = os.environ.get("API_FUZZ") == "full"
STRIDE = 1 if FULL else 10
KEY, ENTRY = new_key("fuzz", "write")
# Uvicorn refuses a request line of more than 64 KiB before the application sees it.
LONGEST_ADDRESS = 60_000
# Names of what is there, so that not every address leads to 404.
KNOWN = {"episode_id": "e0", "group_id": "a0", "name": "0"}
CHECKED = [
    check
    for check in CHECKS.get_all()
    # No description says that a range must not be reversed, or that an area exists: such requests are refused by 422.
    if check.__name__ != "positive_data_acceptance"
]

SCHEMA = schemathesis.openapi.from_dict(
    {**create_app(key_access([ENTRY])).openapi(), "servers": [{"url": URL_PREFIX}]},
)
SEEN: Counter[str] = Counter()
NUMBERS = count()


@pytest.fixture(scope="module")
def address(module_warehouse, tmp_path_factory) -> Iterator[str]:
    """The service on a real port over a warehouse with a few rows of everything."""
    with pytest.MonkeyPatch.context() as options:
        options.setenv("API_REQUESTS_PER_MINUTE", "0")
        options.setenv("MODEL_STORE_URL", f"file://{tmp_path_factory.mktemp('models')}")
        get_settings.cache_clear()
        fill(module_warehouse.marts_database)
        build_marts(module_warehouse.marts_database)
        with served(f"{ENTRY.name}:{ENTRY.scope}:{ENTRY.sha256}") as found:
            yield found
    get_settings.cache_clear()


@SCHEMA.parametrize()
@settings(max_examples=50 if FULL else 4, suppress_health_check=list(HealthCheck), derandomize=not FULL)
def test_every_answer_is_as_described(case, address):
    number = next(NUMBERS)
    if case.meta.phase.name.name == "COVERAGE" and number % STRIDE:
        return
    if case.meta.generation.mode is GenerationMode.POSITIVE and number % 2:
        case.path_parameters |= {name: value for name, value in KNOWN.items() if name in case.path_parameters}
    case.headers["X-API-Key"] = KEY
    if len(case.as_transport_kwargs()["url"]) > LONGEST_ADDRESS:
        return
    answer = case.call(base_url=address, timeout=60)
    SEEN[f"{case.operation.method.upper()} {case.operation.path}"] += 1
    SEEN[str(answer.status_code)] += 1
    case.validate_response(answer, checks=CHECKED)


def test_every_route_was_asked_and_most_kinds_of_answers_came():
    described = {operation.ok().label for operation in SCHEMA.get_all_operations()}
    assert described <= set(SEEN)
    assert {"200", "404", "405", "422"} <= set(SEEN)
