"""Run an ingestion and be killed: `python -m tests.services.file_crash_worker DECLARATION RUN_ID KILLS SEED`.

Each life is a fork, so that the imports cost once. Most lives end some milliseconds after a random number of files has
been claimed, others within the first steps. The last life is let to its end. Prints how many lives were cut short.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import airflow.providers.clickhousedb.hooks.clickhouse  # noqa: F401 - before the forks
import pyarrow.compute  # noqa: F401

from powersense.autoloader import ledgers, loading, runs, tables  # noqa: F401
from powersense.autoloader.steps import run_once
from powersense.files.declaration import Ingestion


def main() -> None:
    declaration, run_id, kills, seed = sys.argv[1:]
    ingestion = Ingestion.model_validate_json(Path(declaration).read_text())
    chance = random.Random(int(seed))  # noqa: S311 - no secret
    killed = 0
    for life in range(10 * int(kills)):
        if killed == int(kills):
            break
        child = live(ingestion, run_id)
        wait(chance, early=life % 4 == 3)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
    _, status = os.waitpid(live(ingestion, run_id), 0)
    sys.stdout.write(json.dumps({"killed": killed, "exit": os.waitstatus_to_exitcode(status)}) + "\n")


def live(ingestion: Ingestion, run_id: str) -> int:
    child = os.fork()
    if child:
        return child
    # A child never returns into the parent's code, whatever happens in it.
    code = 1
    try:
        code = 0 if run_once(ingestion, run_id=run_id).state == "success" else 2
    finally:
        os._exit(code)


def wait(chance: random.Random, *, early: bool) -> None:
    """Wait for a random point of a life."""
    if early:
        time.sleep(chance.uniform(0.0, 0.4))
        return
    wanted, until = claims() + chance.randint(1, 4), time.monotonic() + 20
    while claims() < wanted and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(chance.uniform(0.0, 0.06))


def claims() -> int:
    connection = json.loads(os.environ["AIRFLOW_CONN_CLICKHOUSE_DEFAULT"])
    asked = urllib.parse.urlencode({"query": "SELECT count() FROM file_claims", "database": connection["schema"]})
    request = urllib.request.Request(f"http://{connection['host']}:{connection['port']}/?{asked}")
    request.add_header("X-ClickHouse-User", connection["login"])
    request.add_header("X-ClickHouse-Key", connection["password"])
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return int(answer.read())


if __name__ == "__main__":
    main()
