"""Wide records become long rows or quarantine, one named case after another."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from powersense.contracts import LANDING_COLUMNS
from powersense.errors import MalformedResponseError
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.set_aside import QUARANTINE_COLUMNS

LIVE, REGIONAL, FILES = get_source("national_realtime"), get_source("regional_realtime"), get_source("rte_files")
NOW = datetime(2022, 7, 1, 12, 0, tzinfo=UTC)


def record(instant="2022-06-01T10:00:00+02:00", **fields):
    local = instant[11:16] if isinstance(instant, str) else None
    day = instant[:10] if isinstance(instant, str) else None
    basis = {"perimetre": "France", "nature": "Données temps réel", "date": day, "heure": local, "date_heure": instant}
    return basis | {"consommation": 50_000} | fields


def run(*records, source=LIVE, now=NOW, **options):
    return normalise(pd.DataFrame(list(records)), source, retrieved_at=now, run_id="r", **options)


def values(outcome):
    """{(metric, UTC instant): value} of what would be stored."""
    rows = outcome.measurements
    return {
        (metric, instant.isoformat()[:16]): None if np.isnan(value) else value
        for metric, instant, value in zip(rows["metric"], rows["observed_at"], rows["value"], strict=True)
    }


def reasons(outcome):
    return sorted(outcome.quarantined["reason"])


def test_frames_have_the_columns_of_the_contract():
    outcome = run(record())
    assert tuple(outcome.measurements.columns) == LANDING_COLUMNS
    assert tuple(outcome.quarantined.columns) == QUARANTINE_COLUMNS
    row = outcome.measurements.iloc[0]
    assert (row["area"], row["vintage"], row["publisher"], row["source"]) == (
        "France",
        "realtime",
        "rte",
        "eco2mix-national-tr",
    )
    assert row["retrieved_at"] == pd.Timestamp(NOW)


def test_an_empty_answer_is_no_rows_and_no_error():
    outcome = normalise(pd.DataFrame(), LIVE, retrieved_at=NOW, run_id="r")
    assert outcome.measurements.empty
    assert outcome.quarantined.empty


def test_the_local_hour_becomes_utc():
    assert values(run(record())) == {("consommation", "2022-06-01T08:00"): 50_000}


@pytest.mark.parametrize("blank", [None, np.nan, pd.NaT, pd.NA, "ND", "-", "", " nd ", "NaN"], ids=repr)
def test_every_spelling_of_absence_is_null(blank):
    outcome = run(record(eolien_offshore=blank), record("2022-06-01T10:15:00+02:00", eolien_offshore="12"))
    assert values(outcome)["eolien_offshore", "2022-06-01T08:00"] is None
    assert values(outcome)["eolien_offshore", "2022-06-01T08:15"] == 12
    assert reasons(outcome) == []


@pytest.mark.parametrize(
    ("published", "value"),
    [("-1420", -1420), ("12,5", 12.5), (" 7 ", 7), (8.97, 8.97), ("1e3", 1000), (0, 0)],
    ids=repr,
)
def test_numbers_may_come_as_text(published, value):
    assert values(run(record(pompage=published)))["pompage", "2022-06-01T08:00"] == value


@pytest.mark.parametrize(
    "published", ["cinquante", True, {"mw": 1}, [1], "Infinity", "1_000", "0x10", "1.2.3", "12,34,5"], ids=repr
)
def test_what_is_no_number_is_set_aside_alone(published):
    outcome = run(record(prevision_j=49_000, consommation=published))
    assert values(outcome) == {("prevision_j", "2022-06-01T08:00"): 49_000}
    assert reasons(outcome) == ["not_a_number"]
    kept = json.loads(outcome.quarantined["record"].iloc[0])
    assert kept["consommation"] == published
    assert kept["date_heure"] == "2022-06-01T10:00:00+02:00"


@pytest.mark.parametrize("published", [-1, 200_001, 9_999_999], ids=repr)
def test_an_impossible_load_is_set_aside(published):
    outcome = run(record(consommation=published, pompage=-900))
    assert values(outcome) == {("pompage", "2022-06-01T08:00"): -900}
    assert reasons(outcome) == ["out_of_range"]
    assert "consommation: range [0, 200000]" in outcome.quarantined["detail"].iloc[0]


def test_a_published_collapse_is_stored_not_hidden():
    fallen = {"libelle_region": "Occitanie", "consommation": 17, "thermique": None}
    assert values(run(record(**fallen), source=REGIONAL))["consommation", "2022-06-01T08:00"] == 17


def test_an_unknown_numeric_column_becomes_a_metric():
    outcome = run(record(nouvelle_filiere="42"))
    assert values(outcome)["nouvelle_filiere", "2022-06-01T08:00"] == 42


def test_an_unknown_text_column_is_reported_once_and_stores_nothing():
    outcome = run(record(commentaire="grève"), record("2022-06-01T10:15:00+02:00", commentaire="fin"))
    assert {metric for metric, _ in values(outcome)} == {"consommation"}
    assert reasons(outcome) == ["unknown_column"]
    assert outcome.quarantined["record"].iloc[0] == "commentaire"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instant": None}, "missing_key"),
        ({"perimetre": None}, "missing_key"),
        ({"nature": ""}, "missing_key"),
        ({"instant": "yesterday"}, "bad_instant"),
        ({"instant": "2022-06-01T10:00:00"}, "bad_instant"),
        ({"instant": "0022-06-01T10:00:00+00:00"}, "bad_instant"),
        ({"instant": 20220601}, "bad_instant"),
        ({"perimetre": "Atlantide"}, "unknown_area"),
        ({"nature": "Données rêvées"}, "unknown_vintage"),
    ],
    ids=lambda case: json.dumps(case, ensure_ascii=False),
)
def test_a_record_without_a_place_is_set_aside_whole(fields, reason):
    outcome = run(record(**fields), record("2022-06-01T10:15:00+02:00"))
    assert values(outcome) == {("consommation", "2022-06-01T08:15"): 50_000}
    assert reasons(outcome) == [reason]
    assert json.loads(outcome.quarantined["record"].iloc[0])["consommation"] == 50_000


def test_a_key_column_that_vanished_is_an_error_not_an_empty_success():
    renamed = pd.DataFrame([record()]).rename(columns={"date_heure": "horodate"})
    with pytest.raises(MalformedResponseError, match=r"'date_heure'.*'horodate'"):
        normalise(renamed, LIVE, retrieved_at=NOW, run_id="r")


def test_an_expected_metric_without_a_column_is_reported():
    assert "eolien" in run(record()).missing_metrics
    assert "consommation" not in run(record()).missing_metrics


def test_spellings_of_areas_are_one_area():
    names = ["Grand-Est", "GRAND EST", "Ile-de-France", "PACA", "Centre-Val-de-Loire"]
    rows = [record(f"2022-06-01T1{hour}:00:00+02:00", libelle_region=name) for hour, name in enumerate(names)]
    outcome = run(*rows, source=REGIONAL)
    assert outcome.measurements["area"].tolist() == [
        "Grand Est",
        "Grand Est",
        "Île-de-France",
        "Provence-Alpes-Côte d'Azur",
        "Centre-Val de Loire",
    ]


def test_a_measured_value_of_the_future_is_set_aside_and_a_forecast_is_not():
    tomorrow = record("2022-07-02T10:00:00+02:00", consommation=50_000, prevision_j1=51_000)
    outcome = run(tomorrow)
    assert values(outcome) == {("prevision_j1", "2022-07-02T08:00"): 51_000}
    assert reasons(outcome) == ["future_value"]


def test_blank_measurements_of_the_future_are_left_out_and_a_withdrawn_forecast_is_not():
    outcome = run(record("2022-07-02T10:00:00+02:00", consommation=None, prevision_j1=51_000, prevision_j=None))
    assert values(outcome) == {
        ("prevision_j1", "2022-07-02T08:00"): 51_000,
        ("prevision_j", "2022-07-02T08:00"): None,
    }
    assert reasons(outcome) == []
    assert outcome.counts.cells_absent == 1


def test_a_first_load_leaves_absent_values_out():
    outcome = run(record(consommation=None, pompage=-1), drop_absent=True)
    assert values(outcome) == {("pompage", "2022-06-01T08:00"): -1}
    assert outcome.counts.cells_absent == 1


# 2022-03-27: the portal moves the ghost rows 02:00-02:45 to 03:00-03:45+02:00, on top of the true ones.
GHOST = record("2022-03-27T03:00:00+02:00", consommation=45_667) | {"heure": "02:00"}
TRUE = record("2022-03-27T03:00:00+02:00", consommation=46_076)


@pytest.mark.parametrize("rows", [(GHOST, TRUE), (TRUE, GHOST)], ids=["ghost first", "ghost last"])
def test_of_springs_doubled_hour_the_row_with_the_true_hour_stays(rows):
    outcome = run(*rows)
    assert values(outcome) == {("consommation", "2022-03-27T01:00"): 46_076}
    assert reasons(outcome) == ["ghost_hour"]


def test_autumns_single_block_is_the_second_hour():
    outcome = run(record("2022-10-30T02:00:00+01:00"), now=datetime(2023, 1, 1, tzinfo=UTC))
    assert values(outcome) == {("consommation", "2022-10-30T01:00"): 50_000}


def wall_clock(day, hour, **fields):
    return {"perimetre": "France", "nature": "Données définitives", "date": day, "heure": hour} | fields


def test_files_without_offsets_lose_springs_ghost_hour_and_read_autumns_block_as_winter_time():
    outcome = run(
        wall_clock("2018-03-25", "01:30", consommation=1),
        wall_clock("2018-03-25", "02:00", consommation=2),
        wall_clock("2018-03-25", "03:00", consommation=3),
        wall_clock("2018-10-28", "01:30", consommation=4),
        wall_clock("28/10/2018", "02:00", consommation=5),
        wall_clock("2018-10-28", "03:00", consommation=6),
        source=FILES,
    )
    assert values(outcome) == {
        ("consommation", "2018-03-25T00:30"): 1,
        ("consommation", "2018-03-25T01:00"): 3,
        ("consommation", "2018-10-27T23:30"): 4,
        ("consommation", "2018-10-28T01:00"): 5,
        ("consommation", "2018-10-28T02:00"): 6,
    }
    assert reasons(outcome) == ["ghost_hour"]


@pytest.mark.parametrize("hour", ["24:00", "2h", None, "25:10"], ids=repr)
def test_an_unreadable_wall_clock_time_is_set_aside(hour):
    outcome = run(wall_clock("2018-03-24", hour, consommation=1), wall_clock("2018-03-24", "01:00"), source=FILES)
    assert reasons(outcome) == ["missing_key" if hour is None else "bad_instant"]


def test_identical_duplicates_collapse():
    outcome = run(record(pompage=1), record(pompage=1), record(pompage=None))
    assert values(outcome)["consommation", "2022-06-01T08:00"] == 50_000
    assert len(outcome.measurements) == 2
    assert reasons(outcome) == []
    assert outcome.counts.cells_collapsed == 4


def test_of_contradicting_duplicates_the_fullest_stays_and_the_other_is_set_aside():
    outcome = run(record(consommation=60_000), record(consommation=50_000, pompage=-5))
    assert values(outcome)["consommation", "2022-06-01T08:00"] == 50_000
    assert reasons(outcome) == ["contradicting_duplicate"]
    assert json.loads(outcome.quarantined["record"].iloc[0])["consommation"] == 60_000


def test_the_same_bad_record_has_the_same_hash_in_every_run():
    hashes = {run(record(perimetre="Atlantide"), record()).quarantined["record_hash"].iloc[0] for _ in range(2)}
    assert len(hashes) == 1


def test_a_long_outage_of_one_source_has_no_effect_on_types():
    """A column that is absent in the whole answer must not turn others into text."""
    outcome = run(record(eolien=None), record("2022-06-01T10:15:00+02:00", eolien=None))
    assert outcome.measurements["value"].dtype == np.float64
    assert values(outcome)["eolien", "2022-06-01T08:00"] is None
