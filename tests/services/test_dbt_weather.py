"""The weather models on the real engine: bundled reports in, and the marts against a plain reading of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from powersense.contracts import AREAS
from powersense.stations import by_omm, populations, stations
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.ledger import WEATHER
from powersense.warehouse.measurements import store_batch
from tests.services.test_dbt_project import SAMPLE, built, dbt, parts_of, read, table

AS_OF = "2017-10-02T12:00:00+00:00"
MODELS = ("--select", "+mart_weather_coverage", "stg_powersense__weather_forecasts", "--indirect-selection", "cautious")
COVERAGE = "SELECT area, toString(day) AS day, expected_hours, known_hours, state FROM mart_weather_coverage"


def store(frame: pd.DataFrame, batch_id: str) -> None:
    with connect("writer") as client:
        land(client, frame, batch_id=batch_id, ledger=WEATHER)
        store_batch(client, batch_id, ledger=WEATHER)


def bundled(first: str, last: str) -> pd.DataFrame:
    """Return the three-hourly temperatures of the bundled stations between two YYYYMMDDHH, in the landing's shape."""
    recorded = pd.read_csv(SAMPLE / "synop_t_2015-11_2017-10.csv.xz", sep=";", dtype=str)
    chosen = recorded[recorded["date"].between(first, f"{last}0000") & (recorded["t"] != "mq")]
    instants = pd.to_datetime(chosen["date"], format="%Y%m%d%H%M%S", utc=True)
    frame = pd.DataFrame(
        {
            "metric": "temperature_c",
            "station": chosen["numer_sta"].map(by_omm()),
            "observed_at": instants,
            "vintage": "realtime",
            "publisher": "meteo_france",
            "value": (chosen["t"].astype(float) - 273.15).round(2),
            "source": "synop",
            "retrieved_at": datetime(2017, 10, 2, 12, tzinfo=UTC),
            "run_id": "test",
        }
    )
    return frame.drop_duplicates(["station", "observed_at"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def reports() -> pd.DataFrame:
    return bundled("2017082800", "2017100209")


def regional_means(reports: pd.DataFrame) -> pd.DataFrame:
    """Return hour by region: the mean of stations up to 800 m, each filled in between reports three hours apart."""
    wide = reports.pivot(index="observed_at", columns="station", values="value").resample("1h").mean()
    known = [name for name in wide if stations()[name].area and stations()[name].altitude_m <= 800]
    lines = wide[known].interpolate(limit=2, limit_area="inside")
    gap = wide[known].isna().astype(int).apply(lambda column: column.groupby((column == 0).cumsum()).transform("sum"))
    filled = lines.where(wide[known].notna() | (gap <= 2))
    return filled.T.groupby(lambda name: stations()[name].area).mean().T


@pytest.mark.slow
def test_a_build_on_real_reports_says_what_python_says(warehouse, reports, tmp_path):
    store(reports, "synop")
    statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
    assert set(statuses.values()) <= {"success", "pass"}
    assert sum(node.startswith("unit_test.") for node in statuses) == 3

    found = read(warehouse, "SELECT * FROM mart_weather_hourly ORDER BY area, observed_at")
    expected = regional_means(reports)
    temperatures = found.pivot(index="observed_at", columns="area", values="temperature_c").astype(float)
    pd.testing.assert_frame_equal(
        temperatures[expected.columns].reindex(expected.index),
        expected,
        check_names=False,
        check_freq=False,
        check_index_type=False,
        check_column_type=False,
    )
    people = pd.Series(populations())
    whole = expected.dropna()[people.index]
    assert len(whole) > 300
    mean = (whole * people).sum(axis=1) / people.sum()
    pd.testing.assert_series_equal(
        temperatures["France"].reindex(whole.index), mean, check_names=False, check_freq=False, check_index_type=False
    )
    assert found["wind_speed_ms"].isna().all()
    days = found["observed_at"].dt.tz_convert("Europe/Paris").dt.date.astype(str)
    assert (found["day"].astype(str).str[:10] == days).all()

    coverage = read(warehouse, COVERAGE)
    assert set(coverage["area"]) == {area.name for area in AREAS}
    bretagne = coverage[coverage["area"] == "Bretagne"].set_index("day")
    # 28 August began at 02:00 in Paris; on 2 October, at 12:00 UTC, the hours before 08:00 UTC are due.
    assert list(bretagne.loc["2017-08-28"]) == ["Bretagne", 22, 22, "complete"]
    assert list(bretagne.loc["2017-09-15"]) == ["Bretagne", 24, 24, "complete"]
    assert list(bretagne.loc["2017-10-02"]) == ["Bretagne", 10, 10, "complete"]
    assert "2017-10-03" not in bretagne.index


def test_an_installation_without_weather_says_so_and_fails_no_test(warehouse, tmp_path):
    for _ in ("first", "again"):
        statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
        assert set(statuses.values()) <= {"success", "pass"}
    coverage = read(warehouse, COVERAGE)
    assert sorted(coverage["area"]) == sorted(area.name for area in AREAS)
    assert set(coverage["state"]) == {"not_set_up"}
    assert set(coverage["day"]) == {"2017-10-02"}
    assert coverage[["expected_hours", "known_hours"]].to_numpy().sum() == 0


def test_weather_that_stopped_is_warned_of_and_missing_days_are_counted(warehouse, reports, tmp_path):
    store(reports[reports["observed_at"] < "2017-09-19T12:00:00Z"], "old")
    statuses = built(tmp_path, "build", *MODELS, as_of=AS_OF)
    warned = sorted(node.split(".")[2] for node, status in statuses.items() if status == "warn")
    assert [name.split("_mart_weather_")[0] for name in warned] == ["holds", "is_recent"]
    coverage = read(warehouse, f"{COVERAGE} WHERE area = 'Bretagne'").set_index("day")
    assert coverage.loc["2017-09-25", "state"] == "missing"
    assert coverage.loc["2017-09-19", "state"] == "partial"


@pytest.mark.slow
def test_an_incremental_run_leaves_what_a_full_one_would(warehouse, tmp_path):
    """A late day of a past month, a month's first report (which moves the last hour of the one before), revisions."""
    reports = bundled("2016102000", "2016120312")
    # November ends at 23:00 UTC: its hour of 22:00 lies on the line between the reports of 21:00 and of midnight.
    december = reports["observed_at"] >= "2016-11-30T23:00:00Z"
    late = reports["observed_at"].between("2016-10-22", "2016-10-24", inclusive="left")
    store(reports[~december & ~late], "first")
    models = ("run", "--select", "+mart_weather_hourly")
    built(tmp_path, *models, as_of="2016-12-01T00:00:00+00:00")
    make_known(warehouse)

    store(reports[december], "new")
    built(tmp_path, *models, as_of="2016-12-03T12:00:00+00:00")
    make_known(warehouse)
    store(reports[late], "late")
    revised = reports[reports["observed_at"].between("2016-10-25", "2016-10-25T12:00:00Z")]
    store(revised.assign(value=revised["value"] + 5, retrieved_at=pd.Timestamp("2017-11-02", tz="UTC")), "revised")
    built(tmp_path, *models, as_of="2016-12-03T12:00:00+00:00")
    incremental = read(warehouse, hourly())

    built(tmp_path, *models, "--full-refresh", as_of="2016-12-03T12:00:00+00:00")
    pd.testing.assert_frame_equal(incremental, read(warehouse, hourly()))
    assert len(incremental) > 4_000


def make_known(warehouse) -> None:
    """Let the next run take what is stored as read: by itself it reads the last five minutes again."""
    with connect("writer", database=warehouse.marts_database) as client:
        client.command(
            "ALTER TABLE mart_weather_hourly UPDATE newest_inserted_at = toIntervalMinute(5) + "
            f"(SELECT max(inserted_at) FROM {warehouse.database}.weather_observations) WHERE 1 "
            "SETTINGS mutations_sync = 2"
        )


def hourly() -> str:
    return table("mart_weather_hourly", "area, observed_at").replace("*", "* EXCEPT (newest_inserted_at)")


def test_months_without_new_reports_are_left_alone(warehouse, reports, tmp_path):
    store(reports, "history")
    built(tmp_path, "run", "--select", "+mart_weather_hourly", as_of=AS_OF)
    first = parts_of(warehouse, "mart_weather_hourly")
    assert set(first) == {"201708", "201709", "201710"}
    make_known(warehouse)
    first = parts_of(warehouse, "mart_weather_hourly")
    built(tmp_path, "run", "--select", "mart_weather_hourly", as_of=AS_OF)
    assert parts_of(warehouse, "mart_weather_hourly") == first

    newest = reports[reports["observed_at"] >= "2017-10-02"]
    revised = newest.assign(value=newest["value"] + 1, retrieved_at=pd.Timestamp("2017-11-02", tz="UTC"))
    store(revised, "revised")
    built(tmp_path, "run", "--select", "mart_weather_hourly", as_of=AS_OF)
    second = parts_of(warehouse, "mart_weather_hourly")
    assert second["201708"] == first["201708"]
    assert second["201710"] != first["201710"]


def test_the_contract_refuses_a_column_of_another_type(warehouse, tmp_path):
    with connect("writer") as client:
        client.command(
            "CREATE OR REPLACE VIEW weather_by_area_as_known AS SELECT 'Bretagne' AS area, now() AS observed_at, "
            "'warm' AS temperature_c, 3.0 AS wind_speed_ms, 50.0 AS cloud_cover_pct, 1 AS stations, "
            "{as_of:DateTime64(6, 'UTC')} AS as_of"
        )
    done = dbt(tmp_path, "build", *MODELS, as_of=AS_OF)
    assert done.returncode != 0
    assert "enforced contract that failed" in done.stdout
    assert "temperature_c" in done.stdout
