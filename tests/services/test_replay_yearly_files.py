"""RTE's yearly files as the replay serves them."""

from __future__ import annotations

import io
import lzma
import zipfile

import pytest
import requests

from powersense.local.replay import ReplayServer
from powersense.local.replay.server import BUNDLED_SAMPLE
from tests.services.replay_portal import records, restored, serving

DEFINITIVE_2016 = "eCO2mix_RTE_Annuel-Definitif_2016"
running = pytest.fixture(scope="module")(serving)
portal = pytest.fixture(restored)


def test_yearly_files_come_in_a_zip_plain_or_xz(portal: ReplayServer) -> None:
    original = lzma.decompress((BUNDLED_SAMPLE / f"{DEFINITIVE_2016}.xls.xz").read_bytes())
    fetched = {
        suffix: requests.get(f"{portal.files_url}/{DEFINITIVE_2016}.{suffix}", timeout=20)
        for suffix in ("zip", "xls", "xls.xz")
    }
    archive = zipfile.ZipFile(io.BytesIO(fetched["zip"].content))
    assert archive.namelist() == [f"{DEFINITIVE_2016}.xls"]
    assert archive.read(f"{DEFINITIVE_2016}.xls") == original
    assert fetched["xls"].content == original
    assert lzma.decompress(fetched["xls.xz"].content) == original
    assert requests.get(f"{portal.files_url}/absent.zip", timeout=5).status_code == 404
    assert f"{DEFINITIVE_2016}.zip" in requests.get(f"{portal.files_url}/", timeout=5).json()["files"]


def test_a_yearly_file_holds_no_month_that_is_not_public_yet(portal: ReplayServer) -> None:
    text = requests.get(f"{portal.files_url}/eCO2mix_RTE_Annuel-Definitif_2017.xls", timeout=20).content
    days = [line.split(b"\t")[2] for line in text.split(b"\n")[1:] if b"\t" in line]
    assert (min(days), max(days), len(days)) == (b"2017-01-01", b"2017-08-31", 243 * 96)


def test_a_shifted_yearly_file_moves_with_the_rest() -> None:
    with ReplayServer(shift=364, clock="2018-10-04T12:00") as portal:
        text = requests.get(f"{portal.files_url}/{DEFINITIVE_2016}.xls", timeout=20).content
        first = records(portal, "eco2mix-national-cons-def", order_by="date_heure", limit=1)[0]
    row = text.split(b"\n")[1].decode("latin-1").split("\t")
    assert (row[2], row[3]) == ("2016-12-30", "00:00") == (first["date"], first["heure"])
    assert int(row[4]) == first["consommation"]
