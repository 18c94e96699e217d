"""Weather over real HTTP: files, observations and forecasts as their publishers answer, with faults on demand."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from powersense.local.replay import ReplayServer

CLOCK = "2017-10-05T12:20:00+02:00"
OBSERVATIONS = "public/DPPaquetObs/v1/paquet/horaire"
SYNOP, HOURLY = "synop/synop.201710.csv.gz", "hourly/H_44_latest-2016-2017.csv.gz"
ROUEN = {"id-departement": "76", "format": "json"}
PARIS = {"latitude": "48.72", "longitude": "2.38", "hourly": "temperature_2m"}


@pytest.fixture(scope="module")
def running() -> Iterator[ReplayServer]:
    with ReplayServer(clock=CLOCK) as server:
        yield server


@pytest.fixture
def upstream(running: ReplayServer) -> Iterator[ReplayServer]:
    yield running
    running.clear()
    running.set_clock(CLOCK)
    running.requests.clear()


def file(upstream: ReplayServer, path: str, timeout: float = 20) -> requests.Response:
    return requests.get(f"{upstream.meteo_france_url}/{path}", timeout=timeout)


def observed(upstream: ReplayServer, key: str | None = "a-key", timeout: float = 20, **asked: str) -> requests.Response:
    headers = {} if key is None else {"apikey": key}
    url = f"{upstream.meteo_france_url}/{OBSERVATIONS}"
    return requests.get(url, params=ROUEN | asked, headers=headers, timeout=timeout)


def forecast(upstream: ReplayServer, timeout: float = 20, **asked: Any) -> requests.Response:
    return requests.get(f"{upstream.open_meteo_url}/v1/forecast", params=PARIS | asked, timeout=timeout)


def test_a_month_of_synop_is_a_gzip_of_the_original_shape(upstream: ReplayServer) -> None:
    answer = file(upstream, SYNOP)
    assert answer.status_code == 200
    lines = gzip.decompress(answer.content).decode().split("\n")
    assert lines[0].startswith("numer_sta;date;pmer;tend;")
    assert lines[0].endswith(";hnuage4;")
    assert {line.count(";") for line in lines[:-1]} == {lines[0].count(";")}
    assert (lines[-1], lines[1].split(";")[7]) == ("", "286.950000")
    assert "synop.201710.csv.gz" in file(upstream, "synop/").json()["files"]
    assert file(upstream, SYNOP).content == answer.content


def test_a_department_of_hourly_climatology_has_204_columns(upstream: ReplayServer) -> None:
    lines = gzip.decompress(file(upstream, HOURLY).content).decode().splitlines()
    assert {len(line.split(";")) for line in lines} == {204}
    assert lines[1].startswith("44020001;NANTES-BOUGUENAIS;47.150000;-1.608833;26;2016010100;")
    assert HOURLY.removeprefix("hourly/") in file(upstream, "hourly/").json()["files"]


@pytest.mark.parametrize(
    "path",
    [
        "synop/synop.201711.csv.gz",
        "synop/other.csv",
        "hourly/H_99_latest-2016-2017.csv.gz",
        "hourly/H_44_latest-2017.csv",
    ],
)
def test_a_file_that_does_not_exist_is_404(upstream: ReplayServer, path: str) -> None:
    assert file(upstream, path).status_code == 404


def test_observations_have_the_documented_fields_newest_first(upstream: ReplayServer) -> None:
    records = observed(upstream).json()
    assert len(records) == 8
    assert list(records[0])[:7] == [
        *("lat", "lon", "geo_id_insee", "reference_time", "insert_time", "validity_time"),
        "t",
    ]
    assert len(records[0]) == 32
    assert (records[0]["geo_id_insee"], records[0]["validity_time"]) == ("76116001", "2017-10-05T09:00:00Z")
    assert (records[0]["t"], records[0]["ff"]) == (286.45, None)
    assert observed(upstream, **{"id-departement": "92"}).json() == []


def test_observations_want_a_key_and_a_department(upstream: ReplayServer) -> None:
    refused = observed(upstream, key=None)
    assert (refused.status_code, refused.json()["code"]) == (401, "900902")
    assert set(refused.json()) == {"code", "message", "description"}
    assert observed(upstream, key="").status_code == 401
    assert observed(upstream, **{"id-departement": "99"}).status_code == 400
    assert observed(upstream, format="xml").status_code == 400


def test_a_forecast_of_one_point_is_an_object_and_of_several_a_list(upstream: ReplayServer) -> None:
    one = forecast(upstream, forecast_days=8).json()
    assert one["hourly_units"] == {"time": "iso8601", "temperature_2m": "°C"}
    assert (one["utc_offset_seconds"], one["timezone"]) == (0, "GMT")
    assert (one["hourly"]["time"][0], len(one["hourly"]["time"])) == ("2017-10-05T00:00", 192)
    assert None not in one["hourly"]["temperature_2m"]
    several = forecast(upstream, latitude="48.72,43.62", longitude="2.38,1.37", forecast_days=8).json()
    assert [answer.get("location_id") for answer in several] == [None, 1]
    assert several[0]["hourly"] == one["hourly"]
    assert several[1]["hourly"] != one["hourly"]


def test_a_variable_that_was_not_recorded_is_null_and_an_unknown_one_refused(upstream: ReplayServer) -> None:
    answer = forecast(upstream, hourly="wind_speed_10m,cloud_cover", wind_speed_unit="ms").json()
    assert answer["hourly_units"] == {"time": "iso8601", "wind_speed_10m": "m/s", "cloud_cover": "%"}
    assert set(answer["hourly"]["wind_speed_10m"] + answer["hourly"]["cloud_cover"]) == {None}
    refused = forecast(upstream, hourly="temperature_2m,luck")
    assert (refused.status_code, refused.json()["error"]) == (400, True)
    assert "luck" in refused.json()["reason"]


def test_the_hours_can_be_asked_for_by_day_zone_and_unit(upstream: ReplayServer) -> None:
    plain = forecast(upstream, start_date="2017-10-06", end_date="2017-10-06").json()
    paris = forecast(upstream, start_date="2017-10-06", end_date="2017-10-06", timezone="Europe/Paris").json()
    seconds = forecast(upstream, start_date="2017-10-06", end_date="2017-10-06", timeformat="unixtime").json()
    assert (plain["hourly"]["time"][0], paris["hourly"]["time"][0]) == ("2017-10-06T00:00", "2017-10-06T00:00")
    assert paris["utc_offset_seconds"] == 7200
    assert paris["hourly"]["temperature_2m"][2:] == plain["hourly"]["temperature_2m"][:-2]
    assert seconds["hourly"]["time"][0] == datetime.fromisoformat("2017-10-06T00:00+00:00").timestamp()
    fahrenheit = forecast(upstream, temperature_unit="fahrenheit").json()["hourly"]["temperature_2m"]
    celsius = forecast(upstream).json()["hourly"]["temperature_2m"]
    assert fahrenheit == pytest.approx([value * 1.8 + 32 for value in celsius], abs=0.15)


def test_what_was_issued_before_can_be_asked_for_again(upstream: ReplayServer) -> None:
    at_six = "2017-10-05T08:00:00+02:00"
    upstream.set_clock(at_six)
    issued = forecast(upstream).json()["hourly"]
    upstream.set_clock("2017-10-09T12:00:00+02:00")
    again = forecast(upstream, run="2017-10-05T06:00").json()["hourly"]
    run_onwards = again["time"].index("2017-10-05T06:00")
    assert again["temperature_2m"][run_onwards:] == issued["temperature_2m"][run_onwards:]
    assert set(again["temperature_2m"][:run_onwards]) == {None}
    days = {"start_date": "2017-10-06", "end_date": "2017-10-06"}
    previous = forecast(upstream, hourly="temperature_2m,temperature_2m_previous_day1", **days).json()["hourly"]
    assert previous["temperature_2m_previous_day1"][6:12] == [
        value
        for time, value in zip(issued["time"], issued["temperature_2m"], strict=True)
        if "2017-10-06T06" <= time < "2017-10-06T12"
    ]
    assert previous["temperature_2m"] != previous["temperature_2m_previous_day1"]


def test_all_of_it_moves_with_the_clock_and_the_shift() -> None:
    with ReplayServer(shift=2968, clock="2025-11-20T09:10:00Z") as moved:
        newest = observed(moved).json()[0]
        assert (newest["validity_time"], newest["t"]) == ("2025-11-20T09:00:00Z", 286.45)
        assert forecast(moved).json()["hourly"]["time"][0] == "2025-11-20T00:00"
        assert "synop.202511.csv.gz" in file(moved, "synop/").json()["files"]
        assert moved.status()["weather"] == {"synop": ["synop_t_2015-11_2017-10.csv.xz"], "hourly": []}


PATHS: dict[str, Callable[..., requests.Response]] = {
    "synop": lambda server, **options: file(server, SYNOP, **options),
    "hourly": lambda server, **options: file(server, HOURLY, **options),
    "observations": observed,
    "forecast": forecast,
}


@pytest.mark.parametrize("endpoint", PATHS)
def test_each_path_can_be_over_quota_broken_slow_and_cut_short(upstream: ReplayServer, endpoint: str) -> None:
    ask = PATHS[endpoint]
    good = ask(upstream).content
    upstream.inject("rate_limit", endpoint=endpoint, times=1, retry_after=3)
    limited = ask(upstream)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")
    assert ("nextAccessTime" in limited.json()) == (endpoint != "forecast")

    upstream.inject("server_error", endpoint=endpoint, times=1, status=503)
    assert ask(upstream).status_code == 503

    upstream.inject("timeout", endpoint=endpoint, times=1)
    with pytest.raises(requests.ReadTimeout):
        ask(upstream, timeout=0.3)
    upstream.clear()

    upstream.inject("truncated", endpoint=endpoint, times=1, mode="cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(upstream)

    upstream.inject("truncated", endpoint=endpoint, times=1, mode="clean")
    assert good.startswith(ask(upstream).content)

    upstream.inject("malformed_json", endpoint=endpoint, times=1)
    with pytest.raises((ValueError, EOFError, zlib.error)):
        read(ask(upstream))

    upstream.inject("html", endpoint=endpoint, times=1)
    assert "maintenance" in ask(upstream).text
    assert read(ask(upstream))
    assert {request.endpoint for request in upstream.requests} == {endpoint}
    kinds = [kind for request in upstream.requests for kind in request.faults]
    # The hanging request is logged when the server sees that its client has gone.
    others = [kind for kind in kinds if kind != "timeout"]
    assert others == ["rate_limit", "server_error", "truncated", "truncated", "malformed_json", "html"]


def read(answer: requests.Response) -> Any:
    return answer.json() if "json" in answer.headers["content-type"] else gzip.decompress(answer.content).decode()


def test_a_fault_strikes_one_department_only(upstream: ReplayServer) -> None:
    upstream.inject("server_error", dataset="76", endpoint="observations")
    upstream.inject("server_error", dataset="H_35_*", endpoint="hourly")
    assert (observed(upstream).status_code, observed(upstream, **{"id-departement": "44"}).status_code) == (500, 200)
    assert file(upstream, HOURLY).status_code == 200
    assert file(upstream, HOURLY.replace("H_44", "H_35")).status_code == 500


def test_a_late_correction_and_damaged_records_reach_the_reader(upstream: ReplayServer) -> None:
    newest = {"since": "2017-10-05T09:00Z", "area": "76116001"}
    upstream.inject("revised", endpoint="observations", column="t", add=-1.5, **newest)
    assert [record["t"] for record in observed(upstream).json()[:2]] == [284.95, 284.85]
    upstream.clear()

    upstream.inject("missing_key", endpoint="observations", key="area")
    upstream.inject("wrong_type", endpoint="observations", column="t", value="warm", rows=2)
    first, second, *_ = observed(upstream).json()
    assert "geo_id_insee" not in first
    assert (first["t"], second["t"]) == ("warm", "warm")
    upstream.clear()

    upstream.inject("future_rows", endpoint="observations", column="t", value=290.0, rows=1)
    ahead = observed(upstream).json()[-1]
    assert (ahead["validity_time"], ahead["t"], "date" in ahead) == ("2017-10-07T09:00:00Z", 290.0, False)


def test_files_can_be_revised_row_by_row(upstream: ReplayServer) -> None:
    upstream.inject("revised", endpoint="synop", column="t", add=2, area="07222", since="2017-10-05T06:00Z")
    lines = [line.split(";") for line in gzip.decompress(file(upstream, SYNOP).content).decode().splitlines()]
    upstream.clear()
    plain = [line.split(";") for line in gzip.decompress(file(upstream, SYNOP).content).decode().splitlines()]
    moved = {
        (row[0], row[1]): float(row[7]) - float(other[7])
        for row, other in zip(lines[1:], plain[1:], strict=True)
        if row[7] != "mq" and float(row[7]) != float(other[7])
    }
    assert moved == {("07222", "20171005060000"): 2.0, ("07222", "20171005090000"): 2.0}

    upstream.inject("schema_drift", endpoint="hourly", mode="new_column", column="NEUF", value=7)
    header = gzip.decompress(file(upstream, HOURLY).content).decode().splitlines()[0]
    assert header.endswith(";ECOULEMENT;QECOULEMENT;NEUF")
