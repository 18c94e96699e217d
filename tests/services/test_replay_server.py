"""The replay over real HTTP: recorded answers come back as they were, errors and faults as portals give them."""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from powersense.errors import ConfigurationError, PortInUseError
from powersense.local.replay import ReplayServer
from powersense.local.replay.server import BUNDLED_SAMPLE, bound_socket

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "odre"
CLOCK = "2017-10-05T12:00:00+02:00"
NATIONAL, REGIONAL = "eco2mix-national-tr", "eco2mix-regional-tr"
DEFINITIVE_2016 = "eCO2mix_RTE_Annuel-Definitif_2016"


@pytest.fixture(scope="module")
def running() -> Iterator[ReplayServer]:
    with ReplayServer(clock=CLOCK) as server:
        yield server


@pytest.fixture
def portal(running: ReplayServer) -> Iterator[ReplayServer]:
    yield running
    running.clear()
    running.set_clock(CLOCK)
    running.requests.clear()


def get(portal: ReplayServer, path: str, timeout: float = 10, **parameters: Any) -> requests.Response:
    return requests.get(f"{portal.api_url}/{path}", params=parameters, timeout=timeout)


def records(portal: ReplayServer, dataset: str = NATIONAL, **parameters: Any) -> list[dict[str, Any]]:
    answer = get(portal, f"{dataset}/records", **parameters)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def by_instant(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["date_heure"]))


def serving(folder: Path, capture: str) -> ReplayServer:
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
    with serving(tmp_path, capture) as portal:
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
    with serving(tmp_path, capture) as portal:
        rows = by_instant(records(portal, timezone=document["parameters"]["timezone"], limit=100))
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == expected


def test_a_csv_export_with_french_labels_is_served_back_line_by_line(tmp_path: Path) -> None:
    capture = "eco2mix-national-tr_2021-12.csv.xz"
    captured = lzma.decompress((GOLDEN / capture).read_bytes()).decode("utf-8-sig")
    with serving(tmp_path, capture) as portal:
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


def test_answers_carry_the_quota_and_the_log_remembers_requests(portal: ReplayServer) -> None:
    first = get(portal, f"{NATIONAL}/records", where="consommation is null", limit=1)
    second = get(portal, f"{NATIONAL}/records", limit=1)
    assert int(first.headers["X-RateLimit-Remaining"]) - int(second.headers["X-RateLimit-Remaining"]) == 1
    logged = portal.requests[0]
    assert (logged.dataset, logged.endpoint, logged.status, logged.faults) == (NATIONAL, "records", 200, ())
    assert logged.parameters == {"where": ["consommation is null"], "limit": ["1"]}


@pytest.mark.parametrize("errorcode", [10002, 10005])
def test_rate_limit_answers_429_with_body_headers_and_retry_after(portal: ReplayServer, errorcode: int) -> None:
    name = {10002: "quota_domain", 10005: "quota_anonymous"}[errorcode]
    expected = json.loads((GOLDEN / "ods_error_bodies.json").read_text())[name]["body"]
    limits = {"call_limit": expected["call_limit"], "reset_time": expected["reset_time"]}
    portal.inject("rate_limit", dataset="*-tr", times=2, retry_after=7, errorcode=errorcode, **limits)
    for _ in range(2):
        answer = get(portal, f"{NATIONAL}/records")
        assert answer.status_code == 429
        assert answer.json() == expected
        assert answer.headers["Retry-After"] == "7"
        assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert get(portal, f"{NATIONAL}/records").status_code == 200
    assert [request.faults for request in portal.requests] == [("rate_limit",), ("rate_limit",), ()]


def test_server_error_and_html_strike_only_their_endpoint(portal: ReplayServer) -> None:
    portal.inject("server_error", endpoint="exports", status=503)
    portal.inject("html", endpoint="records")
    assert get(portal, f"{NATIONAL}/exports/json").status_code == 503
    page = get(portal, f"{NATIONAL}/records")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<html>" in page.text
    portal.clear("html")
    assert len(records(portal)) == 10


def test_timeout_hangs_until_cleared(portal: ReplayServer) -> None:
    portal.inject("timeout", times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        get(portal, f"{NATIONAL}/records", timeout=0.3)
    assert get(portal, f"{NATIONAL}/records").status_code == 200
    portal.inject("timeout", seconds=0.1, times=1)
    assert get(portal, f"{NATIONAL}/records").status_code == 504


def test_slow_stream_arrives_whole_in_small_parts(portal: ReplayServer) -> None:
    portal.inject("slow_stream", chunk_bytes=2_000, delay=0.1)
    began = time.monotonic()
    with requests.get(f"{portal.api_url}/{NATIONAL}/records", timeout=5, stream=True) as answer:
        parts = list(answer.iter_content(chunk_size=None))
    assert len(parts) > 2
    assert time.monotonic() - began > 0.2
    assert len(json.loads(b"".join(parts))["results"]) == 10


def test_truncated_cuts_the_connection_or_only_the_body_or_appends_the_text(portal: ReplayServer) -> None:
    whole = get(portal, f"{NATIONAL}/exports/json").text
    portal.inject("truncated", times=1, mode="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(portal, f"{NATIONAL}/exports/json")
    portal.inject("truncated", times=1, mode="clean", at=0.25)
    shortened = get(portal, f"{NATIONAL}/exports/json")
    assert shortened.status_code == 200
    assert whole.startswith(shortened.content.decode(errors="ignore"))
    assert len(shortened.content) < len(whole.encode()) / 3
    portal.inject("truncated", times=1, mode="interrupted")
    interrupted = get(portal, f"{NATIONAL}/exports/csv")
    assert interrupted.status_code == 200
    assert "Streaming interrupted due to the following error: " in interrupted.text


def test_malformed_json_claims_to_be_json_and_is_not(portal: ReplayServer) -> None:
    portal.inject("malformed_json", times=1)
    answer = get(portal, f"{NATIONAL}/exports/json")
    assert answer.headers["Content-Type"].startswith("application/json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_record_faults_strike_records_and_every_export(portal: ReplayServer) -> None:
    import pyarrow.parquet as pq

    parameters = {"where": "date = '2017-10-01'", "order_by": "date_heure", "limit": 96}
    before = records(portal, **parameters)
    portal.inject("revised", dataset=NATIONAL, add=1000)
    portal.inject("schema_drift", dataset=NATIONAL)
    after = records(portal, **parameters)
    assert [row["consommation"] for row in after] == [row["consommation"] + 1000 for row in before]
    assert get(portal, f"{NATIONAL}/exports/json", **parameters).json() == after
    text = get(portal, f"{NATIONAL}/exports/csv", **parameters).content.decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert [int(line["consommation"]) for line in lines] == [row["consommation"] for row in after]
    assert {line["nouvelle_filiere"] for line in lines} == {"42"}
    table = pq.read_table(io.BytesIO(get(portal, f"{NATIONAL}/exports/parquet", **parameters).content))
    assert table["consommation"].to_pylist() == [row["consommation"] for row in after]
    assert portal.requests[-1].faults == ("revised", "schema_drift")
    portal.clear()
    assert records(portal, **parameters) == before


def test_faults_are_listed_started_and_ended_over_http(portal: ReplayServer) -> None:
    control = f"{portal.base_url}/replay/faults"
    fault = {"fault": "rate_limit", "dataset": "*", "times": 2, "retry_after": 1}
    started = requests.post(control, json=fault, timeout=5)
    assert started.status_code == 201
    assert fault.items() <= started.json()[0].items()
    assert get(portal, f"{NATIONAL}/records").status_code == 429
    assert [(one["fault"], one["times"]) for one in requests.get(control, timeout=5).json()] == [("rate_limit", 1)]
    assert requests.delete(control, params={"fault": "html"}, timeout=5).json() == {"cleared": 0}
    assert requests.delete(control, timeout=5).json() == {"cleared": 1}
    refused = requests.post(control, json={"fault": "earthquake"}, timeout=5)
    assert refused.status_code == 400
    assert "expected one of" in refused.json()["error"]
    assert requests.post(control, data="{", timeout=5).status_code == 400


def test_the_clock_is_moved_over_http(portal: ReplayServer) -> None:
    later = {"clock": "2017-10-06T00:07:00+02:00"}
    status = requests.post(f"{portal.base_url}/replay/clock", json=later, timeout=5).json()
    assert status["recorded_wall_clock"] == "2017-10-06T00:07:00"
    assert status["is_frozen"]
    newest = records(portal, where="consommation is not null", order_by="date_heure desc", limit=1)[0]
    assert newest["date_heure"] == "2017-10-05T21:45:00+00:00"


def test_a_foreign_host_name_is_refused(portal: ReplayServer) -> None:
    answer = requests.get(f"{portal.base_url}/replay/status", headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 400


def test_yearly_files_come_in_a_zip_plain_or_xz(portal: ReplayServer) -> None:
    original = lzma.decompress((BUNDLED_SAMPLE / f"{DEFINITIVE_2016}.xls.xz").read_bytes())
    fetched = {
        suffix: requests.get(f"{portal.files_url}/{DEFINITIVE_2016}.{suffix}", timeout=20)
        for suffix in ("zip", "xls", "xls.xz")
    }
    archive = zipfile.ZipFile(io.BytesIO(fetched["zip"].content))
    assert archive.namelist() == [f"{DEFINITIVE_2016}.xls"]
    assert archive.read(f"{DEFINITIVE_2016}.xls") == original
    assert fetched["xls"].content == original
    assert lzma.decompress(fetched["xls.xz"].content) == original
    assert requests.get(f"{portal.files_url}/absent.zip", timeout=5).status_code == 404
    assert f"{DEFINITIVE_2016}.zip" in requests.get(f"{portal.files_url}/", timeout=5).json()["files"]


def test_a_yearly_file_holds_no_month_that_is_not_public_yet(portal: ReplayServer) -> None:
    text = requests.get(f"{portal.files_url}/eCO2mix_RTE_Annuel-Definitif_2017.xls", timeout=20).content
    days = [line.split(b"\t")[2] for line in text.split(b"\n")[1:] if b"\t" in line]
    assert (min(days), max(days), len(days)) == (b"2017-01-01", b"2017-08-31", 243 * 96)


def test_a_shifted_yearly_file_moves_with_the_rest() -> None:
    with ReplayServer(shift=364, clock="2018-10-04T12:00") as portal:
        text = requests.get(f"{portal.files_url}/{DEFINITIVE_2016}.xls", timeout=20).content
        first = records(portal, "eco2mix-national-cons-def", order_by="date_heure", limit=1)[0]
    row = text.split(b"\n")[1].decode("latin-1").split("\t")
    assert (row[2], row[3]) == ("2016-12-30", "00:00") == (first["date"], first["heure"])
    assert int(row[4]) == first["consommation"]


def test_the_command_serves_the_sample_brought_to_now() -> None:
    command = [sys.executable, "-m", "powersense.local.replay", "--port", "0", "--shift", "auto", "--clock", "frozen"]
    faults = {"REPLAY_FAULTS": '[{"fault": "server_error", "endpoint": "exports"}]'}
    process = subprocess.Popen(
        command, env={**os.environ, **faults}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[1]
        status = requests.get(f"{base_url}/replay/status", timeout=10).json()
        assert status["shift_days"] % 7 == 0
        assert "2017-10-01" <= status["recorded_wall_clock"] < "2017-10-08"
        assert status["clock"] < status["runs_out_at"]
        assert [fault["fault"] for fault in status["faults"]] == ["server_error"]
        root = f"{base_url}/api/explore/v2.1/catalog/datasets/{NATIONAL}"
        where = {"where": "consommation is not null", "order_by": "date_heure desc", "limit": 1}
        newest = requests.get(f"{root}/records", params=where, timeout=10).json()["results"][0]
        age = datetime.fromisoformat(status["clock"]) - datetime.fromisoformat(newest["date_heure"])
        assert 900 <= age.total_seconds() < 1800
        assert requests.get(f"{root}/exports/json", timeout=10).status_code == 500
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_wrong_option_ends_the_command_with_its_reason() -> None:
    command = [sys.executable, "-m", "powersense.local.replay", "--port", "0"]
    for option, reason in (
        ("--shift=3", "multiple of 7"),
        ("--data=/nowhere", "no such folder"),
        ("--fault={", "not JSON"),
    ):
        ended = subprocess.run([*command, option], capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 2
        assert reason in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named(portal: ReplayServer) -> None:
    with pytest.raises(PortInUseError, match=f"port {portal.port} .* REPLAY_PORT"):
        bound_socket(portal.port)


def test_an_unreadable_capture_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError, match="JSON"):
        ReplayServer(tmp_path)
