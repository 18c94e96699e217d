"""Weather tables and records in their smallest shapes: which hours are read, and what becomes of each value. Pure."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.contracts import AREAS
from powersense.errors import ConfigurationError, MalformedResponseError, SourceDeclarationError
from powersense.settings import get_settings
from powersense.sources.meteo.files import hourly_periods, months
from powersense.sources.meteo.records import Answer, empty_rows, normalise_weather
from powersense.sources.meteo.source import BUNDLED, load_meteo_catalogue, meteo_source
from powersense.sources.meteo.tables import parse_table
from powersense.stations import by_omm, department, departments, populations, stations
from powersense.warehouse.landing import landing_table
from powersense.warehouse.ledger import WEATHER
from powersense.weather.planning import chosen_departments

HOUR = timedelta(hours=1)
AT = datetime(2024, 1, 1, tzinfo=UTC)
RETRIEVED = datetime(2024, 2, 1, tzinfo=UTC)
BLAIN, NANTES = "44015001", "44020001"


def hourly(*records, start=AT, end=AT + 24 * HOUR):
    """Normalise hourly records, given as dicts that a good one is updated with."""
    good = {"NUM_POSTE": BLAIN, "AAAAMMJJHH": "2024010100", "T": "7.4", "QT": "1"}
    frame = pd.DataFrame([good | record for record in records], dtype="str")
    answer = Answer(frame, RETRIEVED, "H_44_test.csv.gz")
    return normalise_weather(answer, meteo_source("hourly"), start=start, end=end, run_id="r")


def values(outcome, column="value"):
    return outcome.observations[column].tolist()


@pytest.mark.parametrize(
    ("code", "vintage"),
    [("1", "definitive"), ("0", "consolidated"), ("2", "consolidated"), ("9", "consolidated"), (None, "consolidated")],
)
def test_the_quality_code_makes_the_vintage(code, vintage):
    assert values(hourly({"QT": code}), "vintage") == [vintage]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"T": "55"}, "out_of_range"),
        ({"T": "-60.0"}, "out_of_range"),
        ({"T": "warm"}, "not_a_number"),
        ({"AAAAMMJJHH": "2024139900"}, "bad_instant"),
        ({"AAAAMMJJHH": "20240101"}, "bad_instant"),
        ({"AAAAMMJJHH": None}, "missing_key"),
        ({"NUM_POSTE": None}, "missing_key"),
        ({"NUM_POSTE": "44999999"}, "unknown_station"),
        ({"AAAAMMJJHH": "2030010100"}, "future_value"),
    ],
    ids=str,
)
def test_what_breaks_the_contract_is_set_aside_with_its_reason(change, reason):
    outcome = hourly(change, {"NUM_POSTE": NANTES, "T": "5"})
    assert outcome.quarantined["reason"].tolist() == [reason]
    assert values(outcome) == [5.0]


def test_a_decimal_comma_and_words_of_absence_are_understood():
    outcome = hourly({"T": "7,5"}, {"AAAAMMJJHH": "2024010101", "T": ""}, {"AAAAMMJJHH": "2024010102", "T": "ND"})
    assert outcome.observations["value"].tolist()[0] == 7.5
    assert outcome.observations["value"].isna().tolist() == [False, True, True]


def test_eighths_of_sky_become_percent_and_an_invisible_sky_is_covered():
    frame = pd.DataFrame(
        {"NUM_POSTE": BLAIN, "AAAAMMJJHH": ["2024010100", "2024010101", "2024010102"], "T": "1", "N": ["4", "9", "10"]}
    )
    outcome = normalise_weather(
        Answer(frame, RETRIEVED, "x"), meteo_source("hourly"), start=AT, end=AT + 24 * HOUR, run_id="r"
    )
    assert outcome.observations.query("metric == 'cloud_cover_pct'")["value"].tolist() == [50.0, 100.0]
    assert outcome.quarantined["reason"].tolist() == ["out_of_range"]


def test_a_range_ends_before_its_end():
    found = hourly(*({"AAAAMMJJHH": f"20240101{hour:02d}"} for hour in range(6)), start=AT + HOUR, end=AT + 3 * HOUR)
    assert found.observations["observed_at"].dt.hour.tolist() == [1, 2]
    assert found.records_seen == 2


def test_an_answer_without_a_needed_column_is_refused_by_name():
    answer = Answer(pd.DataFrame({"NUM_POSTE": [BLAIN], "T": ["1"]}), RETRIEVED, "H_44_test.csv.gz")
    with pytest.raises(MalformedResponseError, match=r"H_44_test\.csv\.gz: column \['AAAAMMJJHH'\]"):
        normalise_weather(answer, meteo_source("hourly"), start=AT, end=AT + HOUR, run_id="r")


def test_no_rows_land_as_no_rows():
    assert landing_table(empty_rows(), ledger=WEATHER).num_rows == 0


@given(st.permutations(range(4)))
def test_the_order_of_records_does_not_matter(order):
    records = [{"T": "1"}, {"T": "2"}, {"T": "2"}, {"NUM_POSTE": NANTES, "T": "3"}]
    outcome = hourly(*(records[position] for position in order))
    assert sorted(values(outcome)) == [2.0, 3.0]
    assert outcome.quarantined["reason"].tolist() == ["contradicting_duplicate"]


@given(st.lists(st.floats(-45, 50), min_size=1, max_size=20))
def test_kelvin_and_celsius_of_the_same_warmth_are_the_same_value(celsius):
    rounded = [round(value, 1) for value in celsius]
    body = "numer_sta;date;t;\n" + "".join(
        f"07222;{AT + number * HOUR:%Y%m%d%H%M%S};{value + 273.15:.6f};\n" for number, value in enumerate(rounded)
    )
    bounds = {"start": AT, "end": AT + 24 * HOUR}
    source = meteo_source("synop")
    answer = parse_table(gzip.compress(body.encode()), source, name="s", retrieved_at=RETRIEVED, **bounds)
    assert values(normalise_weather(answer, source, run_id="r", **bounds)) == rounded


def test_only_rows_of_the_range_leave_a_file_and_those_that_cannot_be_read():
    instants = ["2023123123", "2024010100", "soon", "2031010100", "2024010101"]
    lines = [f"44015001;{instant};{number}" for number, instant in enumerate(instants, start=1)]
    text = "NUM_POSTE;AAAAMMJJHH;T\n" + "\n".join(lines) + "\n"
    answer = parse_table(
        text.encode(), meteo_source("hourly"), name="x", retrieved_at=RETRIEVED, start=AT, end=AT + HOUR
    )
    assert answer.records["T"].tolist() == ["2", "3", "4"]


def test_files_are_looked_for_under_the_names_of_the_publisher_s_year():
    assert hourly_periods(2024, present_years=[2026, 2025]) == [
        "previous-2020-2024",
        "2020-2029",
        "latest-2024-2025",
    ]
    assert hourly_periods(1955, present_years=[2026]) == ["1950-1959"]
    assert hourly_periods(2020, present_years=[2021]) == ["latest-2020-2021"]


def test_months_of_a_range():
    found = list(months(datetime(2023, 12, 31, 23, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)))
    assert [f"{month:%Y%m}" for month in found] == ["202312", "202401"]


def test_the_catalogue_of_stations_covers_all_regions_and_departments():
    assert {station.area for station in stations().values()} - {""} == set(populations())
    assert set(populations()) == {area.name for area in AREAS} - {"France"}
    assert len(departments()) == 95
    assert all(station.station[:2] == station.department for station in stations().values())
    assert by_omm()["07222"] == NANTES


@pytest.mark.parametrize(
    ("code", "found"), [("9", "09"), (9, "09"), ("2B", "20"), ("20", "20"), (" 75", "75")], ids=str
)
def test_department_codes_are_understood(code, found):
    assert department(code) == found


@pytest.mark.parametrize("code", ["00", "97", "974", "Paris", -1], ids=str)
def test_an_unknown_department_is_named(code):
    with pytest.raises(ConfigurationError, match=f"department {code!r}"):
        department(code)


def test_a_run_s_departments_win_over_the_environment_s(monkeypatch):
    monkeypatch.setenv("DEPT", "44, 2A")
    get_settings.cache_clear()
    assert chosen_departments(["09", 1]) == ["01", "09"]
    assert chosen_departments("09") == ["09"]
    assert chosen_departments(None) == chosen_departments([]) == ["20", "44"]
    monkeypatch.delenv("DEPT")
    get_settings.cache_clear()
    assert len(chosen_departments(None)) == 95
    with pytest.raises(ConfigurationError, match="dept="):
        chosen_departments([{"code": "09"}])


def test_every_declared_metric_has_a_range():
    catalogue = load_meteo_catalogue()
    metrics = {column.metric for source in catalogue.sources for column in source.columns.values()}
    assert metrics == set(catalogue.valid_ranges)


def test_a_broken_declaration_is_named(tmp_path):
    path = tmp_path / "weather.yaml"
    path.write_text(BUNDLED.read_text().replace("vintage: realtime", "vintage: guess"))
    with pytest.raises(SourceDeclarationError, match=r"weather\.yaml.*vintage='guess'"):
        load_meteo_catalogue(path)
