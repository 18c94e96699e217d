"""`python -m powersense.backtest` as `make backtest` runs it: on files without any server, and on the real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import pytest

from powersense.backtest.__main__ import main
from powersense.stations import stations
from powersense.warehouse.client import connect
from powersense.warehouse.landing import land
from powersense.warehouse.ledger import WEATHER
from powersense.warehouse.measurements import store_batch
from tests.conftest import ROOT
from tests.national_files import national_load, regional_temperature, write_files

DAYS = ["--from", "2017-06-05", "--to", "2017-06-18"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    load, temperature = write_files(tmp_path_factory.mktemp("files"))
    return ["--load", str(load), "--temperature", str(temperature)]


def command(*arguments, folder, **environment):
    """Run the command as a process that no connection leads to a warehouse from."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    return subprocess.run(
        [sys.executable, "-m", "powersense.backtest", *arguments, "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=known | environment,
        check=False,
    )


def scorecard(folder):
    (path,) = folder.glob("*/scorecard.json")
    return json.loads(path.read_text())


def value(card, reference, lead_day, metric, slice="all"):
    wanted = (reference, lead_day, slice, metric)
    keys = ("reference", "lead_day", "slice", "metric")
    return next(cell["value"] for cell in card["cells"] if tuple(cell[key] for key in keys) == wanted)


def test_files_give_a_scorecard_without_any_server(files, tmp_path):
    done = command(*DAYS, *files, "--leads", "1,2,7", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("Backtest France", "observed weather", "D+7", "RTE J-1 corrected", "The worst days at D+1"):
        assert words in done.stdout
    assert "bridge day" not in done.stdout
    assert "public holiday: Lundi de Pentecôte" in done.stdout
    card = scorecard(tmp_path)
    assert card["run"]["model"] == "gam"
    assert {cell["lead_day"] for cell in card["cells"]} == {0, 1, 2, 7}
    ours = [value(card, "gam", lead, "mape_pct") for lead in (1, 2, 7)]
    assert max(ours) < value(card, "last_week", 1, "mape_pct")
    assert value(card, "rte_j1", 1, "half_hours") == value(card, "gam", 1, "half_hours") == 14 * 48
    (picture,) = tmp_path.glob("*/picture.html")
    assert picture.read_text().count("<svg") == 2


def test_without_a_temperature_the_model_that_needs_none_is_walked(files, tmp_path):
    done = command(*DAYS, *files[:2], "--leads", "1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    card = scorecard(tmp_path)
    assert (card["run"]["model"], card["run"]["weather"]) == ("gam_without_weather", "none")


def test_the_issue_hour_is_an_option(files, tmp_path):
    done = command(*DAYS, *files, "--model", "analogue", folder=tmp_path, BACKTEST_ISSUE_HOUR="6")
    assert done.returncode == 0, done.stderr
    assert value(scorecard(tmp_path), "analogue", 7, "half_hours") == 14 * 12


def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(files, tmp_path):
    """SIGKILL of the parent leaves no process and no broken week behind."""
    arguments = ["--from", "2017-03-01", "--to", "2017-04-30", *files]
    begun = subprocess.Popen(
        [sys.executable, "-m", "powersense.backtest", *arguments, "--folder", str(tmp_path / "killed")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    weeks = _await_weeks(tmp_path / "killed", begun)
    begun.send_signal(signal.SIGKILL)
    begun.wait(timeout=30)
    kept = {path: path.stat().st_mtime_ns for path in weeks}
    assert 0 < len(kept) < 10
    done = command(*arguments, folder=tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "kept weeks are read, not written again"
    assert command(*arguments, folder=tmp_path / "whole").returncode == 0
    assert scorecard(tmp_path / "killed")["cells"] == scorecard(tmp_path / "whole")["cells"]
    _await_end_of_session(begun.pid)


def _await_weeks(folder, process):
    for _ in range(1200):
        weeks = list(folder.glob("*/weeks/*.parquet"))
        if weeks or process.poll() is not None:
            return weeks
        time.sleep(0.05)
    raise AssertionError("no week was kept within a minute")


def _await_end_of_session(session):
    import psutil

    for _ in range(200):
        left = [process for process in psutil.process_iter() if _session_of(process.pid) == session]
        if not left:
            return
        time.sleep(0.05)
    raise AssertionError(f"workers outlived their parent: {left}")


def _session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*DAYS, "--load", "/nowhere/load.parquet"], "LOAD=/nowhere/load.parquet: there is no such file"),
        (["--from", "2017-06-05"], "TO=(empty) is no day; give one such as TO=2018-01-01"),
        ([*DAYS, "--temperature", "t.parquet"], "TEMPERATURE=t.parquet needs a LOAD=<parquet> beside it"),
    ],
)
def test_what_is_wrong_is_one_line_on_standard_error(arguments, message, tmp_path):
    done = command(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip() == message


def test_a_file_without_its_column_names_file_column_and_remedy(files, tmp_path):
    path = tmp_path / "renamed.parquet"
    national_load().rename(columns={"consommation": "load"}).to_parquet(path)
    done = command(*DAYS, "--load", str(path), folder=tmp_path / "runs")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"LOAD={path}: column 'consommation' is missing (found: utc, load, prevision_j1); write utc"
    )


def test_make_hands_its_variables_on():
    call = ["FROM=2018-01-01", "TO=2018-12-31", "AREAS=Provence-Alpes-Côte d'Azur", "LOAD=my load.parquet", "LEADS=1,2"]
    shown = subprocess.run(
        ["make", "-n", "backtest", *call], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout
    assert "-m powersense.backtest --from '2018-01-01' --to '2018-12-31'" in shown
    assert "--areas 'Provence-Alpes-Côte d'\\''Azur' --leads '1,2' --load 'my load.parquet'" in shown
    assert "powersense.local.shell" not in shown, "files need no stack"


def store_national_load():
    frame = national_load().melt("utc", var_name="metric").dropna()
    with connect("writer") as client:
        client.insert_df(
            "measurements",
            frame.rename(columns={"utc": "observed_at"}).assign(
                area="France",
                vintage="definitive",
                publisher="rte",
                version=1,
                source="test",
                retrieved_at=pd.Timestamp("2018-01-01", tz="UTC"),
                run_id="test",
                inserted_at=pd.Timestamp("2018-01-01", tz="UTC"),
            ),
        )


def store_regional_temperature():
    """Store each region's daily mean as the report of one of its stations, at every third hour of its day."""
    places = {}
    for station in stations().values():
        if station.area and station.altitude_m < 800:
            places.setdefault(station.area, station.station)
    daily = regional_temperature()
    hours = pd.concat([daily.assign(date=daily["date"] + pd.Timedelta(hours=hour)) for hour in range(0, 24, 3)])
    rows = pd.DataFrame(
        {
            "metric": "temperature_c",
            "station": hours["region"].map(places),
            "observed_at": hours["date"].dt.tz_localize("UTC"),
            "vintage": "realtime",
            "publisher": "meteo_france",
            "value": hours["tmoy"],
            "source": "test",
            "retrieved_at": datetime(2018, 1, 1, tzinfo=UTC),
            "run_id": "test",
        }
    )
    with connect("writer") as client:
        land(client, rows, batch_id="weather", ledger=WEATHER)
        store_batch(client, "weather", ledger=WEATHER)


def stored_figures():
    with connect("reader") as client:
        return client.query(
            "SELECT model, reference, lead_day, slice, metric, value, weather, vintage, first_day, run_key "
            "FROM backtests FINAL WHERE area = 'France'"
        ).result_rows


def test_the_warehouse_gives_the_figures_of_the_files_and_keeps_them(warehouse, files, tmp_path, capsys):
    store_national_load()
    arguments = [*DAYS, "--model", "analogue", "--weather", "none"]
    assert main([*arguments, "--folder", str(tmp_path / "warehouse")]) == 0
    assert "figures stored in the table backtests" in capsys.readouterr().out
    assert main([*arguments, *files[:2], "--folder", str(tmp_path / "files")]) == 0
    cells = scorecard(tmp_path / "files")["cells"]
    rows = stored_figures()
    assert {row[1:5]: row[5] for row in rows} == {
        (cell["reference"], cell["lead_day"], cell["slice"], cell["metric"]): cell["value"] for cell in cells
    }
    assert {(row[0], row[6], row[7], str(row[8])) for row in rows} == {("analogue", "none", "definitive", "2017-06-05")}
    assert main([*arguments, "--folder", str(tmp_path / "warehouse")]) == 0
    assert sorted(stored_figures()) == sorted(rows), "the same run again replaces its rows"


def test_the_warehouse_lends_its_observed_weather(warehouse, tmp_path, capsys):
    store_national_load()
    arguments = [*DAYS, "--leads", "1", "--folder", str(tmp_path)]
    assert main(arguments) == 1
    assert "the warehouse holds no temperature of France" in capsys.readouterr().err
    store_regional_temperature()
    assert main(arguments) == 0
    rows = {row[1:5]: row[5:7] for row in stored_figures()}
    ours, weather = rows["gam", 1, "all", "mape_pct"]
    assert weather == "observed"
    assert ours < rows["last_week", 1, "all", "mape_pct"][0]


def test_an_area_without_load_is_named(warehouse, tmp_path, capsys):
    assert main([*DAYS, "--areas", "Bretagne", "--folder", str(tmp_path)]) == 1
    assert "the warehouse holds no load of Bretagne between 2012-01-01 and 2017-06-18" in capsys.readouterr().err
