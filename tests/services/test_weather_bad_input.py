"""Bad weather records are set aside, broken files are named errors that heal, and repeated reports count once."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from powersense.errors import MalformedResponseError, TruncatedExportError
from tests.services.weather_server import HOUR, Reply, hourly_file, observation, synop_file
from tests.services.weather_steps import (
    BLAIN,
    LAST_HOUR,
    LATEST,
    NANTES,
    NOW,
    SYNOP,
    a_range,
    files,
    observe,
    quarantined,
    read,
    serving,
    versions,
)
from tests.warehouses import query

HOURLY_JOB = a_range(NOW - 72 * HOUR, NOW - 24 * HOUR)
GOOD_FILE = hourly_file([(NANTES, LAST_HOUR - 40 * HOUR, 5.0, "1"), (NANTES, LAST_HOUR - 41 * HOUR, 6.0, "1")])
upstream = pytest.fixture(serving)


def test_bad_records_are_set_aside_and_the_others_stored(upstream):
    upstream.observations(
        lambda _: [
            observation(NANTES, LAST_HOUR, 10.0),
            observation(NANTES, LAST_HOUR - HOUR, 99.0),
            observation("44999999", LAST_HOUR),
            observation("44999999", LAST_HOUR - HOUR),
            {**observation(NANTES, LAST_HOUR - 2 * HOUR), "validity_time": "yesterday"},
            observation(NANTES, datetime(2090, 1, 1, tzinfo=UTC)),
            {**observation(NANTES, LAST_HOUR - 3 * HOUR), "geo_id_insee": None},
            observation(NANTES, LAST_HOUR - 4 * HOUR, ff="strong"),
            observation(BLAIN, LAST_HOUR, 1.0),
            observation(BLAIN, LAST_HOUR, 1.0),
            observation(BLAIN, LAST_HOUR - HOUR, 1.0),
            observation(BLAIN, LAST_HOUR - HOUR, 2.0),
            ["no record"],  # type: ignore[list-item]
        ]
    )
    observe("a")
    assert quarantined() == {
        "bad_instant": 1,
        "contradicting_duplicate": 1,
        "future_value": 1,
        "malformed_record": 1,
        "missing_key": 1,
        "not_a_number": 1,
        "out_of_range": 1,
        "unknown_station": 1,
    }
    assert {(station, at) for station, at, *_ in versions()} == {
        (NANTES, LAST_HOUR),
        (NANTES, LAST_HOUR - 4 * HOUR),
        (BLAIN, LAST_HOUR),
        (BLAIN, LAST_HOUR - HOUR),
    }
    area = query("SELECT area, observed_at FROM quarantine FINAL WHERE reason = 'out_of_range'")
    assert area == [("Pays de la Loire", LAST_HOUR - HOUR)]
    observe("b")
    assert sum(quarantined().values()) == 8, "the same bad records are the same rows"


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"<html><body>Maintenance</body></html>", MalformedResponseError, "H_44_latest.*<html>"),
        (gzip.compress(GOOD_FILE.encode())[:-20], TruncatedExportError, "H_44_latest.*cut or damaged"),
        (
            gzip.compress(GOOD_FILE.replace(";T;", ";TEMP;").encode()),
            MalformedResponseError,
            r"H_44_latest-2024-2025\.csv\.gz: column \['T'\] is absent",
        ),
        (
            gzip.compress(GOOD_FILE.replace("AAAAMMJJHH", "DATE").encode()),
            MalformedResponseError,
            r"column \['AAAAMMJJHH'\] is absent",
        ),
        (gzip.compress(b""), MalformedResponseError, "is absent from the header"),
    ],
    ids=["HTML instead of gzip", "truncated gzip", "no temperature column", "no instant column", "empty"],
)
def test_a_broken_file_is_a_named_error_and_heals(upstream, body, error, message):
    job = next(job for job in files(HOURLY_JOB) if job["source_id"] == "hourly")
    upstream.handlers[LATEST] = lambda _: Reply(body)
    with pytest.raises(error, match=message):
        read([job])
    assert versions() == []
    upstream.file(LATEST, GOOD_FILE)
    read([job])
    assert len(versions()) == 2
    assert query("SELECT DISTINCT state FROM ingestion_runs FINAL") == [("success",)]


def test_a_broken_line_of_a_file_is_set_aside(upstream):
    upstream.file(LATEST, GOOD_FILE + "44020001;NANTES;cut\n")
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "hourly"])
    assert len(versions()) == 2
    assert quarantined() == {"malformed_record": 1}


def test_synop_that_holds_an_instant_twice_keeps_it_once_and_a_contradiction_is_set_aside(upstream):
    at = LAST_HOUR - 40 * HOUR
    upstream.file(SYNOP, synop_file([("07222", at, 1.0)] * 2 + [("07240", at, 1.0), ("07240", at, 2.0)]))
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "synop"])
    assert len(versions()) == 2
    assert quarantined() == {"contradicting_duplicate": 1}


def test_synop_of_overseas_is_left_out_and_an_unknown_mainland_number_set_aside(upstream):
    at = LAST_HOUR - 40 * HOUR
    upstream.file(SYNOP, synop_file([("07222", at, 1.0), ("61980", at, 25.0), ("07999", at, 1.0)]))
    read([job for job in files(HOURLY_JOB) if job["source_id"] == "synop"])
    assert [station for station, *_ in versions()] == [NANTES]
    assert query("SELECT reason, detail FROM quarantine FINAL") == [("unknown_station", "numer_sta 07999")]
