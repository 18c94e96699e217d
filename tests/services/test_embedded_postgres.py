"""The embedded PostgreSQL keeps its data between starts, asks for a password, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import psutil
import psycopg2
import pytest
import sqlalchemy

from powersense.local.postgres import EmbeddedPostgres


def test_data_outlives_a_restart_and_nothing_else_does(tmp_path: Path) -> None:
    for expected in (0, 1):
        with EmbeddedPostgres(tmp_path / "postgres", "secret") as server:
            engine = sqlalchemy.create_engine(server.url())
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS t (a int)"))
                assert connection.execute(sqlalchemy.text("SELECT count(*) FROM t")).scalar() == expected
                connection.execute(sqlalchemy.text("INSERT INTO t VALUES (1)"))
            engine.dispose()
        left = [process for process in psutil.process_iter(["cmdline"]) if _serves(process, tmp_path)]
        assert left == []


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "postgres", "secret") as server, pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host=str(server.socket_dir), user="airflow", password="wrong", dbname="postgres")


def test_a_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep / "postgres", "secret") as server:
        assert server.is_ready()
        assert len(str(server.socket_dir)) < 90
    server.socket_dir.rmdir()


def _serves(process: psutil.Process, folder: Path) -> bool:
    return str(folder / "postgres") in (process.info["cmdline"] or [])
