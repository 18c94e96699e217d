"""The replay's answers over real HTTP: captures come back as they were, queries and their errors as at the portal."""

from __future__ import annotations

import io
import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest
import requests

from powersense.local.replay import ReplayServer
from tests.services.replay_portal import GOLDEN, NATIONAL, REGIONAL, get, records, restored, serving

running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(restored)


def by_instant(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["date_heure"]))


def serving_capture(folder: Path, capture: str) -> ReplayServer:
    shutil.copy(GOLDEN / capture, folder)
    return ReplayServer(folder)


@pytest.mark.parametrize(
    "capture",
    [
        "odre_v2.1_eco2mix-national-tr_results_2025-07-20.json",
        "odre_v2.1_eco2mix-national-tr_records_20230912_TRANSCRIBED.json",
        "odre_v2.1_eco2mix-regional-tr_20260325_TRANSCRIBED.json",
    ],
)
def test_a_captured_answer_of_v21_is_served_back_field_by_field(capture: str, tmp_path: Path) -> None:
    captured = json.loads((GOLDEN / capture).read_text())
    expected = captured if isinstance(captured, list) else captured["results"]
    dataset = REGIONAL if "regional" in capture else NATIONAL
    with serving_capture(tmp_path, capture) as portal:
        exported = get(portal, f"{dataset}/exports/json").json()
        paged = records(portal, dataset, limit=100)
    # Through text: 1 and 1.0, or a field out of order, would differ.
    assert json.dumps(by_instant(exported)) == json.dumps(by_instant(expected))
    assert json.dumps(by_instant(paged)) == json.dumps(by_instant(expected))


@pytest.mark.parametrize(
    "capture",
    [
        "odre_v1_eco2mix-national-tr_20230921_electricitymaps.json",
        "odre_v1_eco2mix-national-tr_20220712_ND_TRANSCRIBED.json",
    ],
)
def test_a_captured_answer_of_v1_is_served_with_its_nulls_filled_in(capture: str, tmp_path: Path) -> None:
    document = json.loads((GOLDEN / capture).read_text())
    expected = by_instant([record["fields"] for record in document["records"]])
    with serving_capture(tmp_path, capture) as portal:
        rows = by_instant(records(portal, timezone=document["parameters"]["timezone"], limit=100))
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == expected


def test_a_csv_export_with_french_labels_is_served_back_line_by_line(tmp_path: Path) -> None:
    capture = "eco2mix-national-tr_2021-12.csv.xz"
    captured = lzma.decompress((GOLDEN / capture).read_bytes()).decode("utf-8-sig")
    with serving_capture(tmp_path, capture) as portal:
        options = {"use_labels": "true", "timezone": "Europe/Paris"}
        labelled = get(portal, f"{NATIONAL}/exports/csv", **options)
        technical = get(portal, f"{NATIONAL}/exports/csv", with_bom="false", delimiter=",")
    text = labelled.content.decode("utf-8")
    assert text.startswith("\ufeffPérimètre;Nature;")
    assert text.endswith("\r\n")
    header, *lines = text.removeprefix("\ufeff").split("\r\n")
    captured_header, *captured_lines = captured.split("\r\n")
    assert header == captured_header
    assert sorted(lines) == sorted(captured_lines)
    assert technical.text.startswith("perimetre,nature,date,heure,date_heure,consommation,")


def test_errors_have_the_portals_status_and_body(portal: ReplayServer) -> None:
    bodies = json.loads((GOLDEN / "ods_error_bodies.json").read_text())
    requested: dict[str, tuple[str, dict[str, Any]]] = {
        "limit_over_100": (NATIONAL, {"limit": 101}),
        "offset_plus_limit_over_10000": (NATIONAL, {"limit": 100, "offset": 10_000}),
        "unknown_field": (NATIONAL, {"where": "categorie = 1"}),
        "malformed_odsql_documented_example": (NATIONAL, {"where": "invalid_function()"}),
        "malformed_where_observed": (NATIONAL, {"where": "garbage=="}),
        "unknown_dataset": ("unknown", {}),
    }
    for name, (dataset, parameters) in requested.items():
        answer = get(portal, f"{dataset}/records", **parameters)
        assert (answer.status_code, answer.json()) == (bodies[name]["status"], bodies[name]["body"]), name


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": -2},
        {"limit": "ten"},
        {"offset": -1},
        {"timezone": "Mars/Olympus"},
        {"order_by": "categorie"},
        {"order_by": "date_heure sideways"},
        {"select": "categorie"},
        {"refine": "nature"},
        {"refine": "categorie:1"},
        {"group_by": "nature"},
    ],
    ids=lambda parameters: next(f"{name}={value}" for name, value in parameters.items()),
)
def test_other_wrong_parameters_are_refused_by_name(portal: ReplayServer, parameters: dict[str, Any]) -> None:
    answer = get(portal, f"{NATIONAL}/records", **parameters)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_code", "message"}
    name, value = next(iter(parameters.items()))
    assert name in answer.json()["message"] or str(value).split(":")[0] in answer.json()["message"]


def test_the_deepest_allowed_page_is_answered(portal: ReplayServer) -> None:
    answer = get(portal, f"{REGIONAL}/records", limit=100, offset=9_900)
    assert len(answer.json()["results"]) == 100
    assert len(get(portal, f"{REGIONAL}/records", limit=-1).json()["results"]) == 100
    assert len(get(portal, f"{REGIONAL}/records").json()["results"]) == 10


def test_an_export_has_no_limit_and_an_offset_breaks_it_after_the_200(portal: ReplayServer) -> None:
    rows = get(portal, f"{REGIONAL}/exports/json").json()
    assert len(rows) == 12 * 36 * 96
    bodies = json.loads((GOLDEN / "ods_error_bodies.json").read_text())
    text = bodies["export_with_offset"]["body_text_appended_in_stream"].replace("83714", str(len(rows) + 1))
    broken = get(portal, f"{REGIONAL}/exports/json", offset=1)
    assert broken.status_code == 200
    assert broken.text.endswith(text)
    assert get(portal, f"{REGIONAL}/exports/csv", offset=1).text.endswith(text)


def test_rows_are_unsorted_without_order_by_and_pages_do_not_overlap(portal: ReplayServer) -> None:
    where = "date = date'2017-10-01'"
    unsorted = records(portal, where=where, limit=96)
    stamps = [row["date_heure"] for row in unsorted]
    assert stamps != sorted(stamps)
    pages = [row for offset in (0, 50) for row in records(portal, where=where, limit=50, offset=offset)]
    assert pages == unsorted
    ordered = records(portal, where=where, limit=96, order_by="date_heure")
    assert [row["date_heure"] for row in ordered] == sorted(stamps)


def test_order_by_takes_several_fields_and_puts_nulls_last(portal: ReplayServer) -> None:
    where = "date in (date'2017-10-05', date'2017-10-06') and heure = '12:00'"
    rows = records(portal, REGIONAL, where=where, order_by="date desc, consommation desc,libelle_region", limit=100)
    assert [row["date"] for row in rows] == ["2017-10-06"] * 12 + ["2017-10-05"] * 12
    where = "date = '2017-10-05' and libelle_region = 'Bretagne'"
    loads = [row["consommation"] for row in records(portal, REGIONAL, where=where, order_by="consommation", limit=100)]
    filled = [load for load in loads if load is not None]
    assert loads == sorted(filled) + [None] * 48


def test_select_refine_and_timezone(portal: ReplayServer) -> None:
    rows = records(
        portal,
        REGIONAL,
        select="libelle_region as region, date_heure, pompage",
        refine=["code_insee_region:93", "date_heure:2017/10/04"],
        exclude="heure:00:00",
        timezone="Europe/Paris",
        order_by="date_heure",
        limit=100,
    )
    assert len(rows) == 95
    assert rows[0] == {
        "region": "Provence-Alpes-Côte d'Azur",
        "date_heure": "2017-10-04T00:15:00+02:00",
        "pompage": rows[0]["pompage"],
    }
    assert isinstance(rows[0]["pompage"], str)
    in_utc = records(portal, where="date_heure = date'2017-10-03T22:15'", select="date_heure")
    assert in_utc == [{"date_heure": "2017-10-03T22:15:00+00:00"}]


def test_commercial_exchanges_are_null_between_half_hours(portal: ReplayServer) -> None:
    rows = records(portal, where="date = '2017-10-01'", limit=100, order_by="date_heure")
    for row in rows:
        assert (row["ech_comm_italie"] is None) == (row["heure"][3:] in ("15", "45"))


def test_a_parquet_export_has_typed_columns(portal: ReplayServer) -> None:
    import pyarrow.parquet as pq

    where = "date >= date'2017-10-01' and date < date'2017-10-03'"
    answer = get(portal, f"{REGIONAL}/exports/parquet", where=where, order_by="date_heure")
    table = pq.read_table(io.BytesIO(answer.content))
    types = {field.name: str(field.type) for field in table.schema}
    assert len(table) == 2 * 12 * 96
    assert types["date_heure"] == "timestamp[ms, tz=UTC]"
    assert (types["consommation"], types["pompage"], types["code_insee_region"]) == ("int64", "string", "string")
    exported = get(portal, f"{REGIONAL}/exports/json", where=where, order_by="date_heure").json()
    assert table["consommation"].to_pylist() == [row["consommation"] for row in exported]


def test_the_catalogue_describes_the_datasets(portal: ReplayServer) -> None:
    described = get(portal, NATIONAL).json()
    assert described["dataset_id"] == NATIONAL
    assert {"name": "pompage", "type": "int"}.items() <= next(
        f for f in described["fields"] if f["name"] == "pompage"
    ).items()
    assert described["metas"]["default"]["records_count"] == 36 * 96
    listed = requests.get(portal.api_url, timeout=10).json()
    assert listed["total_count"] == 4
