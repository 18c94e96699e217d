"""The Data API over a small warehouse, asked as a caller with the right to read asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX
from powersense.api.alerts import rows as alert_rows
from powersense.api.alone import create_service
from powersense.api.data import rows as data_rows
from powersense.api.data.answers import FORMATS
from powersense.api.page import rows as page_rows
from tests.services.api_data import AREAS, build_marts, fill
from tests.warehouses import Warehouse

KEY = "ps_reader"
KEYS = f"reader:read:{hashlib.sha256(KEY.encode()).hexdigest()}"
ON_THE_DAY = {"start": "2018-01-10T00:00:00Z", "end": "2018-01-11T00:00:00Z"}
CSV, PARQUET, ARROW = FORMATS

# Each listing with its rows, a question that has some, and how many.
LISTINGS: dict[str, tuple[type[BaseModel], dict[str, Any], int]] = {
    "series": (data_rows.SeriesRow, {}, 6),
    "measurements": (data_rows.MeasurementRow, {**ON_THE_DAY, "areas": AREAS}, 192),
    "coverage": (data_rows.CoverageRow, {"start": "2018-01-01T00:00:00Z", "end": "2018-02-01T00:00:00Z"}, 6),
    "scores": (data_rows.ScoreRow, ON_THE_DAY, 12),
    "episodes": (data_rows.EpisodeRow, {"states": ["open", "closed", "retracted"]}, 3),
    "forecasts": (data_rows.ForecastRow, {}, 6),
    "forecasts/scorecard": (data_rows.ScorecardRow, {}, 4),
    "weather": (data_rows.WeatherRow, ON_THE_DAY, 4),
    "alerts": (data_rows.AlertRow, {}, 3),
    "alert-groups": (alert_rows.AlertGroupRow, {}, 3),
    "runs": (data_rows.IngestionRunRow, {}, 3),
    "models": (data_rows.ModelRow, {}, 4),
    "freshness": (page_rows.FreshnessRow, {}, 13),
    "quarantine": (page_rows.QuarantineRow, ON_THE_DAY, 3),
    "quarantine/counts": (page_rows.QuarantineCountRow, ON_THE_DAY, 2),
    "latest": (page_rows.LatestRow, {}, 2),
    "expected": (page_rows.ExpectedRow, {**ON_THE_DAY, "areas": AREAS, "points": 50, "detector": "robust"}, 6),
    "curve": (data_rows.CurveRow, {**ON_THE_DAY, "points": 50}, 48),
}


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[TestClient]:
    """A service over a few rows of everything; before dbt has run, the marts are asked for."""
    fill(warehouse.marts_database)
    with TestClient(create_service(KEYS), base_url=f"http://alone{URL_PREFIX}/") as client:
        client.headers["X-API-Key"] = KEY
        before = [client.get(path) for path in ("coverage", "forecasts/scorecard")]
        assert {answer.status_code for answer in before} == {503}
        assert all("transform_warehouse" in answer.json()["detail"] for answer in before)
        assert all(answer.headers["retry-after"] for answer in before)
        build_marts(warehouse.marts_database)
        yield client


def ask(api: Any, path: str, accept: str = "", **parameters: Any) -> Any:
    answer = api.get(path, params=parameters, headers={"Accept": accept} if accept else {})
    assert answer.status_code == 200, answer.text
    return answer


def items(api: Any, path: str, **parameters: Any) -> list[dict[str, Any]]:
    return ask(api, path, **parameters).json()["items"]


def refusal(api: Any, path: str, **parameters: Any) -> dict[str, Any]:
    answer = api.get(path, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    (wrong,) = answer.json()["errors"]
    assert str(wrong["remedy"]) in answer.json()["detail"]
    return wrong
