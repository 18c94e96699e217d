"""What the Data API's reads say, on the real engine: what stands, what was known when, and what was found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from powersense.contracts import AREAS as ALL_AREAS
from powersense.warehouse.client import connect
from powersense.warehouse.reads import as_known
from tests.services.api_data import AREAS, DAY, HOUR, MARTS, PUBLISHED, REVISED, served
from tests.services.api_reading import KEY, KEYS, LISTINGS, ON_THE_DAY, ask, items, reading, refusal
from tests.warehouses import Warehouse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def api(module_warehouse: Warehouse) -> Iterator[TestClient]:
    with reading(module_warehouse) as client:
        yield client


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
