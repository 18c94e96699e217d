"""The demo's ingestions are declared as the autoloader wants them, and its files are the replay's."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import yaml

from powersense.files.declaration import Ingestion
from powersense.local import demo_files
from powersense.local.demo_report import incident_labels
from powersense.local.replay.server import ReplayServer

LABELS = Path("files", "labels", "incident_2017-09-30.csv")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_declared_ingestions_hold(tmp_path):
    demo_files.declare(tmp_path)
    files = sorted(demo_files.declarations_folder(tmp_path).iterdir())
    declared = [Ingestion.model_validate(yaml.safe_load(file.read_text())) for file in files]
    assert {ingestion.name for ingestion in declared} == set(demo_files.INGESTIONS)
    assert [file.stem for file in files] == [ingestion.name for ingestion in declared]


def test_files_are_delivered_once_and_come_again_only_when_they_changed(tmp_path):
    shift = timedelta(days=7 * 400)
    with ReplayServer(shift=shift.days) as replay:
        assert demo_files.deliver(tmp_path, replay_url=replay.base_url, shift=shift) == demo_files.FILES
        delivered = contents(tmp_path / "files")
        times = {path: (tmp_path / "files" / path).stat().st_mtime_ns for path in delivered}
        labels = tmp_path / LABELS
        labels.write_text("region,local_time\n")
        demo_files.deliver(tmp_path, replay_url=replay.base_url, shift=shift)
    assert len(delivered) == demo_files.FILES
    assert contents(tmp_path / "files") == delivered
    again = {path: (tmp_path / "files" / path).stat().st_mtime_ns for path in delivered}
    assert [path.name for path in delivered if again[path] != times[path]] == [LABELS.name]
    rows = list(csv.DictReader(labels.read_text().splitlines()))
    day = date(2017, 9, 30) + shift
    assert sum(row["local_time"].startswith(day.isoformat()) for row in rows) == len(incident_labels(shift))
