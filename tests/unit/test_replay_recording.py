"""Recorded files of every kind become tables of the portal's four datasets."""

from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from powersense.contracts import AREAS
from powersense.errors import ConfigurationError
from powersense.local.replay.portal import DATASETS, FIELDS, technical_name
from powersense.local.replay.recording import Recording, open_recording
from powersense.local.replay.server import BUNDLED_SAMPLE

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "odre"
HEADER = "Périmètre\tNature\tDate\tHeures\tConsommation\tPompage\t Stockage batterie\tConsommation corrigée"
LEGAL = "RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données.\n"


def rte_file(folder: Path, name: str, *rows: str) -> None:
    text = "\n".join([HEADER, *(f"{row}\t" for row in rows), LEGAL])
    (folder / name).write_bytes(lzma.compress(text.encode("latin-1")))


def test_the_sample_holds_the_datasets_and_the_thirteen_areas() -> None:
    recording = open_recording(BUNDLED_SAMPLE)
    assert all(recording.paths.values())
    regions = recording.table("eco2mix-regional-tr")
    assert set(regions.columns["libelle_region"].tolist()) == {area.name for area in AREAS if area.insee}
    assert set(regions.columns["code_insee_region"].tolist()) == {area.insee for area in AREAS if area.insee}
    assert recording.starts_at.isoformat() == "2017-10-01T00:00:00"


def test_the_sample_stays_small() -> None:
    sizes = [path.stat().st_size for path in BUNDLED_SAMPLE.iterdir()]
    assert sum(sizes) < 5_000_000
    assert max(sizes) < 1_000_000


def test_every_labelled_half_hour_is_replayed_as_it_was_published() -> None:
    regions = open_recording(BUNDLED_SAMPLE).table("eco2mix-regional-tr")
    names = {"Ile-de-France": "Île-de-France", "PACA": "Provence-Alpes-Côte d'Azur", "Grand-Est": "Grand Est"}
    names |= {"Centre-Val-de-Loire": "Centre-Val de Loire", "Pays-de-la-Loire": "Pays de la Loire"}
    loads = {
        (area, str(np.datetime64(wall, "s")).replace("T", " ")): load
        for area, wall, load in zip(
            regions.columns["libelle_region"].tolist(),
            regions.wall_s.tolist(),
            regions.columns["consommation"].tolist(),
            strict=True,
        )
    }
    with (BUNDLED_SAMPLE / "incident_2017-09-30.csv").open() as file:
        labels = list(csv.DictReader(file))
    assert len(labels) == 484
    for label in labels:
        area = names.get(label["region"], label["region"])
        assert loads[area, label["local_time"]] == float(label["tr_mw"])


def test_an_rte_file_keeps_unknown_columns_and_texts_that_the_portal_types_as_text(tmp_path: Path) -> None:
    rte_file(
        tmp_path,
        "eCO2mix_RTE_Bretagne_En-cours-TR.xls.xz",
        "Bretagne\tDonnées temps réel\t2017-09-01\t00:00\t2494\t-\tND\t2500.5",
        "Bretagne\tDonnées temps réel\t2017-09-01\t00:15\tND\t-12\t\t",
    )
    table = Recording(tmp_path).table("eco2mix-regional-tr")
    assert table.columns["pompage"].tolist() == ["-", "-12"]
    assert table.columns["stockage_batterie"].tolist() == ["ND", None]
    np.testing.assert_array_equal(table.columns["consommation"], [2494, np.nan])
    np.testing.assert_array_equal(table.columns["consommation_corrigee"], [2500.5, np.nan])
    corrected = table.field("consommation_corrigee")
    assert corrected is not None
    assert corrected.type == "double"


def test_the_more_final_row_replaces_the_other(tmp_path: Path) -> None:
    row = "France\tDonnées {}\t2017-01-01\t00:00\t{}\t-9\t\t"
    rte_file(tmp_path, "a_Definitif.xls.xz", row.format("définitives", 70000))
    rte_file(tmp_path, "b_Consolide.xls.xz", row.format("consolidées", 69000))
    table = Recording(tmp_path).table("eco2mix-national-cons-def")
    assert table.columns["consommation"].tolist() == [70000.0]
    assert table.columns["nature"].tolist() == ["Données définitives"]


def test_a_field_typed_differently_in_two_captures_becomes_text(tmp_path: Path) -> None:
    base = {"perimetre": "France", "nature": "Données temps réel", "date": "2023-01-01"}
    early = [{**base, "heure": "00:00", "ech_comm_italie": "12"}]
    late = [{**base, "heure": "00:15", "ech_comm_italie": 15}, {**base, "heure": "00:30", "ech_comm_italie": None}]
    (tmp_path / "a.json").write_text(json.dumps(early))
    (tmp_path / "b.json").write_text(json.dumps({"total_count": 2, "results": late}))
    table = Recording(tmp_path).table("eco2mix-national-tr")
    assert table.columns["ech_comm_italie"].tolist() == ["12", "15", None]


def test_a_parquet_export_is_read_like_its_json(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    captured = json.loads((GOLDEN / "odre_v2.1_eco2mix-national-tr_results_2025-07-20.json").read_text())
    (tmp_path / "json").mkdir()
    (tmp_path / "parquet").mkdir()
    (tmp_path / "json" / "day.json").write_text(json.dumps(captured))
    pq.write_table(pa.Table.from_pylist(captured), tmp_path / "parquet" / "day.parquet")
    from_json = Recording(tmp_path / "json").table("eco2mix-national-tr")
    from_parquet = Recording(tmp_path / "parquet").table("eco2mix-national-tr")
    assert from_parquet.fields == from_json.fields
    np.testing.assert_array_equal(from_parquet.columns["consommation"], from_json.columns["consommation"])
    np.testing.assert_array_equal(from_parquet.instant_s, from_json.instant_s)


def test_an_unrecorded_dataset_has_the_portals_fields_and_no_rows(tmp_path: Path) -> None:
    rte_file(tmp_path, "x.xls.xz", "France\tDonnées temps réel\t2017-09-01\t00:00\t1\t\t\t")
    empty = Recording(tmp_path).table("eco2mix-regional-cons-def")
    assert len(empty) == 0
    assert [field.name for field in empty.fields] == [field.name for field in FIELDS["eco2mix-regional-cons-def"]]


def test_without_a_manifest_the_clock_starts_a_week_before_the_newest_load(tmp_path: Path) -> None:
    rte_file(tmp_path, "x.xls.xz", "France\tDonnées temps réel\t2017-09-20\t10:00\t50000\t\t\t")
    assert Recording(tmp_path).starts_at.isoformat() == "2017-09-13T10:00:00"


def test_a_folder_without_recordings_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a;b\n1;2\n")
    with pytest.raises(ConfigurationError, match="no éCO2mix recording"):
        Recording(tmp_path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        Recording(tmp_path / "absent")


@pytest.mark.parametrize("dataset", DATASETS)
def test_labels_lead_back_to_technical_names(dataset: str) -> None:
    for field in FIELDS[dataset]:
        assert technical_name(field.label) == field.name
        assert technical_name(field.name) == field.name
