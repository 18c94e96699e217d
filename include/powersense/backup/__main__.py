"""``python -m powersense.backup``: copy the warehouse to the server's disk `backups`, check a copy, bring it back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from powersense.errors import PowerSenseError
from powersense.settings import get_settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    given = _parser().parse_args(arguments)
    from powersense.warehouse.client import connect

    now = datetime.now(UTC)
    suffix = f"{now:%Y%m%d_%H%M%S_%f}"
    try:
        with connect("writer", database="default") as client:
            if given.command == "create":
                return _create(client, given.name or f"{now:%Y%m%dT%H%M%SZ}", given.upon)
            if given.command == "verify":
                return _verify(client, given.name, f"_verify_{suffix}")
            return _restore(client, given.name, f"_before_{suffix}" if given.replace else None)
    except PowerSenseError as error:
        print(error, file=sys.stderr)
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m powersense.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="copy the warehouse; ingestion may go on meanwhile")
    create.add_argument("name", nargs="?", help="default: the time, as 20261122T133600Z")
    create.add_argument("--upon", metavar="NAME", help="copy only what this earlier backup has not")
    verify = commands.add_parser("verify", help="restore a backup aside, count its rows, remove it again")
    verify.add_argument("name")
    restore = commands.add_parser("restore", help="bring the warehouse back as the backup has it")
    restore.add_argument("name")
    restore.add_argument("--replace", action="store_true", help="keep databases that hold something under another name")
    return parser


def _create(client: Client, name: str, earlier: str | None) -> int:
    from powersense.warehouse import backups

    made = backups.create(client, settings=get_settings(), name=name, earlier=earlier)
    print(f"backup {made.name}: {made.files:,} files, {made.size_bytes / 1e6:,.1f} MB")
    return 0


def _verify(client: Client, name: str, suffix: str) -> int:
    from powersense.warehouse import backups

    rows = backups.verify(client, settings=get_settings(), name=name, suffix=suffix)
    for table, count in rows.items():
        if count:
            print(f"{count:>14,} {table}")
    print(f"backup {name} can be restored: {len(rows)} tables, {sum(rows.values()):,} rows")
    return 0


def _restore(client: Client, name: str, kept_suffix: str | None) -> int:
    from powersense.warehouse import backups

    kept = backups.restore(client, settings=get_settings(), name=name, kept_suffix=kept_suffix)
    print(f"restored {name}")
    for database in kept:
        print(f"what was there before is kept in {database}; drop it when nobody misses it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
