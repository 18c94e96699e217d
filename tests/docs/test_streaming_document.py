"""docs/streaming.md says what the worker does: its settings, reasons, log lines and metrics are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path

from powersense.settings import Settings
from powersense.streaming.messages import Reason, parse

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "streaming.md").read_text()
SOURCES = "\n".join(path.read_text() for path in (ROOT / "include/powersense/streaming").glob("*.py"))


def section(title):
    return DOCUMENT.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


def test_each_setting_stands_there_with_its_default():
    listed = {name.strip("`"): default.strip("`") for name, default, _ in rows(section("Settings"))}
    fields = Settings.model_fields
    assert {name.lower(): default for name, default in listed.items()} == {
        name.lower(): str(fields[name.lower()].default) for name in listed
    }
    kafka = {name.upper() for name in fields if name.startswith("kafka_")}
    assert kafka <= set(listed)


def test_each_reason_of_a_dead_letter_stands_there():
    listed = [row[0].strip("`") for row in rows(section("Messages"))]
    assert sorted(listed) == sorted(reason.value for reason in Reason)


def test_each_log_line_of_the_troubleshooting_is_one_that_the_worker_writes():
    for said, _ in rows(section("Troubleshooting")):
        parts = said.strip("`").split("…")
        pattern = r"[^\n]*".join(re.escape(part.strip()) for part in parts)
        assert re.search(pattern, SOURCES), said


def test_the_example_of_an_input_is_one():
    example = re.search(r"```json\n(.*?)```", section("Messages"), flags=re.DOTALL)[1]
    message = parse(json.dumps(json.loads(example)).encode(), received_ms=0, largest_bytes=10_000)
    assert message.asset_id == "turbine-7"


def test_each_metric_stands_in_the_exposition():
    names = re.search(
        r"`powersense_stream_` (.*?)\n- |`powersense_stream_` (.*)", section("Watching it"), flags=re.DOTALL
    )[0]
    for name in re.findall(r"`([a-z_]+)(?:\{[a-z]+\})?`", names):
        assert name == "powersense_stream_" or f'"{name}"' in SOURCES, name
