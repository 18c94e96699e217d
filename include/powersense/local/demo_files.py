"""The demo's files: some of RTE's yearly ones and a small CSV, in a folder that the file autoloader watches.

They are the replay's, dates moved as everywhere in the demo, so that the values of RTE's files are known already when
`load_files` reads them: each is left as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from powersense.errors import LocalStackError
from powersense.local.replay_settings import SAMPLE_FOLDER

LOAD_INGESTION, LABELS_INGESTION = "demo_rte_files", "demo_incident"
INGESTIONS = (LOAD_INGESTION, LABELS_INGESTION)
LABELS_TABLE = "incident_labels"

_LOAD_FILES = ("eCO2mix_RTE_Bretagne_En-cours-Consolide.xls.xz", "eCO2mix_RTE_Normandie_En-cours-Consolide.xls.xz")
_LABELS_FILE = "incident_2017-09-30.csv"
FILES = len(_LOAD_FILES) + 1
_TIMEOUT_SECONDS = 60.0


def declarations_folder(state_dir: Path) -> Path:
    """Return the demo's `FILE_INGESTIONS_FOLDER`."""
    return state_dir / "file_ingestions"


def declare(state_dir: Path) -> None:
    """Write the demo's declared ingestions, one YAML file each."""
    import yaml

    folder = declarations_folder(state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for declaration in _declarations(state_dir):
        file = folder / f"{declaration['name']}.yaml"
        _write(file, yaml.safe_dump(declaration, sort_keys=False, allow_unicode=True).encode())


def deliver(state_dir: Path, *, replay_url: str, shift: timedelta) -> int:
    """Put the files where the autoloader looks, and return how many there are; an unchanged one stays untouched.

    What the replay does not publish, of another recording or at an early clock, is left out.

    Args:
        state_dir: of the demo.
        replay_url: address of the replay, which serves RTE's yearly files as public at its clock.
        shift: by how much the replay moves the recording's Paris wall clock.

    Raises:
        LocalStackError: the replay does not answer.
    """
    folder = _files_folder(state_dir)
    delivered = 1
    _write(folder / "labels" / _LABELS_FILE, _moved_labels(shift))
    for name in _LOAD_FILES:
        content = _download(f"{replay_url}/files/{quote(name)}")
        if content is not None:
            _write(folder / "rte" / name, content)
            delivered += 1
    return delivered


def _declarations(state_dir: Path) -> list[dict[str, Any]]:
    folder = _files_folder(state_dir)
    hourly = {"schedule": "40 * * * *"}
    load: Mapping[str, Any] = {
        "name": LOAD_INGESTION,
        "description": "Consolidated load of two regions, as RTE publishes it in files",
        "uri": f"file://{folder}/rte/*.xls.xz",
        "format": "rte_xls",
        "target": {"kind": "measurements", "source": "rte_files"},
    }
    labels: Mapping[str, Any] = {
        "name": LABELS_INGESTION,
        "description": "Half-hours in which the real-time load of the demo's incident was wrong",
        "uri": f"file://{folder}/labels/*.csv",
        "format": "csv",
        "target": {
            "kind": "table",
            "table": LABELS_TABLE,
            "mode": "upsert",
            "key": ["region", "local_time"],
            "columns": [
                {"name": "region", "type": "LowCardinality(String)", "is_required": True},
                {"name": "local_time", "type": "DateTime('Europe/Paris')", "is_required": True},
                {"name": "tr_mw", "type": "Float64"},
                {"name": "consolidated_mw", "type": "Float64"},
                {"name": "ratio", "type": "Float64"},
            ],
        },
    }
    return [{**load, **hourly}, {**labels, **hourly}]


def _files_folder(state_dir: Path) -> Path:
    return state_dir / "files"


def _download(url: str) -> bytes | None:
    import requests

    try:
        answer = requests.get(url, timeout=_TIMEOUT_SECONDS)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        answer.raise_for_status()
    except requests.RequestException as error:
        raise LocalStackError(f"the replay does not give {url}: {error}") from error
    return answer.content


def _moved_labels(shift: timedelta) -> bytes:
    """Return the labels with their wall-clock times moved as the replay moves them."""
    moved = io.StringIO()
    with (SAMPLE_FOLDER / _LABELS_FILE).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(moved, reader.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        for row in reader:
            wall = datetime.fromisoformat(row["local_time"]) + shift
            writer.writerow({**row, "local_time": wall.isoformat(sep=" ")})
    return moved.getvalue().encode()


def _write(file: Path, content: bytes) -> None:
    """Write a file at once, unless it holds that already: its time of change is what the autoloader goes by."""
    if file.exists() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.part")
    fresh.write_bytes(content)
    fresh.replace(file)
