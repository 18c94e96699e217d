"""Questions that the Data API refuses, or takes for no more than they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from powersense.api.data.cursors import encode_cursor
from tests.services.api_reading import CSV, ON_THE_DAY, ask, items, reading, refusal
from tests.warehouses import Warehouse

INJECTION = "x'); DROP TABLE measurements; SELECT ('{areas:Array(String)}"


@pytest.fixture(scope="module")
def api(module_warehouse: Warehouse) -> Iterator[TestClient]:
    with reading(module_warehouse) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "parameters", "field", "remedy"),
    [
        ("measurements", {"areas": ["France", "Mars"]}, "areas[1]", "Provence-Alpes-Côte d'Azur"),
        ("measurements", {"metrics": "tension"}, "metrics[0]", "consommation, taux_co2"),
        ("measurements", {"start": "2018-01-10"}, "start", "no zone"),
        ("measurements", {"start": "2018-01-10T00:00"}, "start", "no zone"),
        ("measurements", {"start": "gestern"}, "start", "2018-01-01T00:00:00Z"),
        ("measurements", {"known_at": "2018-01-10T25:00:00Z"}, "known_at", "2018-01-01T00:00:00Z"),
        ("measurements", {"start": ON_THE_DAY["end"], "end": ON_THE_DAY["start"]}, "start", "swap them"),
        ("measurements", {"start": ON_THE_DAY["end"], "end": ON_THE_DAY["end"]}, "start", "swap them"),
        ("measurements", {"start": "1066-10-14T00:00:00Z"}, "start", "between 1990 and 2100"),
        ("measurements", {"end": "9999-12-31T23:59:59-14:00"}, "end", "between 1990 and 2100"),
        ("measurements", {"after": "bm9uZQ"}, "after", "leave it out"),
        ("measurements", {"after": encode_cursor("a", "b")}, "after", "leave it out"),
        ("weather", {"start": "2017-01-01T00:00:00Z"}, "start", "at most 92"),
        ("forecasts", {"issued_at": "now"}, "issued_at", "2018-01-01T00:00:00Z"),
        ("curve", {"metric": "tension"}, "metrics[0]", "consommation"),
    ],
)
def test_a_question_that_cannot_be_meant_is_told_so(api, path, parameters, field, remedy):
    wrong = refusal(api, path, **parameters)
    assert wrong["field"] == field
    assert remedy in wrong["remedy"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("measurements", {"limit": 10_001}),
        ("measurements", {"limit": 0}),
        ("measurements", {"limit": "many"}),
        ("measurements", {"versions": "some"}),
        ("measurements", {"up_to_vintage": "final"}),
        ("measurements", {"areas": ["France"] * 51}),
        ("measurements", {"after": "a" * 9_000}),
        ("curve", {"points": 2_001}),
        ("curve", {"points": 1}),
        ("episodes", {"states": "lost"}),
        ("alerts", {"severities": "bad"}),
        ("scores", {"only_anomalies": "perhaps"}),
    ],
)
def test_a_parameter_beyond_its_limits_is_refused_by_name(api, path, parameters):
    wrong = api.get(path, params=parameters)
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    assert next(iter(parameters)) in wrong.json()["errors"][0]["field"]


def test_too_many_series_over_too_long_a_range_are_refused():
    from powersense.api.data.parameters import Range, within_limits
    from powersense.api.problems import ProblemError

    ten_years = Range(datetime(2010, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    assert within_limits(ten_years, series=13 * 20) is ten_years
    with pytest.raises(ProblemError, match="ask for fewer series, or for the range in pieces"):
        within_limits(ten_years, series=13 * 25)


def test_sql_in_any_parameter_is_a_value_and_no_more(api):
    described = ask(api, "openapi.json").json()["paths"]
    asked = 0
    for path, methods in described.items():
        operation = methods.get("get", {})
        if operation.get("tags") != ["data"]:
            continue
        for parameter in operation.get("parameters", []):
            for accept in ("application/json", CSV):
                answer = api.get(path[1:], params={parameter["name"]: INJECTION}, headers={"Accept": accept})
                assert answer.status_code in {200, 422}, (path, parameter["name"], answer.text)
                assert "DB::Exception" not in answer.text
                asked += 1
        forged = encode_cursor(*[INJECTION] * 4)
        assert api.get(path[1:], params={"after": forged}).status_code in {200, 422}
    assert asked > 100
    assert len(items(api, "series")) == 6
