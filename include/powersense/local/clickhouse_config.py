"""Configuration files of the embedded ClickHouse: server settings, users and their rights.

The engine is clickhouse-local grown a listener: it reads ``./config.xml`` and the users file that it names, and refuses
``CREATE USER`` and ``GRANT``, so every right has to be written here.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from xml.sax.saxutils import escape

# Memory of all queries together above which a query is refused: a laptop keeps room for Airflow.
MAX_MEMORY_BYTES = 4 * 1024**3

WRITER = "powersense_writer"
READER = "powersense_reader"
LOADER = "powersense_loader"

# Both databases (tables and marts) and any that a test or a developer's own dbt target adds share the prefix.
DATABASES = "powersense*.*"

# Named one by one: engines that reach files or other hosts (File, URL, S3 …) stay closed.
TABLE_ENGINES = (
    "MergeTree",
    "ReplacingMergeTree",
    "AggregatingMergeTree",
    "SummingMergeTree",
    "Memory",
    "Null",
    "Dictionary",
)

_TABLE_GRANTS = (
    f"GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY ON {DATABASES}",
    f"GRANT DROP DATABASE, DROP TABLE, DROP VIEW, DROP DICTIONARY, TRUNCATE, OPTIMIZE, dictGet ON {DATABASES}",
    f"GRANT SYSTEM SYNC REPLICA, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM VIEWS ON {DATABASES}",
    *(f"GRANT TABLE ENGINE ON {engine}" for engine in TABLE_ENGINES),
    "GRANT CREATE TEMPORARY TABLE, KILL QUERY, SYSTEM FLUSH LOGS ON *.*",
    "GRANT SELECT ON system.*",
)
# Backups go to the one disk that the server names for them; who holds these rights can add one there, not remove any.
WRITER_GRANTS = (
    *_TABLE_GRANTS,
    f"GRANT BACKUP ON {DATABASES}",
    "GRANT READ, WRITE ON DISK",
)
# What the autoloader's reads through the engine need: files of the server's machine, and object stores.
LOADER_GRANTS = (
    *_TABLE_GRANTS,
    "GRANT READ ON FILE",
    "GRANT READ ON S3",
    "GRANT READ ON AZURE",
)
READER_GRANTS = (
    f"GRANT SHOW, SELECT, dictGet ON {DATABASES}",
    "GRANT SELECT ON system.*",
)

_CONFIG = """<clickhouse>
  <!-- Written at every start by powersense.local.clickhouse: edits are lost. -->
  <http_port>{http_port}</http_port>
  {tcp_port}
  <listen_host>127.0.0.1</listen_host>
  <users_config>users.xml</users_config>
  <!-- clickhouse-local turns its default database into an overlay of files: keep it out of the users' way. -->
  <default_database>default_local</default_database>
  <!-- A pooled client connection would hold the stop for longer than its forced exit, which skips the last flush. -->
  <keep_alive_timeout>3</keep_alive_timeout>
  <max_concurrent_queries>100</max_concurrent_queries>
  <max_server_memory_usage>{max_memory_bytes}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <!-- Sized to two cores these pools warn thousands of times a minute. -->
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <background_streaming_schedule_pool_size>4</background_streaming_schedule_pool_size>
  <log-level>warning</log-level>
  <logger>
    <level>warning</level>
    <log>clickhouse.log</log>
    <size>10M</size>
    <count>3</count>
  </logger>
  <storage_configuration>
    <disks><backups><type>local</type><path>{backups_dir}/</path></backups></disks>
  </storage_configuration>
  <backups><allowed_disk>backups</allowed_disk></backups>
  <merge_tree>
    <!-- A retried insert that carries a deduplication token is recognised for this many blocks. -->
    <non_replicated_deduplication_window>1000</non_replicated_deduplication_window>
  </merge_tree>
</clickhouse>
"""

_USERS = """<clickhouse>
  <profiles>
    <!-- Not on `default`: every other profile starts from that one. -->
    <default/>
    <!-- The engine's own session logs in as the passwordless `default`: one session means nobody else can. -->
    <engine><max_sessions_for_user>1</max_sessions_for_user></engine>
    <writer/>
    <!-- 2: reads only, yet clients may set the session settings that they send with every query. -->
    <reader><readonly>2</readonly></reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>engine</profile>
      <quota>default</quota>
    </default>
{users}
  </users>
</clickhouse>
"""

_USER = """    <{name}>
      <password_sha256_hex>{password_sha256}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>{profile}</profile>
      <quota>default</quota>
      <default_database>default</default_database>
      <grants>
{grants}
      </grants>
    </{name}>"""


def write_configuration(  # noqa: PLR0913 - keyword-only
    data_dir: Path,
    *,
    http_port: int,
    tcp_port: int | None,
    writer_password: str,
    reader_password: str,
    loader_password: str = "",
    backups_dir: Path | None = None,
) -> None:
    """Write ``config.xml`` and ``users.xml`` into the engine's folder, readable by their owner only.

    Args:
        data_dir: Folder that the engine is started in; must exist.
        http_port: Loopback port of the HTTP interface.
        tcp_port: Loopback port of the native interface, or ``None`` for none.
        writer_password: Password of ``powersense_writer``; only its SHA-256 is written.
        reader_password: Password of ``powersense_reader``; only its SHA-256 is written.
        loader_password: Password of ``powersense_loader``; empty: there is no such user.
        backups_dir: Folder of the disk that backups go to, made if absent; by default ``backups`` in ``data_dir``.
    """
    backups = (backups_dir or data_dir / "backups").resolve()
    backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = _CONFIG.format(
        http_port=http_port,
        tcp_port=f"<tcp_port>{tcp_port}</tcp_port>" if tcp_port is not None else "",
        max_memory_bytes=MAX_MEMORY_BYTES,
        backups_dir=escape(str(backups)),
    )
    listed = [
        _user(WRITER, password=writer_password, profile="writer", grants=WRITER_GRANTS),
        _user(READER, password=reader_password, profile="reader", grants=READER_GRANTS),
    ]
    if loader_password:
        listed.append(_user(LOADER, password=loader_password, profile="writer", grants=LOADER_GRANTS))
    users = "\n".join(listed)
    write_private(data_dir / "config.xml", config)
    write_private(data_dir / "users.xml", _USERS.format(users=users))


def _user(name: str, *, password: str, profile: str, grants: tuple[str, ...]) -> str:
    return _USER.format(
        name=name,
        password_sha256=hashlib.sha256(password.encode()).hexdigest(),
        profile=profile,
        grants="\n".join(f"        <query>{escape(grant)}</query>" for grant in grants),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whatever the umask and whatever stood there before.

    Args:
        path: File to replace; its folder must exist.
        text: New content, written as UTF-8.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
