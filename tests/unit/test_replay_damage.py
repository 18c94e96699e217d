"""Record faults: each spoils exactly what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from powersense.errors import ConfigurationError
from powersense.local.replay.damage import damaged
from powersense.local.replay.faults import Faults

NOW = datetime(2017, 10, 5, 10, 7, tzinfo=UTC)
START = datetime(2017, 10, 5, 8, tzinfo=UTC)


def record(step: int, area: str) -> dict[str, Any]:
    instant = START + timedelta(minutes=15 * step)
    load = 5000 + step if instant < NOW - timedelta(minutes=15) else None
    return {
        "libelle_region": area,
        "nature": "Données temps réel",
        "heure": (instant + timedelta(hours=2)).strftime("%H:%M"),
        "date_heure": instant.isoformat(),
        "consommation": load,
        "eolien": 100,
        "pompage": "-",
    }


ROWS = [record(step, area) for step in range(12) for area in ("Bretagne", "Normandie")]
FILLED = [row for row in ROWS if row["consommation"] is not None]


def after(kind: str, records: list[dict[str, Any]] | None = None, /, **options: Any) -> list[dict[str, Any]]:
    faults = Faults()
    return damaged(ROWS if records is None else records, [faults.inject(kind, **options)], now=NOW)


def test_recorded_rows_are_never_touched() -> None:
    before = [dict(row) for row in ROWS]
    after("revised", add=1)
    after("missing_key")
    assert before == ROWS


def test_blank_latest_empties_the_newest_filled_steps_of_every_area() -> None:
    blanked = after("blank_latest", steps=2)
    loads = {row["date_heure"] for row in blanked if row["consommation"] is not None}
    assert sorted({row["date_heure"] for row in FILLED} - loads) == sorted({row["date_heure"] for row in FILLED})[-2:]
    latest = next(row for row in blanked if row["date_heure"] == FILLED[-1]["date_heure"])
    assert (latest["eolien"], latest["nature"], latest["heure"]) == (None, "Données temps réel", FILLED[-1]["heure"])


def test_revised_moves_chosen_values_and_keeps_their_type() -> None:
    revised = after("revised", area="Bretagne", factor=1.01, add=3, since=FILLED[4]["date_heure"])
    for old, new in zip(ROWS, revised, strict=True):
        is_chosen = old["libelle_region"] == "Bretagne" and old["date_heure"] >= FILLED[4]["date_heure"]
        if is_chosen and old["consommation"] is not None:
            assert new["consommation"] == round(old["consommation"] * 1.01 + 3)
        else:
            assert new == old


def test_schema_drift_in_its_four_modes() -> None:
    assert all(row["nouvelle_filiere"] == 42 for row in after("schema_drift"))
    assert all("eolien" not in row for row in after("schema_drift", mode="missing_column"))
    texts = after("schema_drift", mode="string_numbers")
    assert [row["eolien"] for row in texts] == ["100"] * len(ROWS)
    assert texts[0]["consommation"] == "5000"
    nd = after("schema_drift", mode="nd", column="consommation")
    assert {row["consommation"] for row in nd} == {"ND", None}
    with pytest.raises(ConfigurationError, match="sideways"):
        after("schema_drift", mode="sideways")


def test_missing_key_drops_the_instant_or_the_area() -> None:
    assert ["date_heure" in row for row in after("missing_key", rows=2)][:3] == [False, False, True]
    assert "libelle_region" not in after("missing_key", key="area")[0]


def test_wrong_type_and_out_of_range_replace_recorded_values() -> None:
    assert after("wrong_type")[0]["consommation"] == {"mw": 1}
    assert after("wrong_type", column="date_heure", value="yesterday")[0]["date_heure"] == "yesterday"
    assert after("out_of_range", value=-1)[0]["consommation"] == -1
    assert after("out_of_range")[1:] == ROWS[1:]


@pytest.mark.parametrize("add", [0, 700])
def test_duplicate_instant_repeats_a_record_or_contradicts_it(add: int) -> None:
    doubled = after("duplicate_instant", rows=1, add=add)
    assert len(doubled) == len(ROWS) + 1
    assert doubled[-1] == {**ROWS[0], "consommation": ROWS[0]["consommation"] + add}


def test_ghost_hour_has_the_instant_of_another_row_and_the_hour_before() -> None:
    spoiled = after("ghost_hour", rows=1)
    ghost = spoiled[0]
    assert ghost["date_heure"] == ROWS[0]["date_heure"]
    assert (ghost["heure"], ROWS[0]["heure"]) == ("09:00", "10:00")
    assert ghost["consommation"] == ROWS[0]["consommation"] + 500
    assert spoiled[1:] == ROWS


@pytest.mark.parametrize("records", [ROWS, FILLED], ids=["with future rows", "without future rows"])
def test_future_rows_have_a_load_after_now(records: list[dict[str, Any]]) -> None:
    spoiled = after("future_rows", records, value=51_000)
    future = [row for row in spoiled if datetime.fromisoformat(row["date_heure"]) > NOW and row["consommation"]]
    assert len(future) == 4
    assert {row["consommation"] for row in future} == {51_000}


def test_no_records_stay_no_records() -> None:
    for kind in ("blank_latest", "revised", "schema_drift", "missing_key", "ghost_hour", "future_rows"):
        assert after(kind, []) == []


def test_an_unknown_kind_or_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="expected one of rate_limit"):
        Faults().inject("earthquake")
    with pytest.raises(ConfigurationError, match="has no option speed; it has retry_after"):
        Faults().inject("rate_limit", speed=3)
    with pytest.raises(ConfigurationError, match="a fault is an object"):
        Faults().inject_document(["rate_limit"])


def test_a_fault_strikes_its_datasets_as_often_as_asked() -> None:
    faults = Faults()
    faults.inject("server_error", dataset="*-tr", endpoint="records", times=1)
    assert faults.take(dataset="eco2mix-national-cons-def", endpoint="records") == (None, [])
    assert faults.take(dataset="eco2mix-national-tr", endpoint="exports") == (None, [])
    struck, _ = faults.take(dataset="eco2mix-national-tr", endpoint="records")
    assert struck is not None
    assert faults.take(dataset="eco2mix-national-tr", endpoint="records") == (None, [])
    assert faults.active() == []


def test_clearing_one_kind_leaves_the_others() -> None:
    faults = Faults()
    faults.inject("html")
    kept = faults.inject("revised", add=1)
    assert faults.clear("html") == 1
    assert faults.active() == [kept]
    assert faults.clear(number=kept.number) == 1
    assert faults.active() == []
