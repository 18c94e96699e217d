"""Runs a command in the environment of the local stack: ``python -m powersense.local.shell airflow dags list``.

The stack that runs now is meant; when none runs, the one that ran last.
"""

from __future__ import annotations

import os
import sys

from powersense.errors import LocalStackError, PowerSenseError
from powersense.local.airflow_env import airflow_environment
from powersense.local.airflow_settings_file import read_airflow_settings
from powersense.local.options import MODES, PROJECT_ROOT, StackOptions, read_options
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.state import StateFolder


def stack_environment() -> dict[str, str]:
    """Return the environment of the stack that runs, or ran last.

    Raises:
        LocalStackError: no stack was ever started.
    """
    options = _latest_stack()
    secrets = StateFolder(options.state_dir).secrets()
    postgres = EmbeddedPostgres(options.state_dir / "postgres", secrets.postgres_password)
    declared = read_airflow_settings(PROJECT_ROOT / "airflow_settings.yaml")
    return airflow_environment(options, secrets, declared, postgres)


def _latest_stack() -> StackOptions:
    known = [options for mode in MODES if (options := read_options(mode)).state_dir.exists()]
    if not known:
        raise LocalStackError("no local stack was started yet: run `make demo` or `make start` first")
    running = [options for options in known if StateFolder(options.state_dir).holder() is not None]
    return max(running or known, key=lambda options: (options.state_dir / "stack.lock").stat().st_mtime)


def main(arguments: list[str]) -> int:
    """Become the command; return an exit code only when that is impossible."""
    if not arguments:
        print("usage: python -m powersense.local.shell COMMAND…", file=sys.stderr)
        return 2
    try:
        environment = stack_environment()
    except PowerSenseError as error:
        print(error, file=sys.stderr)
        return 1
    os.execvpe(arguments[0], arguments, environment)  # noqa: S606 - what the user typed
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
