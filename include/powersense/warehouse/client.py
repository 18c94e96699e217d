"""Connections to ClickHouse, by role, through the official provider's hook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from powersense.errors import ConfigurationError, WarehouseError, WarehouseUnavailableError
from powersense.settings import Settings, get_settings

if TYPE_CHECKING:
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook
    from clickhouse_connect.driver.client import Client

Role = Literal["writer", "reader", "loader"]

# A write counts once a majority of replicas holds it, writes come one after another, and a read sees every counted
# write: the order of landings (ADR 0002) rests on it. A single node gives all three by itself.
_CLUSTER_SETTINGS: dict[Role, dict[str, Any]] = {
    "writer": {"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1},
    "reader": {"select_sequential_consistency": 1},
    "loader": {"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1},
}
# An asynchronous insert answers before its rows are stored, and would not honour a deduplication token by itself.
_WRITER_SETTINGS: dict[str, Any] = {"async_insert": 0, "insert_deduplicate": 1}

_AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"


def session_settings_for(role: Role, settings: Settings) -> dict[str, Any]:
    """Return the ClickHouse settings that a role's session starts with."""
    chosen = dict(_WRITER_SETTINGS) if role != "reader" else {}
    return chosen | (_CLUSTER_SETTINGS[role] if settings.clickhouse_cluster else {})


def connection_of(role: Role, settings: Settings) -> str:
    """Return the id of a role's Airflow connection."""
    return {
        "writer": settings.writer_connection,
        "reader": settings.reader_connection,
        "loader": settings.loader_connection,
    }[role]


@contextmanager
def connect_loader() -> Iterator[Client | None]:
    """Open the loader's client, or give None where its connection is not defined: then nothing is read by the server.

    Raises:
        WarehouseUnavailableError: see `connect`.
        WarehouseError: see `connect`.
    """
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        ClickHouseHook.get_connection(get_settings().loader_connection)
    except AirflowNotFoundException:
        yield None
        return
    with connect("loader") as client:
        yield client


@contextmanager
def connect(role: Role = "writer", *, database: str | None = None, **session_settings: Any) -> Iterator[Client]:
    """Open a ClickHouse client for a role and close it on exit; may be used by one thread at a time.

    Args:
        role: `writer` for what changes tables, `loader` for what also lets the server read files and object stores,
            `reader` for everything else; each has its own Airflow connection, found in Airflow's secrets backends and
            metadata, or in AIRFLOW_CONN_* outside Airflow.
        database: session database; the connection's schema by default.
        **session_settings: ClickHouse settings on top of the role's.

    Raises:
        ConfigurationError: the role's connection is not defined.
        WarehouseUnavailableError: the server cannot be reached, on opening or on a later request of the session.
        WarehouseError: the server refuses the login or a statement; carries its answer.
    """
    from airflow.providers.clickhousedb.hooks.clickhouse import ClickHouseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
    from urllib3.exceptions import HTTPError

    settings = get_settings()
    connection_id = connection_of(role, settings)
    hook = ClickHouseHook(
        clickhouse_conn_id=connection_id,
        database=database,
        session_settings=session_settings_for(role, settings) | session_settings,
        # Sessions on the server forbid parallel requests; only scoring, for its temporary tables, opens one by its id.
        # Instants come back with their zone, since a naive one compares with nothing else in the package.
        client_kwargs={"autogenerate_session_id": False, "tz_mode": "aware"},
    )
    client = None
    try:
        client = hook.get_client()
        yield client
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"the Airflow connection {connection_id!r} is not defined; "
            f"set AIRFLOW_CONN_{connection_id.upper()}, or add it in Airflow"
        ) from error
    except (HTTPError, ConnectionError) as error:
        raise WarehouseUnavailableError(_unreachable(hook, connection_id)) from error
    except DatabaseError as error:
        # Without a code of the server's the answer never came, or broke off.
        if error.code is None and isinstance(error, OperationalError):
            raise WarehouseUnavailableError(_unreachable(hook, connection_id)) from error
        if error.name == _AUTHENTICATION_FAILED:
            raise WarehouseError(_refused(hook, connection_id)) from error
        raise WarehouseError(f"ClickHouse at {_address(hook, connection_id)[0]} answers: {error}") from error
    finally:
        if client is not None:
            client.close()


def _address(hook: ClickHouseHook, connection_id: str) -> tuple[str, str]:
    """Return `host:port` and the login of a connection; never its password."""
    connection = hook.get_connection(connection_id)
    return f"{connection.host or 'localhost'}:{connection.port or 8123}", connection.login or "default"


def _unreachable(hook: ClickHouseHook, connection_id: str) -> str:
    address, _ = _address(hook, connection_id)
    return (
        f"ClickHouse at {address} does not answer. Start it (`make start`, or `astro dev start`), "
        f"or correct host and port in the Airflow connection {connection_id!r}."
    )


def _refused(hook: ClickHouseHook, connection_id: str) -> str:
    address, login = _address(hook, connection_id)
    return (
        f"ClickHouse at {address} refuses the login {login!r}. "
        f"Correct login and password in the Airflow connection {connection_id!r}."
    )
