"""Every real file of RTE, of the portal and of Météo-France through the autoloader, against the API path.

By default on what the project ships; on any folder of such files by REAL_DATA_FOLDER=/folder (docs/autoloader.md).
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from powersense.autoloader.steps import run_once
from powersense.ingest import fetch, load_history, store
from powersense.ingest.jobs import job
from powersense.settings import get_settings
from powersense.weather import fetch_files, fetch_observations
from tests.conftest import ROOT
from tests.services.real_data import ingestions
from tests.services.weather_server import API_KEY, API_PATH, Reply, WeatherServer
from tests.warehouses import query

# A folder of somebody's may take its time.
pytestmark = pytest.mark.timeout(3600 if os.environ.get("REAL_DATA_FOLDER") else 300)

SAMPLE, GOLDEN = ROOT / "include/powersense/local/sample", ROOT / "tests/golden"
REPORT = ROOT / "build/real-data.json"
# Of the sample, what holds both clock changes, France and all regions without taking a minute.
SHIPPED = ("*TR*.xls.xz", "*Bretagne_En-cours-Consolide.xls.xz")
# An analyst's spreadsheet among the samples: no publisher writes such a file.
NO_PUBLISHED_FORMAT = {"HOR_13_latest-2022-2023.xlsx"}
NATIONAL_TR = "eCO2mix_RTE_En-cours-TR_2017-09_2017-10.xls.xz"
BRETAGNE_TR = "eCO2mix_RTE_Bretagne_En-cours-TR.xls.xz"
BRETAGNE_YEAR = "eCO2mix_RTE_Bretagne_En-cours-Consolide.xls.xz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files: REAL_DATA_FOLDER as it is, or copies of those that the project ships."""
    if os.environ.get("REAL_DATA_FOLDER"):
        return Path(os.environ["REAL_DATA_FOLDER"]).resolve()
    copies = tmp_path_factory.mktemp("real")
    for pattern in SHIPPED:
        for path in SAMPLE.glob(pattern):
            shutil.copy2(path, copies)
    for name in ("odre", "meteofrance"):
        shutil.copytree(GOLDEN / name, copies / name)
    return copies


@pytest.fixture(scope="module")
def runs(folder, module_warehouse):
    """All files loaded, and the outcome of each ingestion's run."""
    return {ingestion.name: run_once(ingestion) for ingestion in ingestions(folder)}


@pytest.fixture
def upstream(monkeypatch):
    """A server that answers with the captured answers."""
    with WeatherServer() as server:
        key = {"conn_type": "http", "host": server.url, "password": API_KEY}
        monkeypatch.setenv("AIRFLOW_CONN_METEO_FRANCE_DEFAULT", json.dumps(key))
        monkeypatch.setenv("METEO_HOURLY_URL", server.url)
        monkeypatch.setenv("SYNOP_URL", server.url)
        monkeypatch.setenv("METEO_REQUESTS_PER_MINUTE", "0")
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


def file_states():
    rows = query("SELECT ingestion, path, toString(state), rows, error FROM file_states FINAL ORDER BY ALL")
    return {path.rsplit("/", 1)[-1]: (ingestion, state, rows, error) for ingestion, path, state, rows, error in rows}


def changed(stored):
    return stored["rows_new"], stored["rows_revised"]


def test_every_file_is_loaded_and_what_has_no_published_format_is_set_aside_by_name(folder, runs):
    states = file_states()
    kept = {name for name, (_, state, _, _) in states.items() if state == "loaded"}
    assert {name: state for name, state in states.items() if name not in kept | NO_PUBLISHED_FORMAT} == {}
    assert all(
        state == "quarantined" and "Excel workbook" in error
        for name, (_, state, _, error) in states.items()
        if name in NO_PUBLISHED_FORMAT
    )
    published = {
        path.name for pattern in ("eCO2mix_RTE_*.xls*", "synop*.?z", "mf_DP*Obs*") for path in folder.rglob(pattern)
    }
    assert published <= kept, "no file is overlooked"
    _report(runs, states)


def _report(runs, states):
    """Write down what the run came to, for docs/autoloader.md."""
    REPORT.parent.mkdir(exist_ok=True)
    tables = {}
    for table in ("measurements", "weather_observations"):
        found = query(
            "SELECT toString(vintage), count() FROM {table:Identifier} FINAL GROUP BY 1 ORDER BY 1", table=table
        )
        tables[table] = dict(found)
    document = {
        "files": len(states),
        "states": Counter(state for _, state, _, _ in states.values()),
        "runs": {name: {"state": str(run.state), "rows": run.rows_loaded} for name, run in runs.items()},
        "versions": tables,
        "set_aside": dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY 1")),
        "seconds": round(sum(run.seconds or 0 for run in runs.values()), 1),
    }
    REPORT.write_text(json.dumps(document, indent=2, ensure_ascii=False))


def test_reading_the_same_files_by_their_addresses_brings_nothing_new(folder, runs):
    for name in (NATIONAL_TR, BRETAGNE_TR, BRETAGNE_YEAR):
        (path,) = folder.rglob(name)
        asked = job(
            "history", "national_consolidated", datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
        )
        stored = load_history({**asked, "job_id": name, "urls": [path.as_uri()]}, run_id="api", dag_id="d")
        assert changed(stored) == (0, 0), name
        assert stored["rows_unchanged"] == stored["rows_seen"] == file_states()[name][2] > 0


def test_the_portal_serves_the_values_that_its_files_brought(runs, monkeypatch):
    from powersense.local.replay import ReplayServer

    end = datetime(2017, 10, 5, 10, tzinfo=UTC)
    with ReplayServer(clock=end.isoformat()) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ODRE_DEFAULT", json.dumps({"conn_type": "http", "host": server.base_url}))
        for source in ("national_realtime", "regional_realtime"):
            # Two days are asked for beyond the range; what the portal's clock has not reached yet, it serves blank.
            asked = job("live", source, end - timedelta(hours=72), end - timedelta(hours=66))
            stored = store([fetch(asked, run_id="api", dag_id="d")])
            assert changed(stored) == (0, 0), source
            assert stored["rows_unchanged"] > 500


def test_clock_changes_are_those_of_the_portal(runs):
    found = query(
        "SELECT toString(toDate(observed_at, 'Europe/Paris')) AS day, uniqExact(observed_at) FROM measurements "
        "WHERE metric = 'consommation' AND area = 'Bretagne' AND vintage = 'consolidated' "
        "AND day IN ('2017-03-25', '2017-03-26', '2017-10-29') GROUP BY day ORDER BY day"
    )
    assert found == [("2017-03-25", 48), ("2017-03-26", 46), ("2017-10-29", 48)], "autumn's second block alone is there"


def test_weather_asked_for_brings_nothing_that_its_files_have_not(runs, upstream):
    captured = GOLDEN / "meteofrance"
    upstream.handlers["/synop.201802.csv.gz"] = lambda _: Reply((captured / "synop.201802_26-28.csv.gz").read_bytes())
    hourly = (captured / "H_44_extract_4rows.csv").read_text()
    upstream.file("/H_44_previous-2020-2024.csv.gz", hourly)
    report = gzip.decompress((captured / "mf_DPPaquetObs_horaire_dep76_20241017.json.gz").read_bytes())
    upstream.handlers[API_PATH] = lambda _: Reply(report)
    months = {"synop": datetime(2018, 2, 26, tzinfo=UTC), "hourly": datetime(2024, 1, 1, tzinfo=UTC)}
    for source, start in months.items():
        asked = job("weather", source, start, start + timedelta(days=3))
        stored = fetch_files({**asked, "departments": ["44"], "may_miss": "nothing"}, run_id="api", dag_id="d")
        assert changed(stored) == (0, 0), source
        assert stored["rows_seen"] > 0
    asked = job("weather", "observations", datetime(2024, 10, 16, tzinfo=UTC), datetime(2024, 10, 18, tzinfo=UTC))
    stored = fetch_observations({**asked, "departments": ["76"], "may_miss": "nothing"}, run_id="api", dag_id="d")
    assert (changed(stored), stored["rows_seen"] > 1000) == ((0, 0), True)


def test_a_second_run_finds_nothing_to_do(folder, runs):
    again = [run_once(ingestion) for ingestion in ingestions(folder)]
    assert {(str(run.state), run.files_loaded, run.files_new + run.files_changed) for run in again} == {
        ("success", 0, 0)
    }


def test_a_real_file_that_loses_a_day_withdraws_that_day_and_nothing_else(folder, runs, tmp_path):
    (path,) = folder.rglob(BRETAGNE_TR)
    # As another vintage: what a file of another ingestion brought before is not this one's to withdraw.
    text = lzma.decompress(path.read_bytes()).decode("iso-8859-1").replace("temps réel", "définitives")
    lines = text.splitlines(keepends=True)
    target = tmp_path / BRETAGNE_TR

    def load(kept):
        target.write_bytes(lzma.compress("".join(kept).encode("iso-8859-1"), preset=0))
        ingestion = ingestions(tmp_path)[0].model_copy(update={"name": "shrinking"})
        outcome = run_once(ingestion)
        assert (str(outcome.state), outcome.files_loaded) == ("success", 1), outcome.error

    def by_day():
        rows = query(
            "SELECT toString(toDate(observed_at, 'Europe/Paris')) AS day, countIf(isNotNull(newest.1)), "
            "countIf(isNull(newest.1)) FROM (SELECT observed_at, argMax(tuple(value), version) AS newest "
            "FROM measurements WHERE area = 'Bretagne' AND vintage = 'definitive' "
            "AND observed_at >= '2017-08-31 22:00:00' AND observed_at < '2017-10-31 23:00:00' "
            "GROUP BY metric, observed_at) GROUP BY day"
        )
        return {day: (values, withdrawn) for day, values, withdrawn in rows}

    load(lines)
    whole = by_day()
    assert len(whole) > 30
    load([line for line in lines if "\t2017-09-15\t" not in line])
    lost = whole.pop("2017-09-15")
    assert lost[0] > 400
    assert by_day() == whole | {"2017-09-15": (0, lost[0])}
