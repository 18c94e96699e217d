"""Reads of the Data API on the real engine: four formats, pages, what was known when, limits, and bad input."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from powersense.api import URL_PREFIX, alert_rows, data_rows, page_rows
from powersense.api.alone import create_service
from powersense.api.cursors import encode_cursor
from powersense.api.data_answers import FORMATS, Page
from powersense.api.limits import Buckets
from powersense.contracts import AREAS as ALL_AREAS
from powersense.errors import WarehouseError
from powersense.local.ports import free_port
from powersense.settings import get_settings
from powersense.warehouse import data_reads
from powersense.warehouse.client import connect
from powersense.warehouse.reader_pool import ReaderPool
from powersense.warehouse.reads import as_known
from tests.services.api_data import AREAS, DAY, HOUR, MARTS, PUBLISHED, REVISED, build_marts, fill, served

ROOT = Path(__file__).resolve().parents[2]
KEY = "ps_reader"
KEYS = f"reader:read:{hashlib.sha256(KEY.encode()).hexdigest()}"
ON_THE_DAY = {"start": "2018-01-10T00:00:00Z", "end": "2018-01-11T00:00:00Z"}
CSV, PARQUET, ARROW = FORMATS
INJECTION = "x'); DROP TABLE measurements; SELECT ('{areas:Array(String)}"

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


@pytest.fixture(scope="module")
def filled(module_warehouse):
    """A warehouse with a few rows of everything; before dbt has run, the marts are asked for."""
    fill(module_warehouse.marts_database)
    return module_warehouse


@pytest.fixture(scope="module")
def api(filled) -> Iterator[TestClient]:
    with TestClient(create_service(KEYS), base_url=f"http://alone{URL_PREFIX}/") as client:
        client.headers["X-API-Key"] = KEY
        before = [client.get(path) for path in ("coverage", "forecasts/scorecard")]
        assert {answer.status_code for answer in before} == {503}
        assert all("transform_warehouse" in answer.json()["detail"] for answer in before)
        assert all(answer.headers["retry-after"] for answer in before)
        build_marts(filled.marts_database)
        yield client


@pytest.fixture
def options(monkeypatch) -> Iterator[Callable[..., None]]:
    """Sets options for the length of a test."""

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        get_settings.cache_clear()

    yield change
    monkeypatch.undo()
    get_settings.cache_clear()


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


def values(rows: list[dict[str, Any]]) -> list[float]:
    return [row["value"] for row in rows]


def test_where_each_area_stands(api):
    (bretagne, france) = items(api, "latest", detector="robust")
    newest = DAY + 95 * HOUR / 4
    assert (bretagne["area"], france["area"]) == ("Bretagne", "France")
    assert datetime.fromisoformat(france["observed_at"]) == newest
    # The consolidated value counts, not the real-time one that came first.
    assert (france["value_mw"], france["vintage"]) == (9.0, "consolidated")
    assert datetime.fromisoformat(france["inserted_at"]) == REVISED
    assert datetime.fromisoformat(france["first_observed_at"]) == DAY
    assert datetime.fromisoformat(france["judged_at"]) == DAY + 2 * HOUR
    assert (france["expected_mw"], france["lower_mw"], france["upper_mw"]) == (2000.0, 1700.0, 2300.0)
    assert (france["judged_mw"], france["is_anomaly"]) == (1.5, False)
    assert datetime.fromisoformat(france["forecast_until"]) == DAY + 4 * HOUR
    (unjudged,) = items(api, "latest", areas="France", detector="nobody")
    assert {unjudged[name] for name in ("judged_at", "judged_mw", "expected_mw", "z_score", "is_anomaly")} == {None}
    assert unjudged["value_mw"] == 9.0


def test_what_was_expected_stands_in_the_buckets_of_the_curve(api):
    question = {**ON_THE_DAY, "areas": "France", "points": 13}
    (bucket, last) = items(api, "expected", detector="robust", **question)
    curve = items(api, "curve", **question)
    assert [row["bucket_at"] for row in curve[:2]] == [bucket["bucket_at"], last["bucket_at"]]
    assert (bucket["expected_mw"], bucket["lower_mw"], bucket["upper_mw"]) == (2000.0, 1700.0, 2300.0)
    assert (bucket["anomalies"], bucket["worst_mw"], bucket["worst_z_score"]) == (2, 1.5, -20.0)
    assert DAY <= datetime.fromisoformat(bucket["worst_at"]) < DAY + 2 * HOUR
    assert (last["anomalies"], last["worst_at"], last["worst_mw"]) == (0, None, None)
    assert refusal(api, "expected", start="2018-01-02T00:00:00Z", end="2018-01-01T00:00:00Z")["field"] == "start"


def test_areas_are_those_of_the_contract(api):
    listed = ask(api, "areas").json()
    assert [(area["name"], area["insee_code"]) for area in listed] == [(area.name, area.insee) for area in ALL_AREAS]
    assert [area["name"] for area in listed if area["is_national"]] == ["France"]


@pytest.mark.parametrize("path", LISTINGS)
def test_rows_are_as_described_and_the_same_in_every_format(api, path):
    row, question, count = LISTINGS[path]
    answer = ask(api, path, **question)
    page = Page[row].model_validate_json(answer.content)
    assert (len(page.items), page.next, answer.headers["content-type"]) == (count, None, "application/json")
    rows = answer.json()["items"]

    as_csv = ask(api, path, CSV, **question)
    assert as_csv.headers["content-disposition"].endswith('.csv"')
    frames = {
        "csv": pd.read_csv(io.BytesIO(as_csv.content), keep_default_na=False, na_values=[""]),
        "parquet": pq.read_table(io.BytesIO(ask(api, path, PARQUET, **question).content)).to_pandas(),
        "arrow": pa.ipc.open_stream(io.BytesIO(ask(api, path, ARROW, **question).content)).read_all().to_pandas(),
    }
    for kind, frame in frames.items():
        assert list(frame.columns) == list(rows[0]), kind
        assert len(frame) == count
        for name in frame.columns:
            assert [_plain(value) for value in frame[name]] == [_plain(row[name]) for row in rows], (kind, name)


def _plain(value: Any) -> Any:
    """Return a value as all formats can show it: instants as seconds, numbers rounded to a Float32's digits."""
    # CSV shows a list as the text of one.
    if pd.api.types.is_list_like(value):
        return str(list(value))
    # CSV has no other word for an empty text.
    if value is None or pd.isna(value) or value == "":
        return None
    if isinstance(value, str) and re.match(r"^\d{4}-\d\d-\d\d", value):
        value = pd.Timestamp(value)
    if hasattr(value, "isoformat"):
        moment = pd.Timestamp(value)
        return (moment if moment.tzinfo else moment.tz_localize("UTC")).timestamp()
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    return value if isinstance(value, str) else round(float(value), 4)


# These answer in one page whatever the limit.
WHOLE = {"curve", "latest", "expected"}


@pytest.mark.parametrize("path", sorted(set(LISTINGS) - WHOLE))
def test_pages_put_together_are_the_whole(api, path):
    _, question, count = LISTINGS[path]
    whole, paged, after = items(api, path, **question), [], ""
    limit = max(1, count // 5)
    while after is not None:
        page = ask(api, path, **question, limit=limit, after=after).json()
        assert len(page["items"]) <= limit
        paged += page["items"]
        after = page["next"]
        assert len(paged) <= count
    assert paged == whole


def test_all_versions_are_paged_too(api):
    question = {**ON_THE_DAY, "areas": "France", "versions": "all"}
    whole = items(api, "measurements", **question)
    assert len(whole) == 96 + 4 + 2
    assert [(row["vintage"], row["version"], row["value"]) for row in whole[:2]] == [
        ("realtime", 1, 52_000.0),
        ("realtime", 2, 1.5),
    ]
    paged, after = [], ""
    while after is not None:
        page = ask(api, "measurements", **question, limit=7, after=after).json()
        paged, after = paged + page["items"], page["next"]
    assert paged == whole


def test_the_past_is_answered_as_it_was_known(api):
    question = {**ON_THE_DAY, "areas": "bretagne"}
    now = items(api, "measurements", **question)
    then = items(api, "measurements", **question, known_at=PUBLISHED.isoformat())
    assert values(now)[:5] == [1.5, 1.5, 1.5, 1.5, 2_004.0]
    assert values(now)[-2:] == [9.0, 9.0]
    assert values(then) == [2_000.0 + number for number in range(96)]
    assert items(api, "measurements", **question, known_at="2018-01-10T23:59:59Z") == []
    # To the microsecond of the revision.
    just_before = REVISED - timedelta(microseconds=1)
    assert items(api, "measurements", **question, known_at=just_before.isoformat()) == then
    assert items(api, "measurements", **question, known_at=REVISED.isoformat()) == now
    realtime = items(api, "measurements", **question, up_to_vintage="realtime")
    assert values(realtime)[-2:] == [2_094.0, 2_095.0]


@pytest.mark.parametrize("vintage", ["realtime", "consolidated", "definitive"])
@pytest.mark.parametrize("instant", [DAY, PUBLISHED, REVISED - timedelta(microseconds=1), REVISED + 24 * HOUR])
def test_values_are_those_of_the_rule_that_scoring_reads_by(api, vintage, instant):
    bounds = {"metric": "consommation", "start": DAY, "end": DAY + 24 * HOUR, "up_to_vintage": vintage}
    with connect("reader") as client:
        rule = as_known(client, areas=AREAS, as_of=instant, **bounds)
    question = {**ON_THE_DAY, "areas": AREAS, "known_at": instant.isoformat(), "up_to_vintage": vintage}
    found = items(api, "measurements", **question)
    names = ("area", "value", "vintage", "version")
    assert [tuple(row[name] for name in names) for row in found] == [tuple(row) for row in rule[list(names)].values]
    assert len(found) == (192 if instant >= PUBLISHED else 0)


def test_a_range_has_its_first_instant_and_not_its_end(api):
    found = items(api, "measurements", areas="France", start="2018-01-10T01:00:00+01:00", end="2018-01-10T00:30:00Z")
    assert [row["observed_at"] for row in found] == ["2018-01-10T00:00:00Z", "2018-01-10T00:15:00Z"]
    # An unescaped plus arrives as a blank.
    same = api.get("measurements?areas=France&start=2018-01-10T01:00:00+01:00&end=2018-01-10T00:30:00Z")
    assert same.json()["items"] == found
    later = items(api, "measurements", areas="France", start="2018-01-10T00:00:00.5Z", end="2018-01-10T00:15:00.5Z")
    assert [row["observed_at"] for row in later] == ["2018-01-10T00:15:00Z"]


def test_series_tell_what_there_is(api):
    rows = {(row["metric"], row["area"], row["vintage"]): row for row in items(api, "series")}
    load = rows["consommation", "France", "realtime"]
    assert (load["instants"], load["unit"]) == (96, "MW")
    assert (load["first_observed_at"], load["last_observed_at"]) == ("2018-01-10T00:00:00Z", "2018-01-10T23:45:00Z")
    assert rows["taux_co2", "Bretagne", "realtime"]["unit"] == "g/kWh"
    assert len(items(api, "series", vintages="consolidated", areas="France")) == 1


@pytest.mark.parametrize(("points", "width"), [(2_000, 15), (50, 30), (3, 720), (2, 1_440)])
def test_a_curve_keeps_the_extremes_of_every_bucket(api, points, width):
    rows = items(api, "curve", **ON_THE_DAY, areas="Bretagne", points=points, known_at=PUBLISHED.isoformat())
    assert 1 <= len(rows) <= points
    day = pd.Series(range(96), index=pd.date_range(DAY, periods=96, freq="15min")) + 2_000.0
    expected = day.resample(f"{width}min").agg(["min", "mean", "max", "count"])
    assert [(row["min"], row["mean"], row["max"], row["values"]) for row in rows] == [tuple(r) for r in expected.values]
    assert [pd.Timestamp(row["bucket_at"]) for row in rows] == list(expected.index)


def test_findings_are_chosen_by_what_is_asked(api):
    assert {row["is_anomaly"] for row in items(api, "scores", **ON_THE_DAY, only_anomalies=True)} == {True}
    assert [row["episode_id"] for row in items(api, "episodes")] == ["e1", "e0"]
    assert [row["episode_id"] for row in items(api, "episodes", start="2018-01-10T01:30:00Z")] == ["e1"]
    assert [row["alert_id"] for row in items(api, "alerts")] == ["a2", "a1", "a0"]
    assert [row["alert_id"] for row in items(api, "alerts", states="open", severities="critical")] == ["a0"]
    assert [row["alert_id"] for row in items(api, "alerts", start="2018-01-10T04:30:00Z")] == ["a2", "a0"]
    assert [row["batch_id"] for row in items(api, "runs", states=["success"])] == ["b2", "b1"]
    assert items(api, "runs", sources="nobody") == []
    models = items(api, "models", areas="France")
    assert [(row["model_id"], row["last_action"]) for row in models] == [("m0", ""), ("m1", "promote")]
    assert "secret" not in ask(api, "models").text
    weather = items(api, "weather", **ON_THE_DAY, areas="Bretagne")
    assert [row["temperature_c"] for row in weather] == [10.0, 11.0, 12.0, 13.0]


def test_a_forecast_is_the_newest_that_was_known_or_the_one_that_is_named(api):
    def issues(**question: str) -> set[str]:
        return {row["issued_at"] for row in items(api, "forecasts", areas="France", **question)}

    assert issues() == {"2018-01-10T01:00:00Z"}
    # Issued at one o'clock and stored five minutes later.
    assert issues(known_at="2018-01-10T01:04:59Z") == {"2018-01-10T00:00:00Z"}
    assert issues(issued_at="2018-01-10T00:00:00Z") == {"2018-01-10T00:00:00Z"}
    assert issues(issued_at="2018-01-10T00:30:00Z") == set()
    assert issues(issued_at="2018-01-10T01:00:00Z", known_at="2018-01-10T01:00:00Z") == set()


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


def test_too_many_series_over_too_long_a_range_are_refused(api, filled):
    from powersense.api.data_parameters import Range, within_limits
    from powersense.api.problems import ProblemError

    ten_years = Range(datetime(2010, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    assert within_limits(ten_years, series=13 * 20) is ten_years
    with pytest.raises(ProblemError, match="ask for fewer series, or for the range in pieces"):
        within_limits(ten_years, series=13 * 25)


def test_formats_are_chosen_as_accept_says(api):
    for accept in ("", "*/*", "application/*", "text/html, */*;q=0.1", "application/json;q=0.9, text/csv;q=0.8"):
        assert ask(api, "series", accept).headers["content-type"] == "application/json"
    for accept in (CSV, "text/*", "application/json;q=0.1, text/csv", "application/json;q=nonsense, text/csv"):
        assert ask(api, "series", accept).headers["content-type"].startswith(CSV)
    refused = api.get("series", headers={"Accept": "image/png"})
    assert (refused.status_code, ARROW in refused.json()["detail"]) == (406, True)
    for parameters in ({"limit": 5}, {"after": encode_cursor("a", "b", "c")}):
        answer = api.get("series", params=parameters, headers={"Accept": CSV})
        assert (answer.status_code, "leave it out" in answer.json()["detail"]) == (422, True)
    empty = ask(api, "runs", CSV, sources="nobody").text
    assert empty.startswith('"batch_id"')
    assert empty.count("\n") == 1


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


def test_a_caller_who_asks_too_often_waits(api, options):
    options(API_REQUESTS_PER_MINUTE=5)
    with TestClient(create_service(KEYS), base_url=f"http://alone{URL_PREFIX}/") as client:
        assert client.get("areas").status_code == 401
        client.headers["X-API-Key"] = KEY
        assert [client.get("areas").status_code for _ in range(6)] == [200] * 5 + [429]
        refused = client.get("areas")
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert client.get("health").status_code == 200


def test_tokens_drip_in_for_each_caller_alone():
    now = [0.0]
    buckets = Buckets(clock=lambda: now[0])
    assert [buckets.take("a", per_minute=2) for _ in range(3)] == [0, 0, 30]
    assert buckets.take("b", per_minute=2) == 0
    now[0] = 29.0
    assert buckets.take("a", per_minute=2) == pytest.approx(1)
    now[0] = 30.0
    assert buckets.take("a", per_minute=2) == 0
    now[0] = 3_600.0
    assert [buckets.take("a", per_minute=2) > 0 for _ in range(3)] == [False, False, True]


def test_a_warehouse_that_is_down_is_told_without_its_address(api, monkeypatch, options):
    port = free_port()
    connection = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "login": "r", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_READER", json.dumps(connection))
    for path in LISTINGS:
        for accept in ("application/json", ARROW):
            answer = api.get(path, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.headers["retry-after"]
            assert not re.search(rf"127\.0\.0\.1|{port}|secret", answer.text)


def test_a_question_that_takes_too_long_is_ended(api, options, monkeypatch):
    options(API_QUERY_SECONDS=1)
    monkeypatch.setattr(data_reads, "statement", lambda _: "SELECT sleepEachRow(0.5) FROM numbers(1000)")
    answer = api.get("series")
    assert (answer.status_code, "shorter range" in answer.json()["detail"]) == (503, True)


def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(api, monkeypatch, filled):
    text = "SELECT number, throwIf(number = 3000000, 'disk gone') AS x FROM numbers(10000000) SETTINGS max_threads = 1"
    monkeypatch.setattr(data_reads, "statement", lambda _: text)
    running = data_reads.download(ReaderPool(), data_reads.Question("series", ()), fmt="CSV")
    read = 0
    sizes = map(len, running.chunks)
    read = sum(islice(sizes, 3))
    with pytest.raises(WarehouseError, match="broke off"):
        read += sum(sizes)
    running.close()
    assert read > 1_000_000
    with served(KEYS) as address, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{address}/series", headers={"Accept": CSV, "X-API-Key": KEY}, timeout=30)


def test_a_client_that_takes_nothing_is_cut_off_though_it_stays(filled, monkeypatch, options):
    options(API_STALLED_SECONDS=0.5, API_CONCURRENT_STREAMS=1)
    endless = "SELECT number, repeat('x', 100) AS x FROM numbers(10000000)"
    real = data_reads.statement
    monkeypatch.setattr(data_reads, "statement", lambda name: endless if name == "api_series" else real(name))
    with served(KEYS) as address, socket.create_connection(("127.0.0.1", httpx.URL(address).port)) as stalled:
        stalled.sendall(
            f"GET {URL_PREFIX}/series HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nAccept: {CSV}\r\n\r\n".encode()
        )
        assert stalled.recv(15) == b"HTTP/1.1 200 OK"
        headers = {"X-API-Key": KEY, "Accept": CSV}
        assert httpx.get(f"{address}/episodes", headers=headers, timeout=20).status_code == 200


def test_clients_that_take_nothing_keep_nobody_waiting_and_are_gone_when_they_hang_up(filled, monkeypatch, options):
    options(API_STALLED_SECONDS=60, API_CONCURRENT_STREAMS=2)
    # Both ends of each connection are in this process.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], min(most[1], 4_096)), most[1]))
    endless = "SELECT number, repeat('x', 100) AS x FROM numbers(10000000)"
    real = data_reads.statement
    monkeypatch.setattr(data_reads, "statement", lambda name: endless if name == "api_series" else real(name))
    with served(KEYS) as address, ExitStack() as sockets:
        port = httpx.URL(address).port
        request = f"GET {URL_PREFIX}/series HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nAccept: {CSV}\r\n\r\n".encode()
        for _ in range(1_000):
            one = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.sendall(request)
        headers = {"X-API-Key": KEY}
        for _ in range(5):
            # A page that waited for streams would be told to come back.
            page = httpx.get(f"{address}/measurements", params=ON_THE_DAY, headers=headers, timeout=30)
            assert page.status_code == 200
        # Two at a time hold a stream; others wait a little, or are told at once to come back.
        busy = httpx.get(f"{address}/series", headers=headers | {"Accept": CSV}, timeout=20)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert "API" not in busy.text
        sockets.close()
        monkeypatch.setattr(data_reads, "statement", real)
        deadline = datetime.now(UTC) + timedelta(seconds=15)
        status = 503
        while status == 503 and datetime.now(UTC) < deadline:
            status = httpx.get(f"{address}/series", headers=headers | {"Accept": CSV}, timeout=20).status_code
        assert status == 200
    with connect("writer") as client:
        texts = [text for (text,) in client.query("SELECT query FROM system.processes").result_rows]
    assert [text for text in texts if text.startswith(endless)] == []


def test_many_callers_at_once_get_each_their_own(filled):
    def day_of(number: int) -> tuple[str, set[str]]:
        area = AREAS[number % 2]
        rows = client.get("measurements", params={**ON_THE_DAY, "areas": area})
        return area, {row["area"] for row in rows.json()["items"]}

    with (
        served(KEYS) as address,
        httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=30) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        for area, found in threads.map(day_of, range(60)):
            assert found == {area}


def code_of(section: str, language: str) -> str:
    """Return the first block of a language in a section of docs/api.md."""
    text = (ROOT / "docs" / "api.md").read_text()
    part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return part.split(f"```{language}\n")[1].split("```")[0]


def test_the_client_and_the_commands_of_the_document_work_as_written(api, tmp_path):
    with served(KEYS) as address:
        environment = os.environ | {"POWERSENSE_API": address, "POWERSENSE_API_KEY": KEY}
        script = tmp_path / "client.py"
        script.write_text(code_of("Data", "python"))
        told = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        assert told.stdout.splitlines()[0] == "96 values"
        assert len(told.stdout.splitlines()) == 1 + 8
        written = code_of("Data", "bash")
        commands = written.replace("http://127.0.0.1:8090/powersense/api/v1", address).replace(
            "Bearer …", f"Bearer {KEY}"
        )
        assert address in commands
        assert f"Bearer {KEY}" in commands
        subprocess.run(["bash", "-euc", commands], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    frame = pd.read_csv(tmp_path / "2018.csv")
    assert len(frame) == 192
    listed = {f"/{path}" for path in LISTINGS} | {"/areas"}
    assert {path for path in listed if f"`{path}`" not in (ROOT / "docs" / "api.md").read_text()} == set()


def test_marts_have_the_columns_that_the_api_reads():
    for mart, columns in MARTS.items():
        built = (ROOT / "dbt" / "models" / "marts" / f"{mart}.sql").read_text()
        names = re.findall(r"(\w+) (?:LowCard|Date|U?Int|Float|Null|String)", columns)
        assert len(names) >= 8
        assert [name for name in names if not re.search(rf"(as {name}|^ +{name}),?$", built, re.MULTILINE)] == []
