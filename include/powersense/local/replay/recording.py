"""Load a folder of recorded data: RTE `.xls(.xz)`, portal CSV or parquet exports, JSON captures of v2.1 and v1."""

from __future__ import annotations

import csv
import io
import json
import lzma
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from powersense.errors import ConfigurationError
from powersense.local.replay.portal import DATASETS, FIELDS, dataset_of, technical_name
from powersense.local.replay.table import Table
from powersense.local.replay.tables import merge, table_from_records, table_from_texts

MANIFEST = "recording.json"
RTE_ENCODING = "latin-1"
CHUNK_LINES = 4_096
HALF_HOURLY_DATASETS = frozenset({"eco2mix-regional-cons-def"})
_REGION_NAMES = {"libelle_region", "code_insee_region"}


def read_bytes(path: Path) -> bytes:
    """Return a recorded file's bytes, decompressed if its name ends in `.xz`."""
    return lzma.open(path).read() if path.suffix == ".xz" else path.read_bytes()


def _first_lines(path: Path) -> tuple[str, str]:
    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as stream:
        first, second = stream.readline(), stream.readline()
    encoding = RTE_ENCODING if ".xls" in path.name else "utf-8-sig"
    return first.decode(encoding).rstrip("\r\n"), second.decode(encoding).rstrip("\r\n")


def rte_text_columns(content: bytes, *, is_half_hourly: bool = False) -> Iterator[dict[str, list[str]]]:
    """Yield the columns of an RTE text file under technical names, some weeks at a time to keep memory small.

    ISO-8859-1, tab-separated; each row has one field more than the header, the last line is a legal sentence.

    Args:
        content: the file's bytes.
        is_half_hourly: leave out the rows of :15 and :45.
    """
    lines = content.decode(RTE_ENCODING).split("\n")
    names = [technical_name(label) for label in lines[0].rstrip("\r").split("\t")]
    first_mark, second_mark = (":00\t", ":30\t") if is_half_hourly else ("\t", "\t")
    for first in range(1, len(lines), CHUNK_LINES):
        chunk = lines[first : first + CHUNK_LINES]
        rows = [line.rstrip("\r").split("\t") for line in chunk if first_mark in line or second_mark in line]
        if rows:
            columns = (list(column) for column in zip(*rows, strict=True))
            yield dict(zip(names, columns, strict=False))


def _csv_columns(content: bytes) -> dict[str, list[str]]:
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    names = [technical_name(label) for label in next(reader)]
    return dict(zip(names, (list(column) for column in zip(*reader, strict=True)), strict=True))


def _dataset_of_row(row: Mapping[str, object]) -> str | None:
    if "nature" not in row or not ({"perimetre"} | _REGION_NAMES) & row.keys():
        return None
    if not ({"date", "heure"} <= row.keys() or "date_heure" in row):
        return None
    is_regional = bool(_REGION_NAMES & row.keys()) or row.get("perimetre") != "France"
    return dataset_of(is_regional=is_regional, nature=str(row["nature"]))


def _records_of(content: bytes) -> list[dict[str, object]]:
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"REPLAY_DATA holds a JSON file that cannot be read: {error}") from error
    if isinstance(document, dict):
        document = document.get("results", document.get("records", []))
    if not isinstance(document, list):
        return []
    # v1 wraps each record and leaves null fields out.
    return [item.get("fields", item) for item in document if isinstance(item, dict)]


def _parquet_records(path: Path) -> list[dict[str, object]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
    plain = {name: technical_name(name) for name in (rows[0] if rows else {})}
    return [
        {plain[name]: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in rows
    ]


def _sniff(path: Path) -> str | None:
    """Return the dataset that a file belongs to, or None if it is no éCO2mix recording."""
    name = path.name.removesuffix(".xz")
    if name.endswith((".xls", ".csv")):
        first, second = _first_lines(path)
        separator = "\t" if name.endswith(".xls") else ";"
        row = dict(
            zip([technical_name(text) for text in first.split(separator)], second.split(separator), strict=False)
        )
        return _dataset_of_row(row)
    if name.endswith((".json", ".parquet")) and path.name != MANIFEST:
        records = _parquet_records(path) if name.endswith(".parquet") else _records_of(read_bytes(path))
        return _dataset_of_row(records[0]) if records else None
    return None


def _load(path: Path, dataset: str) -> Iterator[Table]:
    name = path.name.removesuffix(".xz")
    if name.endswith(".parquet"):
        yield table_from_records(dataset, _parquet_records(path))
    elif name.endswith(".json"):
        yield table_from_records(dataset, _records_of(read_bytes(path)))
    elif name.endswith(".csv"):
        yield table_from_texts(dataset, _csv_columns(read_bytes(path)), is_whole_portal_row=False)
    else:
        for columns in rte_text_columns(read_bytes(path), is_half_hourly=dataset in HALF_HOURLY_DATASETS):
            if "regional" in dataset:
                columns["libelle_region"] = columns.pop("perimetre")
            yield table_from_texts(dataset, columns, is_whole_portal_row=True)


@dataclass
class Recording:
    """A folder of recorded data, its datasets loaded when first asked for.

    Raises:
        ConfigurationError: the folder is missing, or holds no recording.
    """

    folder: Path
    _tables: dict[str, Table] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ConfigurationError(f"REPLAY_DATA={self.folder}: no such folder.")
        if not any(self.paths.values()):
            raise ConfigurationError(
                f"REPLAY_DATA={self.folder}: no éCO2mix recording in it; expected RTE .xls(.xz) files, "
                "portal CSV or parquet exports, or JSON captures."
            )

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The recorded files of each dataset, by name."""
        found: dict[str, list[Path]] = {dataset: [] for dataset in DATASETS}
        for path in sorted(self.folder.iterdir()):
            dataset = _sniff(path) if path.is_file() else None
            if dataset:
                found[dataset].append(path)
        return found

    @cached_property
    def starts_at(self) -> datetime:
        """Where the recording's clock starts under `REPLAY_SHIFT=auto`, naive Paris wall-clock time.

        The manifest `recording.json` names it (`clock_starts_at`); without one it lies a week before the newest
        real-time value, so that the recording lasts up to a week.
        """
        manifest = self.folder / MANIFEST
        if manifest.is_file():
            return datetime.fromisoformat(json.loads(manifest.read_text())["clock_starts_at"])
        newest = max((self.newest_wall_s(name) for name in DATASETS if self.paths[name]), default=0)
        return datetime.fromisoformat(str(np.datetime64(newest - 7 * 86_400, "s")))

    def newest_wall_s(self, dataset: str) -> int:
        """Return the wall-clock second of the newest row that has a load; 0 without one."""
        table = self.table(dataset)
        load = table.columns.get("consommation")
        if load is None or load.dtype == object:
            return 0
        known = table.wall_s[~np.isnan(load.astype(np.float64))]
        return int(known.max()) if len(known) else 0

    def table(self, dataset: str) -> Table:
        """Return a dataset's rows; an unrecorded dataset has the portal's fields and no rows."""
        with self._lock:
            if dataset not in self._tables:
                self._tables[dataset] = _merged(
                    dataset, [part for path in self.paths[dataset] for part in _load(path, dataset)]
                )
            return self._tables[dataset]


def _merged(dataset: str, tables: Sequence[Table]) -> Table:
    if tables:
        return merge(dataset, tables)
    nothing: dict[str, list[str]] = {entry.name: [] for entry in FIELDS[dataset]}
    return table_from_texts(dataset, nothing, is_whole_portal_row=True)


@lru_cache(maxsize=8)
def open_recording(folder: Path) -> Recording:
    """Return the recording of a folder; servers in one process share its tables, which nothing changes.

    Raises:
        ConfigurationError: the folder is missing, or holds no recording.
    """
    return Recording(folder)
