"""Pushed records: each ends as a point or as a fault with its reason, and contradictions are never guessed at."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powersense.contracts import QuarantineReason
from powersense.sources.catalogue import load_catalogue
from powersense.sources.pushed import landing_rows, read_points, reserved_metrics, set_aside, settle

NOW = datetime(2018, 1, 10, 12, tzinfo=UTC)
RESERVED = reserved_metrics(load_catalogue().values())
GOOD = {"area": "Bretagne", "metric": "own_load", "observed_at": "2018-01-10T00:00:00Z", "value": 5}


def read(*records: Any) -> tuple[list[Any], list[Any]]:
    return read_points(records, now=NOW, reserved=RESERVED)


def test_a_sound_record_is_read_in_utc_under_the_areas_own_name():
    sent = GOOD | {"area": "ILE DE FRANCE", "observed_at": "2018-01-10T01:00:00+01:00", "vintage": "definitive"}
    (point, taken_back), faults = read(sent, GOOD | {"value": None})
    assert faults == []
    assert point.key == ("own_load", "Île-de-France", datetime(2018, 1, 10, tzinfo=UTC), "definitive")
    assert (point.value, taken_back.vintage, math.isnan(taken_back.value)) == (5.0, "realtime", True)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"area": "Mars"}, "area", "unknown_area"),
        ({"area": 7}, "area", "unknown_area"),
        ({"metric": "Own Load"}, "metric", "malformed_record"),
        ({"metric": "own_load\n"}, "metric", "malformed_record"),
        ({"metric": "x" * 101}, "metric", "malformed_record"),
        ({"metric": "consommation"}, "metric", "foreign_series"),
        ({"metric": "prevision_j1"}, "metric", "foreign_series"),
        ({"metric": "consommation_anomaly_zscore"}, "metric", "foreign_series"),
        ({"observed_at": "2018-01-10T00:00:00"}, "observed_at", "bad_instant"),
        ({"observed_at": "2018-01-10T00:00:00.5Z"}, "observed_at", "bad_instant"),
        ({"observed_at": "0001-01-01T00:00:00+14:00"}, "observed_at", "bad_instant"),
        ({"observed_at": 1515542400}, "observed_at", "bad_instant"),
        ({"observed_at": "2018-01-10T12:05:00Z"}, "observed_at", "future_value"),
        ({"vintage": "final"}, "vintage", "unknown_vintage"),
        ({"vintage": ["realtime"]}, "vintage", "unknown_vintage"),
        ({"value": "12"}, "value", "not_a_number"),
        ({"value": True}, "value", "not_a_number"),
        ({"value": math.inf}, "value", "not_a_number"),
        ({"colour": "red"}, "colour", "malformed_record"),
    ],
)
def test_a_faulty_record_is_set_aside_by_name(changes, field, reason):
    points, (fault,) = read(GOOD, GOOD | changes)
    assert [point.index for point in points] == [0]
    assert (fault.index, fault.field, fault.reason) == (1, f"measurements[1].{field}", reason)
    assert fault.remedy
    (row,) = set_aside([fault], [GOOD, GOOD | changes], origin="push:a", run_id="api:a").to_dict("records")
    assert (row["source"], row["reason"], '"metric"' in row["record"]) == ("push:a", reason, True)
    # Scoring takes the quarantine of a metric's values for an outage of it.
    assert not row["detail"].startswith("consommation")


@pytest.mark.parametrize("missing", ["area", "metric", "observed_at", "value"])
def test_a_record_without_a_field_is_set_aside(missing):
    _, (fault,) = read({name: value for name, value in GOOD.items() if name != missing})
    assert (fault.field, fault.reason) == (f"measurements[0].{missing}", "missing_key")


def test_what_is_known_of_a_faulty_record_stands_beside_it():
    _, (fault,) = read(GOOD | {"value": "x"})
    assert (fault.area, fault.observed_at) == ("Bretagne", datetime(2018, 1, 10, tzinfo=UTC))


def test_equal_records_are_one_and_contradicting_ones_are_all_set_aside():
    later = GOOD | {"observed_at": "2018-01-10T01:00:00Z"}
    points, _ = read(GOOD, GOOD, later, later | {"value": 6}, later | {"vintage": "definitive"})
    kept, faults = settle(points, owners={})
    assert [point.index for point in kept] == [0, 4]
    assert [(fault.index, fault.reason) for fault in faults] == [
        (2, QuarantineReason.CONTRADICTING_DUPLICATE),
        (3, QuarantineReason.CONTRADICTING_DUPLICATE),
    ]


def test_other_publishers_series_are_left_alone():
    points, _ = read(GOOD, GOOD | {"area": "Normandie"})
    kept, (fault,) = settle(points, owners={("own_load", "Bretagne"): "push:alice"})
    assert [point.area for point in kept] == ["Normandie"]
    assert (fault.reason, "push:alice" in fault.remedy) == ("foreign_series", True)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "area": st.sampled_from(["France", "bretagne"]) | ANYTHING,
        "metric": st.sampled_from(["own_load", "a", "consommation"]) | ANYTHING,
        "observed_at": st.sampled_from(["2018-01-10T00:00Z", "2018-01-10T01:00+01:00", "2030-01-01T00:00Z"]) | ANYTHING,
        "value": st.integers(0, 2) | ANYTHING,
        "vintage": st.sampled_from(["realtime", "definitive"]) | ANYTHING,
    },
)


@settings(max_examples=40)
@given(st.lists(NEARLY | ANYTHING, max_size=12))
def test_every_record_is_stored_once_or_set_aside_once(records):
    points, faults = read(*records)
    kept, more = settle(points, owners={})
    copies = len(points) - len(kept) - len(more)
    assert len(kept) + len(faults) + len(more) + copies == len(records)
    assert copies == 0 or copies == sum(point.key in {one.key for one in kept} for point in points) - len(kept)
    assert len({point.key for point in kept}) == len(kept)
    assert {fault.index for fault in [*faults, *more]}.isdisjoint({point.index for point in kept})
    stamps = {"publisher": "push:a", "source": "a", "run_id": "api:a"}
    frame = landing_rows(kept, **stamps, retrieved_at=NOW)
    assert (len(frame), str(frame["observed_at"].dtype)) == (len(kept), "datetime64[s, UTC]")
    aside = set_aside([*faults, *more], records, origin="push:a", run_id="api:a")
    assert len(aside) == len(faults) + len(more)
