"""Small declared ingestions over a local folder, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from powersense.autoloader import declarations, steps
from powersense.files.declaration import Ingestion
from powersense.settings import get_settings
from powersense.warehouse.client import connect
from powersense.warehouse.files import runs as file_runs
from tests.warehouses import Warehouse, query

COLUMNS = [{"name": "meter", "type": "Int64"}, {"name": "load_mw", "type": "Float64"}]


def ingestion(folder: Path, **changes) -> Ingestion:
    """An append of `meter,load_mw` CSV files below a folder into the table `meters`."""
    facts = {
        "name": "meters",
        "uri": f"file://{folder}/**/*.csv",
        "format": "csv",
        "target": {"kind": "table", "table": changes.pop("table", "meters"), "columns": COLUMNS},
    }
    return Ingestion.model_validate(facts | changes)


def write(folder: Path, name: str, *, meter: int, rows: int = 3) -> Path:
    """Write one file with `rows` rows of one meter, whose loads count up from 0."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("meter,load_mw\n" + "".join(f"{meter},{load}\n" for load in range(rows)))
    return path


def three_meters(tmp_path: Path) -> Path:
    """A folder of three meters' files; a fixture of the modules that want it."""
    for meter in (1, 2, 3):
        write(tmp_path, f"m{meter}.csv", meter=meter)
    return tmp_path


def declare(one: Ingestion) -> str:
    """Declare an ingestion as a YAML file does; return its name."""
    with connect("writer") as client:
        declarations._write(client, one, origin="yaml", changed_by="test")
    return one.name


def a_run(name: str, run_id: str, **params: Any) -> list[dict[str, int]]:
    """Begin a run of a declared ingestion up to its plan; return its batches."""
    steps.start_run({"ingestion": name, **params}, run_id=run_id)
    comparison = steps.compare(name, steps.discover(name, run_id=run_id), run_id=run_id)
    return steps.plan_batches(name, comparison, pool="default")


def run_of(name: str, run_id: str) -> file_runs.FileRun:
    """Return a run as it stands."""
    with connect("reader") as client:
        return file_runs.read(client, ingestion=name, run_id=run_id)


def emptied(module_warehouse: Warehouse) -> None:
    """Nothing of the test before; a fixture of the modules that want it for each test."""
    forget_files()


def forget_files() -> None:
    """Empty the autoloader's tables and drop the users', for the next test on the same warehouse."""
    with connect("writer") as client:
        ours = client.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'file\\_%'"
        )
        for (table,) in ours.result_rows:
            client.command("TRUNCATE TABLE {table:Identifier}", parameters={"table": table})
        database = get_settings().clickhouse_files_database
        theirs = client.query(
            "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY engine != 'View'",
            parameters={"database": database},
        )
        for (table,) in theirs.result_rows:
            names = {"database": database, "table": table}
            client.command("DROP TABLE {database:Identifier}.{table:Identifier} SYNC", parameters=names)


def loaded(table: str = "meters") -> dict[int, int]:
    """Rows that readers see, by meter."""
    database = get_settings().clickhouse_files_database
    return dict(query(f"SELECT meter, count() FROM {database}.{table} GROUP BY meter ORDER BY meter"))


def states(name: str = "meters") -> dict[str, str]:
    """State of each file, by its name."""
    rows = query("SELECT path, toString(state) FROM file_states FINAL WHERE ingestion = {name:String}", name=name)
    return {Path(path).name: state for path, state in sorted(rows)}


def counts(run) -> dict[str, int]:
    """What a run counted, without zeros."""
    return dict(_counted(run))


def _counted(run) -> Iterator[tuple[str, int]]:
    for name in ("new", "changed", "retried", "waiting", "loaded", "failed", "quarantined", "skipped"):
        if number := getattr(run, f"files_{name}"):
            yield name, number
