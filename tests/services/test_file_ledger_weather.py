"""Météo-France's files into `weather_observations`: formats, changes, long files, and times before the calendar."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from powersense.autoloader.ledgers import weather_pieces
from powersense.errors import FileContentError
from tests.services.ledger_files import HOUR, emptied
from tests.services.weather_server import hourly_file, synop_file
from tests.warehouses import query

NANTES, BLAIN = "44020001", "44015001"
AT = datetime(2019, 3, 31, tzinfo=UTC)
WEATHER_SOURCES = {"meteo_hourly": "hourly", "meteo_synop": "synop", "meteo_climatology": "climatology"}
folder = pytest.fixture(emptied)


@pytest.fixture
def weather(folder):
    def load(content, file_format, name="file", **changes):
        folder.write(content, name)
        source = WEATHER_SOURCES.get(file_format, "observations")
        folder.declared |= {"format": file_format, "target": {"kind": "weather_observations", "source": source}}
        return folder.load(name, **changes)

    return load


def temperatures():
    return query(
        "SELECT station, observed_at, toString(vintage), value FROM weather_observations FINAL "
        "WHERE metric = 'temperature_c' ORDER BY ALL"
    )


def test_each_format_of_meteo_france_reaches_its_vintage_in_our_units(weather):
    weather(hourly_file([(NANTES, AT, 10.0, "1"), (BLAIN, AT, 9.0, "9")]), "meteo_hourly")
    weather(gzip.compress(synop_file([("07222", AT, 10.5)]).encode()), "meteo_synop", "synop.gz")
    climatology = f"POSTE;DATE;T;U;N\r\n{NANTES};{AT:%Y%m%d%H};10,1;81;8\r\n{BLAIN};{AT:%Y%m%d%H};;80;\r\n"
    weather(climatology, "meteo_climatology", "order.csv")
    report = {"geo_id_insee": BLAIN, "validity_time": f"{AT:%Y-%m-%dT%H:%M:%SZ}", "t": 282.25}
    weather(json.dumps([report]), "meteo_observations", "a.json")
    assert temperatures() == [
        (BLAIN, AT, "consolidated", 9.0),
        (BLAIN, AT, "realtime", 9.1),
        (NANTES, AT, "consolidated", 10.1),
        (NANTES, AT, "definitive", 10.0),
        (NANTES, AT, "realtime", 10.5),
    ]
    covered = "SELECT value FROM weather_observations WHERE metric = 'cloud_cover_pct' AND vintage = 'consolidated'"
    assert query(covered) == [(100.0,)]


def test_a_changed_weather_file_withdraws_the_reports_it_lost(weather):
    hours = [(NANTES, AT + number * HOUR, float(number), "1") for number in range(4)]
    weather(hourly_file(hours), "meteo_hourly")
    changed = [hours[0], (NANTES, AT + HOUR, 1.5, "1"), (NANTES, AT + 2 * HOUR, 99.0, "1")]
    loaded = weather(hourly_file(changed) + "\n", "meteo_hourly")
    assert loaded.first_bad_line.startswith("out_of_range")
    latest = (
        "SELECT observed_at, argMax(value, version) FROM weather_observations WHERE metric = 'temperature_c' "
        "GROUP BY observed_at ORDER BY observed_at"
    )
    values = query(latest.replace("argMax(value, version)", "argMax(tuple(value), version).1"))
    assert values == [(AT, 0.0), (AT + HOUR, 1.5), (AT + 2 * HOUR, 2.0), (AT + 3 * HOUR, None)]


def test_a_long_file_is_read_in_pieces_and_lands_only_once_all_of_it_is_sound(weather, monkeypatch):
    """SYNOP months repeat whole instants; a cut between two copies would let a contradiction pass."""
    monkeypatch.setattr(weather_pieces, "RECORDS_PER_PIECE", 10)
    monkeypatch.setattr("powersense.sources.meteo.tables._BLOCK_BYTES", 128)
    numbers, steps = ("07222", "07110", "07005"), [AT + 3 * step * HOUR for step in range(8)]
    spoiled = [(number, at, 10.0) for at in steps for number in numbers] + [("07222", steps[0] - HOUR, 99.0)]
    with pytest.raises(FileContentError, match="bad_records is 'fail': out_of_range"):
        weather(synop_file(spoiled), "meteo_synop", "synop", bad_records="fail")
    with pytest.raises(FileContentError, match="cut or damaged"):
        weather(gzip.compress(synop_file(spoiled).encode())[:-9], "meteo_synop", "synop.gz")
    assert query("SELECT count() FROM weather_landings") == [(0,)]
    twice = [(number, at, celsius) for at in steps for celsius in (10.0, 11.0) for number in numbers]
    assert weather(synop_file(twice), "meteo_synop", "synop").rows_quarantined == len(twice) / 2
    assert query("SELECT uniqExact(batch_id) > 2 FROM weather_landings") == [(True,)]
    assert [celsius for *_, celsius in temperatures()] == [11.0] * (len(twice) // 2)


def test_an_archive_older_than_the_warehouse_s_calendar_is_told_in_one_row(weather):
    old = [(NANTES, datetime(1951, 1, 1, hour, tzinfo=UTC), 1.0, "1") for hour in range(5)]
    with pytest.raises(FileContentError, match="5 records before 1970-01-01"):
        weather(hourly_file(old), "meteo_hourly")
    loaded = weather(hourly_file([*old, (NANTES, AT, 2.0, "1")]), "meteo_hourly")
    assert (loaded.rows_quarantined, [row[3] for row in temperatures()]) == (1, [2.0])
