"""``python -m powersense.autoloader``: check declarations, bring them into the warehouse, run one by hand."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from powersense.autoloader import declarations
from powersense.errors import ConfigurationError, PowerSenseError
from powersense.files.stored_file import RunState

if TYPE_CHECKING:
    from powersense.files.declaration import Ingestion
    from powersense.warehouse.files.runs import FileRun

_FAILED = 1
_WRONG = 2
_MOST_PRINTED = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code: 0 all well, 1 a run failed in part or whole, 2 not begun."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if given.verbose else logging.WARNING, format="%(message)s")
    try:
        if given.command == "validate":
            return _validate(given.files or sorted(declarations.declared_folder().glob("*.yaml")))
        if given.command == "sync":
            return _sync()
        return _run(given.ingestion, is_dry_run=given.command == "dry-run")
    except PowerSenseError as error:
        print(error, file=sys.stderr)
        return _WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m powersense.autoloader", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="tell each file")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check YAML declarations, without a warehouse")
    validate.add_argument("files", nargs="*", type=Path, help="default: all of FILE_INGESTIONS_FOLDER")
    commands.add_parser("sync", help="bring the warehouse's declarations up to FILE_INGESTIONS_FOLDER")
    for command, text in (("run", "load what is new, in this process"), ("dry-run", "list what would be loaded")):
        commands.add_parser(command, help=text).add_argument("ingestion", help="name of a declared ingestion")
    return parser


def _validate(paths: Sequence[Path]) -> int:
    problems = 0
    for path in paths:
        try:
            ingestion = declarations.read_yaml(path)
        except ConfigurationError as error:
            print(error, file=sys.stderr)
            problems += 1
        else:
            print(
                f"{path.name}: {ingestion.uri} into {_target(ingestion)}{'' if ingestion.enabled else ', not enabled'}"
            )
    return _WRONG if problems else 0


def _sync() -> int:
    from powersense.autoloader.steps import sync_declarations

    print(_told(sync_declarations()))
    return 0


def _run(name: str, *, is_dry_run: bool) -> int:
    from powersense.autoloader.steps import run_once

    run = run_once(name, dry_run=is_dry_run)
    counts = {key: value for key, value in asdict(run).items() if key.startswith(("files_", "rows_")) and value}
    print(f"{run.run_id}: {run.state}, {_told(counts) or 'nothing to load'}")
    if is_dry_run:
        _print_planned(run)
    if run.error:
        print(run.error, file=sys.stderr)
    return 0 if run.state is RunState.SUCCESS else _FAILED


def _print_planned(run: FileRun) -> None:
    from powersense.warehouse.client import connect
    from powersense.warehouse.files import states as file_states

    with connect("reader") as client:
        files = file_states.planned(
            client, ingestion=run.ingestion, comparison_id=run.comparison_id, limit=_MOST_PRINTED
        )
    for path, reason, size in files:
        print(f"{reason:8} {size:>14,} {path}")
    more = run.files_new + run.files_changed + run.files_retried - len(files)
    if more > 0:
        print(f"and {more:,} more")


def _target(ingestion: Ingestion) -> str:
    return getattr(ingestion.target, "table", ingestion.target.kind)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in counts.items())


if __name__ == "__main__":
    sys.exit(main())
