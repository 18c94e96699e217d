"""The embedded ClickHouse is the real server: users with rights, data that outlives kill -9, clear refusals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import clickhouse_connect
import psutil
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from powersense.errors import PortInUseError
from powersense.local.clickhouse import EmbeddedClickHouse, EngineStartError, engine_command, import_environment
from powersense.local.ports import free_port

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DATABASE = "powersense_embedded"


def client(server: EmbeddedClickHouse, role: str = "writer") -> Client:
    password = server.writer_password if role == "writer" else server.reader_password
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=server.http_port, username=f"powersense_{role}", password=password
    )


def engine(folder: Path, *, http_port: int | None = None) -> EmbeddedClickHouse:
    return EmbeddedClickHouse(folder, http_port or free_port(), "writer-password", "reader-password")


@pytest.fixture
def table(clickhouse_server: EmbeddedClickHouse) -> Iterator[str]:
    """A table with three rows in a database that the writer made."""
    with client(clickhouse_server) as writer:
        writer.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        writer.command(f"CREATE OR REPLACE TABLE {DATABASE}.t (a UInt32) ENGINE = MergeTree ORDER BY a")
        writer.command(f"INSERT INTO {DATABASE}.t VALUES (1), (2), (3)")
        yield f"{DATABASE}.t"
        writer.command(f"DROP DATABASE {DATABASE} SYNC")


def test_the_clock_of_the_server_is_utc(clickhouse_server: EmbeddedClickHouse) -> None:
    with client(clickhouse_server, "reader") as reader:
        assert reader.query("SELECT timezone()").result_rows == [("UTC",)]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("ALTER TABLE {t} ADD COLUMN b String", id="alter"),
        pytest.param("OPTIMIZE TABLE {t} FINAL", id="optimize"),
        pytest.param("TRUNCATE TABLE {t}", id="truncate"),
        pytest.param("CREATE OR REPLACE VIEW {t}_view AS SELECT * FROM {t} WHERE a < {{n:UInt32}}", id="view"),
        pytest.param("CREATE OR REPLACE TABLE {t}_r (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a", id="replacing"),
        pytest.param("DROP TABLE {t} SYNC", id="drop"),
    ],
)
def test_the_writer_may(clickhouse_server: EmbeddedClickHouse, table: str, statement: str) -> None:
    with client(clickhouse_server) as writer:
        writer.command(statement.format(t=table).replace("{{", "{").replace("}}", "}"))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("CREATE DATABASE other", id="databases of other names"),
        pytest.param("SELECT * FROM file('/etc/passwd', LineAsString)", id="files of the machine"),
        pytest.param("SELECT * FROM url('http://127.0.0.1:1', LineAsString)", id="other hosts"),
        pytest.param("CREATE USER somebody", id="users"),
        pytest.param("SYSTEM SHUTDOWN", id="shutdown"),
    ],
)
def test_the_writer_is_kept_from(clickhouse_server: EmbeddedClickHouse, statement: str) -> None:
    with client(clickhouse_server) as writer, pytest.raises(DatabaseError, match="ACCESS_DENIED"):
        writer.command(statement)


def test_the_reader_reads_views_tables_and_system_tables(clickhouse_server: EmbeddedClickHouse, table: str) -> None:
    with client(clickhouse_server, "reader") as reader:
        assert reader.query(f"SELECT sum(a) FROM {table} SETTINGS max_threads = 1").result_rows == [(6,)]
        assert reader.query("SELECT count() > 0 FROM system.parts").result_rows == [(True,)]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("INSERT INTO {t} VALUES (4)", id="insert"),
        pytest.param("ALTER TABLE {t} DELETE WHERE 1", id="delete"),
        pytest.param("TRUNCATE TABLE {t}", id="truncate"),
        pytest.param("DROP TABLE {t}", id="drop"),
        pytest.param("CREATE TABLE {t}2 (a UInt8) ENGINE = Memory", id="create"),
        pytest.param("OPTIMIZE TABLE {t}", id="optimize"),
    ],
)
def test_the_reader_may_not(clickhouse_server: EmbeddedClickHouse, table: str, statement: str) -> None:
    with client(clickhouse_server, "reader") as reader:
        with pytest.raises(DatabaseError, match=r"ACCESS_DENIED|READONLY"):
            reader.command(statement.format(t=table))
        assert reader.query(f"SELECT count() FROM {table}").result_rows == [(3,)]


@pytest.mark.parametrize(("user", "password"), [("powersense_writer", "wrong"), ("default", "")])
def test_nobody_gets_in_without_a_password(clickhouse_server: EmbeddedClickHouse, user: str, password: str) -> None:
    with pytest.raises(DatabaseError, match=r"AUTHENTICATION_FAILED|USER_SESSION_LIMIT_EXCEEDED"):
        clickhouse_connect.get_client(
            host="127.0.0.1", port=clickhouse_server.http_port, username=user, password=password
        )


def test_acknowledged_rows_survive_kill_9_and_a_clean_restart(tmp_path: Path) -> None:
    server = engine(tmp_path)
    with server:
        with client(server) as writer:
            writer.command(f"CREATE DATABASE {DATABASE}")
            writer.command(f"CREATE TABLE {DATABASE}.t (a UInt32) ENGINE = MergeTree ORDER BY a")
            for batch in range(20):
                writer.insert(f"{DATABASE}.t", [[batch * 1000 + row] for row in range(1000)], column_names=["a"])
        os.kill(server.pid, signal.SIGKILL)
        server.kill()
        for _ in range(2):
            with engine(tmp_path) as again, client(again, "reader") as reader:
                counts = reader.query(f"SELECT count(), uniqExact(a) FROM {DATABASE}.t").result_rows
                assert counts == [(20_000, 20_000)]


def test_a_second_engine_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with engine(tmp_path) as server:
        with pytest.raises(EngineStartError, match=f"in use by another ClickHouse engine .pid {server.pid}"):
            engine(tmp_path).start()
        assert server.ping()
        with client(server, "reader") as reader:
            assert reader.query("SELECT 1").result_rows == [(1,)]


def test_a_busy_port_is_named_with_the_variable_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} for ClickHouse .*CLICKHOUSE_HTTP_PORT="):
            engine(tmp_path, http_port=port).start()


def test_the_command_stops_cleanly_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    passwords = {"CLICKHOUSE_WRITER_PASSWORD": "w", "CLICKHOUSE_READER_PASSWORD": "r"}
    process = subprocess.Popen(
        engine_command(tmp_path, port),
        env=os.environ | passwords | import_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    probe = EmbeddedClickHouse(tmp_path, port, "w", "r")
    deadline = time.monotonic() + 60
    while not probe.ping() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors.decode()


def test_an_engine_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys; from powersense.local.clickhouse import EmbeddedClickHouse; "
        f"server = EmbeddedClickHouse({str(tmp_path)!r}, {free_port()}, 'w', 'r').start(); "
        "print(server.pid, flush=True); os._exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | import_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the engine outlived its starter"
        time.sleep(0.1)
