"""Recorded weather becomes what Météo-France would have published at the clock, and forecasts with an honest error."""

from __future__ import annotations

import gzip
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from powersense.errors import ConfigurationError
from powersense.local.replay.server import BUNDLED_SAMPLE, open_state
from powersense.local.replay.weather import hourly, observations, synop
from powersense.local.replay.weather.columns import HOURLY_COLUMNS, KELVIN, QUANTITIES, SYNOP_COLUMNS
from powersense.local.replay.weather.forecasts import forecast, nearest_station
from powersense.local.replay.weather.open_meteo_question import RefusedQuery, read_question
from powersense.local.replay.weather.publication import WeatherPublication
from powersense.local.replay.weather.recording import WeatherRecording
from powersense.local.replay.weather.simulated import HOUR_S, errors, run_of
from powersense.local.replay.weather.stations import DEPARTMENTS
from powersense.stations import departments

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "meteofrance"
NANTES, ROUEN = "44020001", "76116001"
DAY_S = 86_400


def at(clock: str, *, shift: int = 0, data: Path = BUNDLED_SAMPLE) -> WeatherPublication:
    return open_state(data, shift=shift, clock=clock).weather


def rows_of(table: list[list[str]] | None) -> list[dict[str, str]]:
    assert table is not None
    header, *rows = table
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """A folder with a load recording, three days of an original SYNOP month and four rows of an hourly file."""
    shutil.copy(BUNDLED_SAMPLE / "eCO2mix_RTE_Bretagne_En-cours-TR.xls.xz", tmp_path)
    for path in GOLDEN.glob("*.csv*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_declared_headers_are_those_of_original_files() -> None:
    with gzip.open(GOLDEN / "synop.201802_26-28.csv.gz", "rt") as file:
        assert tuple(file.readline().rstrip("\n").split(";")) == SYNOP_COLUMNS
    header = (GOLDEN / "H_44_extract_4rows.csv").read_text().splitlines()[0]
    assert tuple(header.split(";")) == HOURLY_COLUMNS
    assert len(HOURLY_COLUMNS) == 204


def test_every_department_of_the_catalogue_has_files() -> None:
    assert set(departments()) <= DEPARTMENTS


def test_a_report_is_public_when_the_clock_reaches_it() -> None:
    before, after = (
        rows_of(synop.month_rows(at(f"2017-10-05T{time}Z"), "synop.201710.csv.gz")) for time in ("08:59:59", "09:00:00")
    )
    assert max(row["date"] for row in before) == "20171005060000"
    assert max(row["date"] for row in after) == "20171005090000"


def test_the_month_of_the_clock_is_the_last_one() -> None:
    weather = at("2017-10-05T09:00Z")
    names = synop.file_names(weather)
    assert (names[0], names[-1], len(names)) == ("synop.201511.csv.gz", "synop.201710.csv.gz", 24)
    assert synop.month_rows(weather, "synop.201711.csv.gz") is None
    assert synop.month_rows(weather, "synop.201510.csv.gz") is None
    assert synop.month_rows(weather, "synop.201713.csv.gz") is None


def test_columns_that_were_not_recorded_are_missing_as_in_the_originals() -> None:
    row = rows_of(synop.month_rows(at("2017-10-05T09:00Z"), "synop.201710.csv.gz"))[0]
    assert (row["numer_sta"], row["date"], row["t"], row["ff"], row["n"], row[""]) == (
        "07005",
        "20171001000000",
        "286.950000",
        "mq",
        "mq",
        "",
    )


def test_original_synop_rows_come_back_as_they_were(originals: Path) -> None:
    with gzip.open(GOLDEN / "synop.201802_26-28.csv.gz", "rt") as file:
        recorded = [line.split(";") for line in file.read().splitlines()]
    assert synop.month_rows(at("2018-03-01T00:00Z", data=originals), "synop.201802.csv.gz") == recorded


@pytest.mark.parametrize("shift", [7, 2968, 3297])
def test_a_shift_moves_whole_days_and_nothing_else(shift: int) -> None:
    clock = datetime(2017, 9, 20, 13, 30, tzinfo=UTC)
    moved = at((clock + timedelta(days=shift)).isoformat(), shift=shift)
    months = synop.file_names(moved)[-2:]
    served = [row for month in months for row in rows_of(synop.month_rows(moved, month))]
    by_key = {(row["numer_sta"], row["date"]): row["t"] for row in served}
    plain = rows_of(synop.month_rows(at(clock.isoformat()), "synop.201709.csv.gz"))
    for row in plain:
        date = datetime.strptime(row["date"], synop.DATE_FORM).replace(tzinfo=UTC) + timedelta(days=shift)
        assert by_key[row["numer_sta"], date.strftime(synop.DATE_FORM)] == row["t"]
    assert max(row["date"] for row in served) == f"{clock + timedelta(days=shift):%Y%m%d}120000"


def test_hourly_files_are_named_after_the_clock_and_hold_their_years() -> None:
    weather = at("2017-10-05T10:00Z")
    assert hourly.department_rows(weather, "H_44_latest-2017-2018.csv.gz") is None
    latest = rows_of(hourly.department_rows(weather, "H_44_latest-2016-2017.csv.gz"))
    previous = rows_of(hourly.department_rows(weather, "H_44_previous-2010-2015.csv.gz"))
    assert {row["NUM_POSTE"] for row in latest} == {NANTES}
    assert [row["AAAAMMJJHH"] for row in (latest[0], latest[-1])] == ["2016010100", "2017100421"]
    assert [row["AAAAMMJJHH"] for row in (previous[0], previous[-1])] == ["2015110100", "2015123121"]


def test_hourly_values_are_celsius_with_the_quality_of_their_age() -> None:
    weather = at("2017-10-05T10:00Z")
    climatology = {
        row["AAAAMMJJHH"]: row for row in rows_of(hourly.department_rows(weather, "H_44_latest-2016-2017.csv.gz"))
    }
    reports = rows_of(synop.month_rows(weather, "synop.201710.csv.gz"))
    for report in (row for row in reports if row["numer_sta"] == "07222" and row["date"] < "20171005"):
        row = climatology[report["date"][:10]]
        assert float(row["T"]) == pytest.approx(float(report["t"]) - KELVIN, abs=0.051)
        assert (row["QT"], row["FF"], row["QFF"]) == ("9", "", "")
    assert climatology["2017090500"]["QT"] == "1"
    assert climatology["2017090512"]["QT"] == "9"


def test_an_unknown_department_has_no_file_and_one_without_a_station_an_empty_file() -> None:
    weather = at("2017-10-05T10:00Z")
    assert hourly.department_rows(weather, "H_99_latest-2016-2017.csv.gz") is None
    assert rows_of(hourly.department_rows(weather, "H_92_latest-2016-2017.csv.gz")) == []
    corsica = rows_of(hourly.department_rows(weather, "H_20_latest-2016-2017.csv.gz"))
    assert {row["NUM_POSTE"] for row in corsica} == {"20004002", "20148001"}


def test_recorded_hourly_rows_keep_their_values_and_quality(originals: Path) -> None:
    weather = at("2024-02-01T00:00Z", data=originals)
    served = hourly.department_rows(weather, "H_44_latest-2023-2024.csv.gz")
    assert served is not None
    recorded = [line.split(";") for line in (GOLDEN / "H_44_extract_4rows.csv").read_text().splitlines()]
    assert [row for row in served if row[0] in ("NUM_POSTE", "44015001")] == recorded
    moved = at("2024-02-08T00:00Z", shift=7, data=originals)
    shifted = rows_of(hourly.department_rows(moved, "H_44_latest-2023-2024.csv.gz"))
    assert [row["AAAAMMJJHH"] for row in shifted] == ["2024010800", "2024010801", "2024010802", "2024010803"]


def test_originals_give_wind_cloud_and_pressure_in_each_publications_units(originals: Path) -> None:
    weather = at("2018-03-01T03:00Z", data=originals)
    report = next(
        row
        for row in reversed(rows_of(synop.month_rows(weather, "synop.201802.csv.gz")))
        if row["numer_sta"] == "07222" and "mq" not in (row["n"], row["ff"], row["pmer"]) and row["date"] < "20180301"
    )
    climatology = rows_of(hourly.department_rows(weather, "H_44_latest-2017-2018.csv.gz"))
    row = next(row for row in climatology if row["AAAAMMJJHH"] == report["date"][:10])
    assert float(row["FF"]) == float(report["ff"])
    assert float(row["N"]) == round(float(report["n"]) / 12.5)
    assert float(row["PMER"]) == pytest.approx(float(report["pmer"]) / 100)
    observed = {
        record["validity_time"][:13].replace("-", "").replace("T", ""): record
        for record in observations.department_observations(weather, "44")
    }[report["date"][:10]]
    assert (observed["ff"], observed["pmer"]) == (float(report["ff"]), float(report["pmer"]))
    assert (observed["n"], observed["t"]) == (float(row["N"]), float(report["t"]))


def test_observations_reach_24_hours_back_and_come_ten_minutes_late() -> None:
    early = observations.department_observations(at("2017-10-05T09:09Z"), "76")
    assert [record["validity_time"] for record in early] == [
        f"2017-10-{day:02d}T{hour:02d}:00:00Z"
        for day, hour in [(5, 6), (5, 3), (5, 0), (4, 21), (4, 18), (4, 15), (4, 12)]
    ]
    late = observations.department_observations(at("2017-10-05T09:10Z"), "76")
    assert late[0]["validity_time"] == "2017-10-05T09:00:00Z"
    assert late[0]["geo_id_insee"] == ROUEN
    assert late[0]["reference_time"] == "2017-10-05T09:10:00Z"
    assert late[0]["ff"] is None
    assert late[0]["pres"] is None


def test_a_date_that_cannot_be_read_names_the_file(originals: Path) -> None:
    (originals / "broken.csv").write_text("numer_sta;date;t\n07005;2018-02-01;270\n")
    recording = WeatherRecording(originals)
    with pytest.raises(ConfigurationError, match=r"broken\.csv .*2018-02-01"):
        _ = recording.synop


def test_a_folder_without_weather_publishes_none(tmp_path: Path) -> None:
    shutil.copy(BUNDLED_SAMPLE / "eCO2mix_RTE_Bretagne_En-cours-TR.xls.xz", tmp_path)
    weather = at("2017-10-05T09:00Z", data=tmp_path)
    assert synop.file_names(weather) == []
    assert rows_of(hourly.department_rows(weather, "H_44_latest-2016-2017.csv.gz")) == []
    assert observations.department_observations(weather, "44") == []
    assert nearest_station(weather, "t", 48.0, 2.0) is None


def test_quantities_survive_the_way_to_hourly_units_and_back() -> None:
    for quantity in QUANTITIES:
        value = 100.0 if quantity.name == "n" else 280.0
        assert quantity.from_hourly(quantity.to_hourly(value)) == pytest.approx(value)
    cloud = next(quantity for quantity in QUANTITIES if quantity.name == "n")
    assert np.isnan(cloud.from_hourly(9))


# --- forecasts, simulated from observations ---


def error_sample(lead_days: float, *, places: int = 40, runs: int = 60) -> np.ndarray:
    run_s = np.arange(runs, dtype=np.int64) * 3 * DAY_S + 1_500_000_000 // DAY_S * DAY_S
    target_s = run_s + int(lead_days * DAY_S)
    return np.stack([errors("t", place=str(place), run_s=run_s, target_s=target_s) for place in range(places)])


@pytest.mark.parametrize(("lead_days", "deviation_c"), [(1, 1.0), (4, 2.0), (7, 3.0)])
def test_the_error_of_temperature_grows_from_1_to_3_degrees(lead_days: int, deviation_c: float) -> None:
    sample = error_sample(lead_days)
    assert np.sqrt((sample**2).mean()) == pytest.approx(deviation_c, rel=0.15)
    assert abs(sample.mean()) < 0.25 * deviation_c


def test_places_share_half_of_the_errors_variance_and_successive_runs_most_of_it() -> None:
    sample = error_sample(3, places=60, runs=300)
    shared = np.corrcoef(sample)[np.triu_indices(60, 1)].mean()
    assert shared == pytest.approx(0.5, abs=0.12)
    run_s = np.arange(400, dtype=np.int64) * 3 * DAY_S + 1_500_000_000 // DAY_S * DAY_S
    target_s = run_s + 3 * DAY_S
    one, next_one = (errors("t", place="x", run_s=run_s + step, target_s=target_s) for step in (0, 6 * HOUR_S))
    assert np.corrcoef(one, next_one)[0, 1] == pytest.approx(0.64, abs=0.12)


def test_the_error_is_the_same_whenever_and_wherever_it_is_asked_for() -> None:
    run_s, target_s = np.array([1_507_183_200]), np.array([1_507_183_200 + 5 * DAY_S])
    again = errors("t", place=NANTES, run_s=run_s, target_s=target_s)
    whole = errors("t", place=NANTES, run_s=np.repeat(run_s, 2), target_s=np.repeat(target_s, 2))
    assert again[0] == whole[1]
    assert again[0] == pytest.approx(GOLDEN_ERROR_C)


# The bits of the hash are part of the recording: a change here changes every replayed forecast.
GOLDEN_ERROR_C = 1.0239071609046644


def test_a_forecast_is_the_later_observation_plus_its_error_and_knows_no_ninth_day() -> None:
    weather = at("2017-10-05T10:20Z")
    station = weather.recording.stations[NANTES]
    run_s = int(run_of(np.array([weather.now_s]))[0])
    target_s = run_s + np.arange(-1, 10 * 24, dtype=np.int64) * HOUR_S
    runs = np.full(len(target_s), run_s)
    values = forecast(weather, station, "t", run_s=runs, target_s=target_s)
    series = weather.recording.series[NANTES]
    observed = dict(zip(series.instant_s.tolist(), series.values["t"].tolist(), strict=True))
    noise = errors("t", place=NANTES, run_s=runs, target_s=target_s)
    compared = [
        (value - error, observed[second])
        for second, value, error in zip(target_s.tolist(), values, noise, strict=True)
        if second in observed and not np.isnan(value)
    ]
    assert len(compared) > 60
    assert np.allclose(*np.array(compared).T)
    assert np.isnan(values[0])
    assert np.isnan(values[target_s > run_s + 8 * DAY_S]).all()
    assert not np.isnan(values[(target_s >= run_s) & (target_s <= run_s + 8 * DAY_S)]).any()
    assert np.isnan(forecast(weather, station, "ff", run_s=runs, target_s=target_s)).all()


def test_wind_is_never_negative_and_cloud_stays_within_the_sky(originals: Path) -> None:
    weather = at("2018-02-26T06:00Z", data=originals)
    series = weather.recording.series
    station = max(weather.recording.measuring["n"], key=lambda one: np.isfinite(series[one.station].values["n"]).sum())
    target_s = weather.now_s + np.arange(0, 40, dtype=np.int64) * HOUR_S
    runs = np.full(len(target_s), weather.now_s)
    wind, cloud = (forecast(weather, station, name, run_s=runs, target_s=target_s) for name in ("ff", "n"))
    assert np.nanmin(wind) >= 0
    assert np.nanmin(cloud) >= 0
    assert np.nanmax(cloud) <= 100


POINT = {"latitude": "47.2", "longitude": "-1.6"}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"longitude": "2"}, "latitude"),
        ({"latitude": "47,48", "longitude": "2"}, "same number of elements"),
        ({"latitude": "300", "longitude": "2"}, "range of -90 to 90"),
        ({"latitude": "north", "longitude": "2"}, "north"),
        ({**POINT, "hourly": "temperature_2m,sunshine"}, "invalid String value sunshine"),
        ({**POINT, "forecast_days": "17"}, "forecast_days"),
        ({**POINT, "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({**POINT, "wind_speed_unit": "bft"}, "bft"),
        ({**POINT, "start_date": "2017-10-05", "end_date": "tomorrow"}, "tomorrow"),
        ({**POINT, "start_date": "2017-10-05", "end_date": "2017-10-01"}, "the end after the start"),
        ({**POINT, "run": "2017-10-05T05:00"}, "every six hours"),
        ({**POINT, "run": "2017-10-05T12:00"}, "from 00:00 UTC to now"),
    ],
)
def test_a_wrong_question_is_refused_by_name(parameters: dict[str, str], reason: str) -> None:
    with pytest.raises(RefusedQuery, match=reason):
        read_question(parameters, now=datetime(2017, 10, 5, 10, 20, tzinfo=UTC))
