"""docs/autoloader.md says what the autoloader does: its commands are run as written, its lists are the code's."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
import yaml
from pydantic_core import PydanticUndefined

from powersense.api import URL_PREFIX
from powersense.api.alone import create_service
from powersense.api.app import create_app
from powersense.api.auth import key_access, new_key
from powersense.api.monitoring.exposition import Exposition
from powersense.api.monitoring.metrics import add_file_figures
from powersense.autoloader.__main__ import main
from powersense.autoloader.ledgers import check_target
from powersense.files.declaration import (
    LOAD_FORMATS,
    TABLE_FORMATS,
    WEATHER_FORMATS,
    CsvOptions,
    Ingestion,
    Limits,
)
from powersense.files.stored_file import FileState
from powersense.local.ports import free_port
from powersense.quality.rules import ALL_RULES
from powersense.settings import get_settings
from powersense.warehouse.client import connect

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "autoloader.md").read_text()


def section(title: str) -> str:
    return DOCUMENT.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows that begin with a code word."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_each_field_of_a_declaration_stands_there_with_its_default():
    fields = Ingestion.model_fields
    listed: dict[str, str] = {}
    for row in rows(section("Declaring")):
        fielded, defaults = names(row[0]), row[1].split(", ")
        listed |= dict(zip(fielded, defaults if len(fielded) > 1 else [row[1]], strict=True))
    assert set(listed) == set(fields)
    written = {name: names(default)[0] for name, default in listed.items() if default.startswith("`")}
    assert written == {name: str(fields[name].default).lower() for name in written}
    assert {fields[name].default for name, default in listed.items() if default == "empty"} == {""}
    assert fields["batch_bytes"].default == 2 * 1024**3
    required = {name for name, default in listed.items() if not default and name not in {"csv", "limits"}}
    assert required == {name for name, field in fields.items() if field.default is PydanticUndefined}
    text = section("Declaring")
    for options in (CsvOptions, Limits):
        assert [name for name in options.model_fields if f"`{name}`" not in text] == []


def test_each_format_stands_there_with_its_target():
    first_table = section("Formats and targets").split("\n\n")[0]
    listed = {name: names(row[1]) for row in rows(first_table) for name in names(row[0])}
    assert {name for name, target in listed.items() if not target} == set(TABLE_FORMATS)
    assert {name for name, target in listed.items() if target == ["measurements"]} == set(LOAD_FORMATS)
    assert {name for name, target in listed.items() if target == ["weather_observations"]} == set(WEATHER_FORMATS)


def test_each_task_and_state_stands_there():
    listed = [name for row in rows(section("The run")) for name in names(row[0])]
    dag = (ROOT / "dags" / "load_files.py").read_text()
    tasks = set(re.findall(r"@task.*?\n\s+def (\w+)", dag, flags=re.DOTALL)) | set(re.findall(r'task_id="(\w+)"', dag))
    assert set(listed) == tasks | set(FileState)


def test_each_alert_metric_and_mart_stands_there():
    text = section("Watching it")
    alerts = {rule for rule in ALL_RULES if rule.startswith("file_")}
    assert alerts <= set(names(text))
    written = Exposition()
    add_file_figures(written, [], now=datetime.now(UTC))
    made = re.findall(r"# TYPE powersense_files_(\w+)", written.text())
    listed = text.split("`powersense_files_`")[1]
    assert [re.sub(r"\{.*", "", name) for name in names(listed)] == made
    marts = {path.stem for path in (ROOT / "dbt/models/marts").glob("mart_file_*.sql")}
    assert marts == {name for name in names(text) if name.startswith("mart_")}


def test_each_route_stands_there_and_is_one_of_the_api():
    listed = {tuple(route.split("?")[0].split(" ")) for row in rows(section("The API")) for route in names(row[0])}
    schema = create_app(key_access([])).openapi()["paths"]
    made = {
        (method.upper(), path)
        for path, methods in schema.items()
        if path.startswith("/file-ingestions") or path == "/metrics"
        for method in methods
    }
    assert listed == made


def test_the_pages_place_and_its_buttons_are_those_it_has():
    text = section("The page")
    plugin = runpy.run_path(str(ROOT / "plugins" / "powersense_page.py"))["PagePlugin"]
    [view] = [view for view in plugin.external_views if view["name"] == "File loads"]
    assert f"**{view['category'].title()} → {view['name']}**" in text
    assert f"`{view['href']}`" in text
    words = (ROOT / "include/powersense/page/static/texts/file_loads.js").read_text()
    buttons = re.findall(r"\*\*([A-Z][a-z]+(?: [a-z]+)?)\*\*", text)
    assert len(buttons) == 3
    assert [button for button in buttons if f'["{button}", ' not in words] == []


def test_a_ledgers_formats_and_sources_stand_there_as_they_fit():
    for row in rows(section("Formats and targets").split("which says what", 1)[-1].split("| vintage |")[1]):
        for file_format in names(row[0]):
            for source in names(row[1].split(", or")[0]):
                kind = "measurements" if file_format in LOAD_FORMATS else "weather_observations"
                target = {"kind": kind, "source": source}
                check_target(
                    Ingestion.model_validate({"name": "a", "uri": "s3://b/*", "format": file_format, "target": target})
                )


def test_the_triggers_take_what_the_dag_does():
    params = runpy.run_path(str(ROOT / "dags" / "load_files.py"))["PARAMS"]
    given = [json.loads(conf) for conf in re.findall(r"load_files --conf '([^']+)'", DOCUMENT)]
    given += [json.loads(conf) for conf in names(section("The run")) if conf.startswith("{")]
    assert len(given) >= 3
    assert {name for conf in given for name in conf} == {"ingestion", "dry_run", "full_listing"} <= set(params)


@pytest.fixture
def place(tmp_path, monkeypatch, warehouse):
    """A folder in place of /srv, and one for declarations in it."""
    declared = tmp_path / "file_ingestions"
    declared.mkdir()
    monkeypatch.setenv("FILE_INGESTIONS_FOLDER", str(declared))
    get_settings.cache_clear()
    return tmp_path


@pytest.fixture
def service() -> Iterator[tuple[str, str]]:
    """The API alone on a free port: its address, and a key that may write."""
    key, entry = new_key("document", "write")
    port = free_port()
    app = create_service(f"{entry.name}:{entry.scope}:{entry.sha256}")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}", key
    server.should_exit = True
    thread.join(10)


def test_the_commands_go_as_written(place, service, warehouse, capsys):
    five_minutes = section("In five minutes").replace("/srv/", f"{place}/")
    made, used = blocks(five_minutes, "bash")
    subprocess.run(["bash", "-euc", made], check=True, timeout=30)
    [declared] = blocks(five_minutes, "yaml")
    name = yaml.safe_load(declared)["name"]
    (place / "file_ingestions" / f"{name}.yaml").write_text(declared)
    for line in used.splitlines():
        words = shlex.split(line)
        # What the trigger starts are the steps that `run` does in one process; tests/dags runs the DAG itself.
        command = words[3:] if words[0] == "python" else ["run", json.loads(words[-1])["ingestion"]]
        assert words[:3] in (["python", "-m", "powersense.autoloader"], ["airflow", "dags", "trigger"])
        assert main(command) == 0, line
    printed = capsys.readouterr().out
    assert re.search(r"^new +[\d,]+ .*meters/2026-01-01\.csv$", printed, flags=re.MULTILINE)

    [queries] = blocks(five_minutes, "sql")
    queries = queries.replace("powersense_files.", f"{warehouse.files_database}.").replace(
        "powersense.", f"{warehouse.database}."
    )
    with connect("reader") as client:
        readings, states = (client.query(query) for query in queries.split(";\n") if query.strip())
        assert sorted(row[::2][:2] for row in readings.result_rows) == [("m-1", 12.5), ("m-2", 7.0)]
        assert [row[1:] for row in states.result_rows] == [("loaded", 2, "")]

    (place / "meters" / "2026-01-02.csv").write_text("<!DOCTYPE html><html><body>504 Gateway Time-out</body></html>")
    assert main(["run", name]) == 1
    answers = [json.loads(answer) if answer else None for answer in calls(place, service)]
    listed, created, requested, runs, quarantined, released, deleted = answers
    assert [item["name"] for item in listed["items"]] == ["meters"]
    assert (created["name"], created["origin"]) == ("invoices", "api")
    assert requested["is_dry_run"]
    assert [run["state"] for run in runs["items"]] == ["requested", "failed", "success", "success"]
    assert [file["path"].rsplit("/", 1)[-1] for file in quarantined["items"]] == ["2026-01-02.csv"]
    assert (released, deleted) == (None, None)
    with connect("reader") as client:
        state = "SELECT state FROM file_states FINAL WHERE endsWith(path, '2026-01-02.csv')"
        assert client.query(state).first_row[0] == "new"


def calls(place: Path, service: tuple[str, str]) -> list[str]:
    """Run the document's calls of the API, each with curl, and return what they answer."""
    address, key = service
    [script] = blocks(section("The API"), "bash")
    api, *lines = script.replace("http://127.0.0.1:8090", address).replace('"srv/', f'"{str(place)[1:]}/').splitlines()
    assert address + URL_PREFIX in api
    said = []
    for line in lines:
        command = f"{api}\n{line.replace('curl ', 'curl --silent --show-error --fail-with-body ')}"
        environment = os.environ | {"KEY": key, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            ["bash", "-euc", command], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said.append(done.stdout)
    return said
