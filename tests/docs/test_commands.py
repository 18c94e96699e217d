"""Every command and query that the documents give is one that exists, with flags and names that exist."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from docs_site.commands_page import declared_arguments, modules, targets
from powersense.sources.catalogue import load_catalogue
from powersense.sources.source import Source
from powersense.warehouse.client import connect
from tests.warehouses import Warehouse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
DAGS = {path.stem for path in (ROOT / "dags").glob("*.py")}
MODELS = {path.stem for path in (ROOT / "dbt/models").rglob("*.sql")}
MAKEFILE = (ROOT / "Makefile").read_text()
# Their commands and queries are run as they stand by tests of their own.
EXECUTED = {"autoloader.md"}
# Where a document leaves something to the reader, a value of this kind stands.
DATE = "2017-08-01"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def lines(page: Path) -> Iterator[str]:
    """Give the commands of a page: those of its blocks, and those in its text."""
    for block in blocks(page, "bash"):
        yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip() and line[0] not in "# ")
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`((?:make|airflow|python -m) [^`]+)`", text)


@lru_cache(maxsize=1)
def airflow_parser():
    from airflow.cli.cli_parser import get_parser

    return get_parser()


def check_airflow(words: list[str]) -> None:
    left_open = "…" in words
    given = [DATE if word == "…" else word for word in words]
    try:
        parsed = airflow_parser().parse_args(given[:-1] if left_open and words[-1] == "…" else given)
    except SystemExit:
        # `backfill create …` says of itself that something is missing.
        assert left_open, f"airflow refuses {shlex.join(words)}"
        return
    dag_id = getattr(parsed, "dag_id", None)
    assert dag_id is None or dag_id in DAGS, dag_id
    if conf := getattr(parsed, "conf", None):
        assert isinstance(json.loads(conf.replace("…", '"x"')), dict)


def check_make(words: list[str]) -> None:
    target, *given = words
    assert target in targets(ROOT), f"no target {target}"
    values = dict(word.split("=", 1) for word in given if "=" in word)
    for name in values:
        assert re.search(rf"\b{name}\b", MAKEFILE), f"make knows no {name}"
    inner = shlex.split(values.get("ARGS", ""))
    if target == "airflow" and inner:
        check_airflow(inner)
    if target in {"backup", "autoloader"}:
        check_module([f"powersense.{target}", *inner])
    if target == "dbt" and "--select" in inner:
        assert inner[inner.index("--select") + 1].strip("+") in MODELS
    if target == "bench" and inner:
        assert (ROOT / f"benchmarks/bench_{inner[0]}.py").exists()


def check_module(words: list[str]) -> None:
    name, *given = (word for word in words if word != "…")
    if name == "benchmarks":
        return check_make(["bench", f"ARGS={shlex.join(given)}"])
    known = modules(ROOT)
    assert name in known, f"no module {name}"
    declared = {argument for argument, _ in declared_arguments(known[name])}
    for word in given:
        if word.startswith("--"):
            assert word.split("=")[0] in declared, f"{name} knows no {word}"
    commands = {argument for argument in declared if not argument.startswith("-")}
    if given and not given[0].startswith("-") and len(commands) > 1 and "mode" not in commands:
        assert given[0] in commands, f"{name} knows no {given[0]}"
    return None


def check(line: str) -> None:  # noqa: PLR0912 - one case a kind of command
    """Check one command; one of a kind that is not known here fails."""
    # Against a service: tests of the API, the replay and the autoloader send them.
    if re.match(r"(curl |[A-Z]+=\$\((curl|date) )", line):
        return
    words = shlex.split(line.split(" # ", 1)[0])
    while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
        words.pop(0)
    match words:
        case []:
            pass
        case ["make", "--silent", *given] | ["make", *given]:
            check_make(given or ["help"])
        case ["airflow", *given]:
            check_airflow(given)
        case ["python", "-m", *given]:
            check_module(given)
        case [".venv/bin/python", "-c", program]:
            compile(program, "document", "exec")
        case ["astro", "dev", command, *_]:
            assert command in {"start", "restart", "stop"}
        case ["docker", "pull", image]:
            services = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())["services"].values()
            assert image in {service.get("image") for service in services}
        case ["cp", origin, _]:
            assert (ROOT / origin).exists()
        case ["git", "pull"]:
            pass
        case ["pytest" | ".venv/bin/pytest", path, *_]:
            assert (ROOT / path).exists()
        case ["prometheus" | "prometheus-alertmanager", *flags]:
            [file] = [flag.split("=", 1)[1] for flag in flags if flag.startswith("--config.file=")]
            assert (ROOT / file).exists()
        case ["promtool", _, _, file]:
            assert (ROOT / file).exists()
        case ["export", *assignments]:
            known = (ROOT / ".env.example").read_text()
            assert [word for word in assignments if word.split("=", 1)[0] not in known] == []
        case ["apt-get", "install", *_] | ["sudo", "apt-get", "install", *_]:
            pass
        case _:
            pytest.fail(f"nothing checks {line!r}: teach tests/docs/test_commands.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_such(page):
    wrong = []
    for line in lines(page) if page.name not in EXECUTED else ():
        try:
            check(line)
        except (AssertionError, ValueError) as error:
            wrong.append(f"{line}: {error}")
    assert wrong == []


def test_a_wrong_command_is_found():
    for line in (
        "make nothing", "make backtest UNTIL=2018", "airflow dags launch ingest_load",
        "airflow dags trigger no_such_dag",
        "airflow backfill create --dag-id reconcile_load --since 2017-01-01", "python -m powersense.nothing",
        "python -m powersense.backup create --onto sunday", 'make dbt ARGS="build --select no_such_model"',
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            check(line)
    with pytest.raises(pytest.fail.Exception):
        check("frobnicate --all")


def queries() -> list[tuple[str, str]]:
    """Return each query of the documents with its page."""
    pages = [page for page in PAGES if page.name not in EXECUTED]
    return [
        (page.stem, query.strip())
        for page in pages
        for block in blocks(page, "sql")
        for query in re.sub(r"^\s*--.*$", "", block, flags=re.MULTILINE).split(";")
        if query.strip()
    ]


def test_queries_run_on_the_warehouse(module_warehouse: Warehouse):
    """On empty tables and columns that exist; marts, which dbt makes, are checked by name and by the parser."""
    wrong = []
    with connect("reader") as client:
        for page, query in queries():
            marts = re.findall(r"powersense_marts\.(\w+)", query)
            own = re.sub(r"\bpowersense\.", f"{module_warehouse.database}.", query)
            try:
                assert set(marts) <= MODELS, f"no model {set(marts) - MODELS}"
                client.command(f"EXPLAIN AST {own}" if marts else own)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a query is reported with it
                wrong.append(f"{page}: {query}: {str(error)[:300]}")
    assert wrong == []
    assert len(queries()) > 20


def test_the_example_of_a_source_is_one_and_every_field_is_explained(tmp_path):
    page = ROOT / "docs/how-to/add-a-series.md"
    [declared] = blocks(page, "yaml")
    (tmp_path / "sources.yaml").write_text(declared)
    added = set(load_catalogue(str(tmp_path / "sources.yaml"))) - set(load_catalogue(None))
    assert added == {"regional_temperature"}
    text = page.read_text()
    assert [name for name in Source.model_fields if f"`{name}" not in text] == []


def test_pools_are_set_up_for_a_cluster_as_they_are_declared():
    text = (ROOT / "docs/how-to/run-on-a-cluster.md").read_text()
    declared = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())["airflow"]["pools"]
    assert set(re.findall(r"airflow pools set (\w+) ", text)) == {pool["pool_name"] for pool in declared}
