"""Real answers of the portal, as captured (origin and licence: odre/README.md), and the rows they become."""

from __future__ import annotations

import json
import lzma
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.odre import parse_export
from powersense.sources.rte_files import parse_portal_csv
from powersense.sources.transport import Answer

FOLDER = Path(__file__).with_name("odre")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def long(records, source_id="national_realtime"):
    body = json.dumps(records, ensure_ascii=False).encode()
    source = get_source(source_id)
    fetched = parse_export(Answer("golden", body, NOW), source, kind="json")
    return normalise(fetched.records, source, retrieved_at=NOW, run_id="golden")


def value(outcome, metric, instant, area="France"):
    rows = outcome.measurements
    chosen = rows[(rows["metric"] == metric) & (rows["observed_at"] == pd.Timestamp(instant)) & (rows["area"] == area)]
    assert len(chosen) == 1
    return chosen["value"].iloc[0]


def capture(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_a_day_of_an_export_is_whole():
    outcome = long(capture("odre_v2.1_eco2mix-national-tr_results_2025-07-20.json"))
    assert outcome.quarantined.empty
    assert len(outcome.measurements) == 96 * 36
    assert value(outcome, "consommation", "2025-07-20T00:00Z") == 36234
    assert value(outcome, "eolien_offshore", "2025-07-20T00:00Z") == 1204, "a text on the portal"
    assert value(outcome, "pompage", "2025-07-20T01:00Z") == -909
    assert set(outcome.measurements["vintage"]) == {"realtime"}


def test_records_of_the_paged_endpoint_have_nulls_and_texts():
    outcome = long(capture("odre_v2.1_eco2mix-national-tr_records_20230912_TRANSCRIBED.json")["results"])
    assert outcome.quarantined.empty
    assert pd.isna(value(outcome, "ech_comm_angleterre", "2023-09-12T16:15Z"))
    assert value(outcome, "ech_comm_angleterre", "2023-09-12T17:00Z") == 505
    assert value(outcome, "ech_comm_allemagne_belgique", "2023-09-12T17:00Z") == -1976


def test_a_regional_record_keeps_decimals_and_drops_its_code():
    outcome = long(capture("odre_v2.1_eco2mix-regional-tr_20260325_TRANSCRIBED.json")["results"], "regional_realtime")
    assert outcome.quarantined.empty
    assert value(outcome, "tco_thermique", "2026-03-25T02:30Z", "Hauts-de-France") == 8.97
    assert value(outcome, "pompage", "2026-03-25T02:30Z", "Hauts-de-France") == 0
    assert "code_insee_region" not in set(outcome.measurements["metric"])


@pytest.mark.parametrize(
    ("name", "metric", "instant", "expected"),
    [
        ("odre_v1_eco2mix-national-tr_20220712_ND_TRANSCRIBED.json", "stockage_batterie", "2022-07-12T14:45Z", None),
        ("odre_v1_eco2mix-national-tr_20220712_ND_TRANSCRIBED.json", "consommation", "2022-07-12T14:45Z", 52770),
        ("odre_v1_eco2mix-national-tr_20230921_electricitymaps.json", "consommation", "2023-09-21T00:45Z", 35683),
    ],
)
def test_records_of_the_first_api_read_alike(name, metric, instant, expected):
    outcome = long([record["fields"] for record in capture(name)["records"]])
    found = value(outcome, metric, instant)
    assert pd.isna(found) if expected is None else found == expected


def test_a_labelled_csv_export_of_a_month_is_whole():
    source = get_source("national_realtime")
    content = lzma.decompress((FOLDER / "eco2mix-national-tr_2021-12.csv.xz").read_bytes())
    wide = parse_portal_csv(content, name="golden", source=source)
    outcome = normalise(wide.records, source, retrieved_at=NOW, run_id="golden")
    assert len(outcome.measurements) == 31 * 96 * 32
    assert outcome.quarantined.empty
    assert outcome.missing_metrics == ()
    assert value(outcome, "consommation", "2021-12-11T09:00Z") == 70139
    assert value(outcome, "taux_co2", "2021-12-11T09:00Z") == 73
