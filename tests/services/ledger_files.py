"""RTE's files in a folder whose ingestion loads them into the ledgers, and what stands there."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta

from powersense.autoloader.ledgers import load_ledger_file
from powersense.autoloader.ledgers.content_batches import ContentBatches
from powersense.autoloader.ledgers.load_pieces import load_pieces
from powersense.files.declaration import Ingestion
from powersense.sources.object_stores.opening import open_store
from powersense.warehouse.client import connect
from powersense.warehouse.ledger import MEASUREMENTS, WEATHER
from tests.warehouses import query

HOUR = timedelta(hours=1)
DAY = datetime(2017, 9, 29, 22, tzinfo=UTC)  # midnight in Paris
MODIFIED = datetime(2017, 11, 1, 12, tzinfo=UTC)
HEADER = "Périmètre\tNature\tDate\tHeures\tConsommation\tPrévision J-1"
TABLES = (
    "quarantine",
    *(table for one in (MEASUREMENTS, WEATHER) for table in (one.table, one.landing_table, one.log_table)),
)


def rte(*rows, header=HEADER, date="2017-09-30"):
    """An RTE file of (wall-clock time, load, forecast) rows."""
    lines = [f"France\tDonnées définitives\t{date}\t" + "\t".join(str(cell) for cell in row) + "\t" for row in rows]
    legal = "RTE ne pourra être tenu responsable de l'usage qui pourrait être fait des données."
    return "\n".join([header, *lines, legal, ""]).encode("iso-8859-1")


BASE = (("00:00", 50000, 49000), ("00:30", 48000, 47000), ("01:00", 46000, 45000))


class Folder:
    """A folder of files, and an ingestion that loads them."""

    def __init__(self, path):
        self.path = path
        self.declared = {
            "name": "files",
            "uri": f"file://{path}/*",
            "format": "rte_xls",
            "target": {"kind": "measurements", "source": "rte_files"},
        }

    def write(self, content, name="year.xls", *, modified=MODIFIED):
        target = self.path / name
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(target, ns=(0, int(modified.timestamp()) * 10**9))

    def load(self, name="year.xls", *, deadline=timedelta(minutes=5), run_id="r", **changes):
        ingestion = self.ingestion(**changes)
        store = open_store(ingestion)
        file = store.stat(f"{self.path}/{name}"[1:])
        with connect("writer") as client:
            until = datetime.now(UTC) + deadline
            return load_ledger_file(client, ingestion, file, store, load_id=7, run_id=run_id, deadline=until)

    def land_only(self, name="year.xls"):
        """Do what an attempt does that is killed before it stores: its rows are landed, not numbered."""
        ingestion, now = self.ingestion(), datetime.now(UTC)
        store = open_store(ingestion)
        file = store.stat(f"{self.path}/{name}"[1:])
        with connect("writer") as client, store.open(file) as stream:
            pieces = load_pieces(io.BytesIO(stream.read()), file, ingestion, read_at=now, run_id="killed")
            ContentBatches(client, MEASUREMENTS, ingestion="files", file=file, run_id="killed").land(pieces)

    def ingestion(self, **changes):
        return Ingestion.model_validate({**self.declared, **changes})


def emptied(module_warehouse, tmp_path):
    """An empty folder, beside emptied tables; a fixture of the modules that want it."""
    with connect("writer") as client:
        for table in TABLES:
            client.command("TRUNCATE TABLE {table:Identifier}", parameters={"table": table})
    return Folder(tmp_path)


def latest(metric="consommation"):
    """The latest version of each value, by hour of the day; None where it was withdrawn."""
    rows = query(
        "SELECT observed_at, argMax(tuple(value), version).1 FROM measurements WHERE metric = {metric:String} "
        "GROUP BY observed_at ORDER BY observed_at",
        metric=metric,
    )
    return {(at - DAY) / HOUR: value for at, value in rows}


def versions():
    return query("SELECT metric, observed_at, version, value FROM measurements FINAL ORDER BY ALL")


def reasons():
    return dict(query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason"))


def nothing_landed():
    return query("SELECT count() FROM landings") == [(0,)] and not versions()
