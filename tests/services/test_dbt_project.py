"""The dbt project on the real engine: real rows in, and what the models make of them against a reference in Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from powersense.contracts import AREAS
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.rte_files import parse_rte_file, unpack
from powersense.transform.profile import ClickHouseProfile
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.measurements import store_batch

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "include/powersense/local/sample"
PARIS = ZoneInfo("Europe/Paris")
RANK = {"realtime": 1, "consolidated": 2, "definitive": 3}
# One publication delay (an hour) after 12:00 in Paris: on that day, the slots before noon are due.
AS_OF = "2017-10-30T12:00:00+00:00"
PARSED = "partial_parse.msgpack"
# What was parsed last: new target folders begin with it, and dbt parses only what has changed since.
_PARSED: list[bytes] = []


def rows_of(kind: str, *, retrieved_at: datetime) -> pd.DataFrame:
    """Return Bretagne's rows of a bundled RTE file in the landing's shape, absent values left out."""
    name = f"eCO2mix_RTE_Bretagne_{kind}.xls.xz"
    source = get_source("rte_files")
    [(inner, content)] = unpack((SAMPLE / name).read_bytes(), name=name)
    wide = parse_rte_file(content, name=inner, source=source)
    rows = normalise(wide.records, source, retrieved_at=retrieved_at, run_id="test", drop_absent=True).measurements
    return rows[rows["metric"].isin(["consommation", "eolien"])]


def store(frame: pd.DataFrame, batch_id: str) -> None:
    with connect("writer") as client:
        land(client, frame, batch_id=batch_id)
        store_batch(client, batch_id)


def dbt(target: Path, *arguments: str, as_of: str = AS_OF, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run dbt as an operator does, with the variables that Airflow fills."""
    lend_parsed(target)
    command = [str(Path(sys.executable).with_name("dbt")), *arguments, *folders(target)]
    return subprocess.run(
        command,
        env=os.environ | variables(as_of) | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def lend_parsed(target: Path) -> None:
    """Give a target folder that has nothing parsed yet what was parsed for another one."""
    if _PARSED and not (target / PARSED).exists():
        (target / PARSED).write_bytes(_PARSED[0])


def folders(target: Path) -> list[str]:
    project = str(ROOT / "dbt")
    written = str(target)
    return ["--project-dir", project, "--profiles-dir", project, "--target-path", written, "--log-path", written]


def variables(as_of: str) -> dict[str, str]:
    filled = ClickHouseProfile(conn_id="clickhouse_default").env_vars
    return filled | {"POWERSENSE_AS_OF": as_of, "POWERSENSE_TEST_DAYS": "0"}


def built(target: Path, *arguments: str, as_of: str = AS_OF) -> dict[str, str]:
    """Build in this process, as Airflow's tasks do; expect success, and return the status of each node."""
    from dbt.cli.main import dbtRunner

    lend_parsed(target)
    with patch.dict(os.environ, variables(as_of)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = dbtRunner().invoke([*arguments, *folders(target), "--quiet"])
    said = [(result.node.name, result.message) for result in getattr(done.result, "results", ())]
    assert done.success, done.exception or said
    _PARSED[:] = [(target / PARSED).read_bytes()]
    results = json.loads((target / "run_results.json").read_text())["results"]
    return {result["unique_id"]: result["status"] for result in results}


def read(warehouse, sql: str) -> pd.DataFrame:
    with connect("reader", database=warehouse.marts_database) as client:
        return client.query_df(sql)


def latest_by_rule(stored: pd.DataFrame) -> pd.DataFrame:
    """The rule in words: of the rows with a value, the highest vintage; no versions here, each row came once."""
    present = stored[stored["value"].notna()].assign(rank=lambda rows: rows["vintage"].map(RANK))
    return present.sort_values("rank").groupby(["metric", "area", "observed_at"], as_index=False).last()


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """Real time of September and October 2017, then the consolidated year."""
    realtime = rows_of("En-cours-TR", retrieved_at=datetime(2017, 11, 1, tzinfo=UTC))
    consolidated = rows_of("En-cours-Consolide", retrieved_at=datetime(2018, 6, 1, tzinfo=UTC))
    return pd.concat([realtime, consolidated], ignore_index=True)


@pytest.mark.slow
def test_a_build_on_real_rows_says_what_python_says(warehouse, published, tmp_path):
    for vintage, frame in published.groupby("vintage", observed=True):
        store(frame, f"bretagne-{vintage}")
    statuses = built(tmp_path, "build")
    assert set(statuses.values()) <= {"success", "pass", "warn"}
    assert sum(node.startswith("unit_test.") for node in statuses) >= 7
    assert sum(node.startswith("test.") for node in statuses) >= 30

    check_latest(warehouse, published)
    check_coverage(warehouse, published)
    check_revisions(warehouse, published)
    check_features(warehouse, published)


def check_latest(warehouse, published):
    expected = latest_by_rule(published)
    found = read(warehouse, "SELECT metric, area, observed_at, value, vintage FROM measurements_latest")
    keys = ["metric", "area", "observed_at"]
    both = expected.merge(found, on=keys, how="outer", suffixes=("", "_found"), indicator=True)
    assert set(both["_merge"]) == {"both"}
    assert (both["value"] == both["value_found"]).all()
    assert (both["vintage"] == both["vintage_found"]).all()


def check_coverage(warehouse, published):
    found = read(warehouse, "SELECT * FROM mart_daily_coverage WHERE metric = 'consommation'").set_index("day")
    found.index = pd.to_datetime(found.index).date.astype(str)
    due = datetime.fromisoformat(AS_OF) - timedelta(hours=1)
    load = latest_by_rule(published).query("metric == 'consommation'")
    instants = load["observed_at"].dt.tz_convert(PARIS)
    received = instants[load["observed_at"] < due].dt.date.astype(str).value_counts()

    half_hourly = found.loc["2017-08-31"]
    assert (half_hourly["cadence_minutes"], half_hourly["expected_slots"], half_hourly["received_slots"]) == (
        30,
        48,
        48,
    )
    spring = found.loc["2017-03-26"]
    assert (spring["hours_in_day"], spring["cadence_minutes"], spring["expected_slots"]) == (23, 30, 46)
    assert spring["received_slots"] == received["2017-03-26"] == 46
    autumn = found.loc["2017-10-29"]
    per_hour = 60 // int(autumn["cadence_minutes"])
    assert (autumn["hours_in_day"], autumn["expected_slots"]) == (25, 25 * per_hour)
    assert autumn["missing_slots"] == per_hour  # the hour that RTE never publishes
    today = found.loc["2017-10-30"]
    assert today["is_partial_day"]
    assert today["expected_slots"] == 12 * 60 // int(today["cadence_minutes"])
    assert today["received_slots"] == received["2017-10-30"]
    assert "2017-10-31" not in found.index
    assert (found["received_slots"] <= found["expected_slots"]).all()


def check_revisions(warehouse, published):
    load = published.query("metric == 'consommation'")
    pairs = load[load["vintage"] == "realtime"].merge(
        load[load["vintage"] == "consolidated"], on=["area", "observed_at"], suffixes=("_before", "_after")
    )
    days = pairs["observed_at"].dt.tz_convert(PARIS).dt.date.astype(str)
    moves = (pairs["value_after"] - pairs["value_before"]).groupby(days)
    expected = pd.DataFrame({"count": moves.count(), "mean": moves.mean()})
    found = read(
        warehouse,
        "SELECT toString(day) AS day, revised_values, mean_move, largest_absolute_move FROM mart_measurement_revisions "
        "WHERE metric = 'consommation' AND kind = 'vintage_change' AND age_bucket = 'over_35_days'",
    ).set_index("day")
    assert len(expected) > 30
    assert list(found["revised_values"].reindex(expected.index)) == list(expected["count"])
    pd.testing.assert_series_equal(
        found["mean_move"].reindex(expected.index), expected["mean"], check_names=False, check_dtype=False
    )
    largest = (pairs["value_after"] - pairs["value_before"]).abs().groupby(days).max()
    assert list(found["largest_absolute_move"].reindex(largest.index)) == list(largest)


def check_features(warehouse, published):
    load = latest_by_rule(published).query("metric == 'consommation'").set_index("observed_at")["value"].sort_index()
    found = read(warehouse, "SELECT * FROM mart_load_features ORDER BY observed_at").set_index("observed_at")
    assert len(found) == len(load)
    week_before = pd.Series(load.reindex(load.index - pd.Timedelta(days=7)).to_numpy(), index=load.index)
    pd.testing.assert_series_equal(
        found["load_168h_ago_mw"].astype(float),
        week_before,
        check_names=False,
        check_freq=False,
        check_index_type=False,
    )
    at = (
        pd.Timestamp("2017-10-12T09:15:00Z") if pd.Timestamp("2017-10-12T09:15:00Z") in load.index else load.index[-500]
    )
    past = load[(load.index >= at - pd.Timedelta(hours=24)) & (load.index < at)]
    assert found.loc[at, "load_mean_24h_mw"] == pytest.approx(past.mean())
    assert found.loc[at, "load_stddev_24h_mw"] == pytest.approx(past.std(ddof=0))


INCREMENTAL = {
    "int_series_days_counted": "metric, area, day",
    "mart_ingestion_lag": "day, area, metric, vintage",
    "mart_measurement_revisions": "day, area, metric, previous_vintage, vintage, kind, age_bucket",
    "mart_load_features": "area, observed_at",
}


@pytest.mark.slow
def test_an_incremental_run_leaves_what_a_full_one_would(warehouse, published, tmp_path):
    """Rows that came late, revisions of a past month, and a new month reach every model that is built by months."""
    realtime = published[published["vintage"] == "realtime"]
    october_5 = pd.Timestamp("2017-10-05", tz="UTC")
    gap = (realtime["observed_at"] >= "2017-09-05") & (realtime["observed_at"] < "2017-09-08")
    store(realtime[(realtime["observed_at"] < october_5) & ~gap], "first")
    models = ("run", "--select", *(f"+{model}" for model in INCREMENTAL))
    built(tmp_path, *models, as_of="2017-10-05T02:00:00+00:00")
    before = read(warehouse, "SELECT max(day) AS day FROM int_series_days_counted")["day"].iloc[0]

    store(realtime[(realtime["observed_at"] >= october_5) | gap], "late-and-new")
    revised = realtime[(realtime["observed_at"] >= "2017-09-20") & (realtime["observed_at"] < "2017-09-21")]
    store(revised.assign(value=revised["value"] + 100, retrieved_at=pd.Timestamp("2017-11-02", tz="UTC")), "revised")
    built(tmp_path, *models)
    after = read(warehouse, "SELECT max(day) AS day FROM int_series_days_counted")["day"].iloc[0]
    assert after > before

    incremental = {model: read(warehouse, table(model, key)) for model, key in INCREMENTAL.items()}
    assert incremental["mart_measurement_revisions"]["mean_move"].dropna().eq(100).all()
    built(tmp_path, *models, "--full-refresh")
    for model, key in INCREMENTAL.items():
        pd.testing.assert_frame_equal(incremental[model], read(warehouse, table(model, key)), obj=model)


def table(model: str, key: str) -> str:
    except_as_of = "EXCEPT (as_of)" if model == "int_series_days_counted" else ""
    return f"SELECT * {except_as_of} FROM {model} ORDER BY {key}"


@pytest.mark.slow
def test_months_without_new_rows_are_left_alone(warehouse, published, tmp_path):
    realtime = published[(published["vintage"] == "realtime") & (published["metric"] == "consommation")]
    newest = realtime["observed_at"] >= "2017-10-13T00:00:00Z"
    store(realtime[~newest], "history")
    with connect("writer") as client:  # as if it had been stored an hour before
        client.command("CREATE TABLE aged AS measurements")
        # and September an hour before October: what lies within minutes of the newest row read is read again.
        hours = "if(observed_at < '2017-10-01', 2, 1)"
        aged = f"SELECT * REPLACE (inserted_at - toIntervalHour({hours}) AS inserted_at)"
        client.command(f"INSERT INTO aged {aged} FROM measurements")
        client.command("TRUNCATE TABLE measurements SYNC")
        client.command("INSERT INTO measurements SELECT * FROM aged")
    built(tmp_path, "run", "--select", "+int_series_days_counted")
    first = parts_of(warehouse, "int_series_days_counted")
    assert set(first) == {"201709", "201710"}

    assert newest.any()
    store(realtime[newest], "news")
    built(tmp_path, "run", "--select", "int_series_days_counted")
    second = parts_of(warehouse, "int_series_days_counted")
    assert second["201709"] == first["201709"]
    assert second["201710"] != first["201710"]


def parts_of(warehouse, table: str) -> dict[str, set[str]]:
    """Return the names of a table's parts by partition; a rewritten partition has parts of other names."""
    with connect("writer") as client:
        rows = client.query(
            "SELECT partition, groupUniqArray(name) FROM system.parts "
            "WHERE active AND database = {database:String} AND table = {table:String} GROUP BY partition",
            parameters={"database": warehouse.marts_database, "table": table},
        ).result_rows
    return {str(partition): set(names) for partition, names in rows}


def test_a_cluster_gets_replicated_tables(warehouse, tmp_path):
    done = dbt(tmp_path, "parse", CLICKHOUSE_CLUSTER="grid")
    assert done.returncode == 0, done.stdout[-2000:]
    nodes = json.loads((tmp_path / "manifest.json").read_text())["nodes"].values()
    tables = [node for node in nodes if node["config"].get("materialized") in ("incremental", "seed", "table")]
    assert len(tables) >= 5
    assert {node["config"]["engine"] for node in tables} == {"ReplicatedMergeTree"}


def test_the_seed_of_areas_is_the_list_of_the_package():
    seed = pd.read_csv(ROOT / "dbt/seeds/areas.csv", dtype=str, keep_default_na=False)
    assert list(zip(seed["area"], seed["insee_code"], strict=True)) == [(area.name, area.insee) for area in AREAS]


@pytest.mark.parametrize("model", sorted((ROOT / "dbt/models").rglob("*.sql")), ids=lambda path: path.stem)
def test_each_model_states_its_grain_in_a_file_beside_it(model):
    assert "One row per" in model.with_suffix(".yml").read_text()
    assert len(model.read_text().splitlines()) <= 80
