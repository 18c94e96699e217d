"""RTE's .xls texts and the portal's CSV exports become the same wide records."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from datetime import UTC, datetime

import pytest

from powersense.errors import MalformedResponseError, TruncatedExportError
from powersense.sources.catalogue import get_source
from powersense.sources.normalise import normalise
from powersense.sources.rte_files import parse_portal_csv, parse_rte_file, unpack

FILES, PORTAL = get_source("rte_files"), get_source("national_realtime")
LEGAL = "RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données mises à disposition.\n\n"
HEADER = (
    "Périmètre\tNature\tDate\tHeures\tConsommation\tPrévision J-1\tTaux de Co2\tGaz - Cogén.\t"
    "Hydraulique - Fil de l?eau + éclusée\t Stockage batterie\tConsommation corrigée\n"
)
ROWS = (
    "France\tDonnées définitives\t2025-01-01\t00:00\t58315\t58200\t33\tND\t5964\t-10\t58000\t\n"
    "France\tDonnées définitives\t2025-01-01\t00:15\t\t57700\t\t\t\t\t\t\n"
    "PACA\tDonnées définitives\t2025-01-01\t00:30\t-\t\t\t\t\t\t\t\n"
)


def text(header=HEADER, rows=ROWS, legal=LEGAL):
    return (header + rows + legal).encode("iso-8859-1")


def test_the_extra_field_of_each_row_shifts_no_column():
    wide = parse_rte_file(text(), name="x.xls", source=FILES)
    first = wide.records.iloc[0]
    assert (first["perimetre"], first["heure"], first["consommation"], first["prevision_j1"]) == (
        "France",
        "00:00",
        58315,
        58200,
    )
    assert len(wide.records) == 3
    assert wide.broken_lines == ()


def test_columns_get_the_portals_names_and_new_ones_survive():
    wide = parse_rte_file(text(), name="x.xls", source=FILES)
    assert list(wide.records.columns) == [
        "perimetre",
        "nature",
        "date",
        "heure",
        "consommation",
        "prevision_j1",
        "taux_co2",
        "gaz_cogen",
        "hydraulique_fil_eau_eclusee",
        "stockage_batterie",
        "consommation_corrigee",
    ]


def test_nd_dash_and_empty_are_absent():
    records = parse_rte_file(text(), name="x.xls", source=FILES).records
    assert records["gaz_cogen"].isna().all()
    assert records["consommation"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("legal", [LEGAL, "", "RTE\n"], ids=["legal line", "none", "short"])
@pytest.mark.parametrize("rows", [ROWS, ROWS.replace("\t\n", "\n")], ids=["trailing tab", "no trailing tab"])
def test_the_legal_line_and_the_trailing_tab_may_be_there_or_not(legal, rows):
    wide = parse_rte_file(text(rows=rows, legal=legal), name="x.xls", source=FILES)
    assert len(wide.records) == 3
    assert wide.records["consommation"].sum() == 58315


def test_a_line_with_a_wrong_number_of_fields_is_kept_apart():
    wide = parse_rte_file(text(rows=ROWS + "France\tDonnées définitives\t2025-01-01\t00\n"), name="x.xls", source=FILES)
    assert len(wide.records) == 3
    assert [line.split("\t")[0] for line in wide.broken_lines] == ["France"]


def test_a_file_without_rows_has_no_records():
    assert parse_rte_file(text(rows="", legal=""), name="x.xls", source=FILES).records.empty


@pytest.mark.parametrize("content", [b"<html><body>None</body></html>", b"a;b;c", b""], ids=["html", "csv", "empty"])
def test_what_is_no_rte_file_is_refused_by_name(content):
    with pytest.raises(MalformedResponseError, match=r"x\.xls: first line"):
        parse_rte_file(content, name="x.xls", source=FILES)


def zipped(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("folder/y.xls", content)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("payload", "name"),
    [(zipped(text()), "y.xls"), (lzma.compress(text()), "x.xls"), (gzip.compress(text()), "x.xls"), (text(), "x.xls")],
    ids=["zip", "xz", "gzip", "plain"],
)
def test_every_packing_gives_the_same_content(payload, name):
    suffix = {b"\xfd": ".xz", b"\x1f": ".gz"}.get(payload[:1], "")
    assert list(unpack(payload, name=f"x.xls{suffix}")) == [(name, text())]


@pytest.mark.parametrize("payload", [zipped(text() * 50), lzma.compress(text() * 50), gzip.compress(text() * 50)])
def test_a_cut_archive_is_told_from_a_whole_one(payload):
    with pytest.raises(TruncatedExportError, match="cut or damaged"):
        list(unpack(payload[: len(payload) // 2], name="x"))


CSV_LABELS = (
    "Périmètre;Nature;Date;Heure;Date - Heure;Consommation (MW);Taux de CO2 (g/kWh);Gaz - Cogénération (MW)\r\n"
)
CSV_NAMES = "perimetre;nature;date;heure;date_heure;consommation;taux_co2;gaz_cogen\r\n"
CSV_ROWS = (
    "France;Données temps réel;2021-12-11;10:00;2021-12-11T10:00:00+01:00;70139;73;2635\r\n"
    "France;Données temps réel;2021-12-11;10:15;2021-12-11T10:15:00+01:00;70061;;2630\r\n"
)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("header", [CSV_LABELS, CSV_NAMES], ids=["labels", "names"])
def test_labelled_and_named_exports_are_the_same(bom, header):
    wide = parse_portal_csv(bom + (header + CSV_ROWS).encode(), name="x", source=PORTAL)
    now = datetime(2022, 1, 1, tzinfo=UTC)
    outcome = normalise(wide.records, PORTAL, retrieved_at=now, run_id="r", drop_absent=True)
    rows = outcome.measurements.sort_values(["metric", "observed_at"])
    assert rows[["metric", "value"]].values.tolist() == [
        ["consommation", 70139.0],
        ["consommation", 70061.0],
        ["gaz_cogen", 2635.0],
        ["gaz_cogen", 2630.0],
        ["taux_co2", 73.0],
    ]
    assert rows["observed_at"].iloc[0].isoformat() == "2021-12-11T09:00:00+00:00"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ((CSV_NAMES + CSV_ROWS).encode()[:-8], TruncatedExportError),
        ((CSV_NAMES + CSV_ROWS).encode() + b"Streaming interrupted due to the error: x", TruncatedExportError),
        (b"<!DOCTYPE html><html></html>", MalformedResponseError),
        (b'{"error_code": "x"}', MalformedResponseError),
    ],
    ids=["cut", "interrupted", "html", "json"],
)
def test_a_damaged_export_is_refused(content, error):
    with pytest.raises(error):
        parse_portal_csv(content, name="x", source=PORTAL)
