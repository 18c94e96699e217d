"""The environment in which the local stack runs Airflow: connections, keys, folders, settings for a small machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

from powersense.local.airflow_settings_file import AirflowSettings, connection_variables
from powersense.local.clickhouse_config import write_private
from powersense.local.demo_files import declarations_folder
from powersense.local.options import PROJECT_ROOT, StackOptions
from powersense.local.ports import LOOPBACK
from powersense.local.postgres import EmbeddedPostgres
from powersense.local.state import Secrets
from powersense.page import URL_PREFIX as PAGE_PREFIX

ADMIN = "admin"
VIEWER = "viewer"
# The replay asks for a key, as the weather API does, and takes any.
REPLAY_API_KEY = "replay"

# Sized to two cores; a variable of the same name in the environment or .env wins.
TUNING = {
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    # A killed task is noticed within a minute; the default of five is longer than an ingestion cycle.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "cosmos=WARNING",
}


def airflow_environment(
    options: StackOptions,
    secrets: Secrets,
    declared: AirflowSettings,
    postgres: EmbeddedPostgres,
) -> dict[str, str]:
    """Return the full environment of every Airflow process, and of the commands that work on the warehouse.

    Args:
        options: ports, mode and state folder.
        secrets: passwords and keys.
        declared: connections, pools and variables of ``airflow_settings.yaml``.
        postgres: the metadata database.
    """
    local = _local_addresses(options, secrets)
    return {
        **TUNING,
        **options.environment,
        **_process_variables(options),
        **_airflow_core(options, secrets, postgres),
        **_dbt_variables(options, secrets),
        **connection_variables(declared.connections, local),
        **_own_connections(options, declared, local),
        **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in declared.variables.items()},
    }


def write_password_file(options: StackOptions, secrets: Secrets) -> Path:
    """Write the file from which SimpleAuthManager takes the users' passwords, and return its path."""
    file = _airflow_home(options) / "passwords.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps({ADMIN: secrets.admin_password, VIEWER: secrets.viewer_password}))
    return file


def _airflow_home(options: StackOptions) -> Path:
    return options.state_dir / "airflow"


def _process_variables(options: StackOptions) -> dict[str, str]:
    inherited = options.environment
    no_proxy = [name for name in (inherited.get("NO_PROXY") or inherited.get("no_proxy") or "").split(",") if name]
    without_proxy = ",".join(dict.fromkeys([*no_proxy, LOOPBACK, "localhost"]))
    variables = {
        "TZ": "UTC",
        "POWERSENSE_PROJECT_ROOT": str(PROJECT_ROOT),
        # config/ holds airflow_local_settings.py.
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(PROJECT_ROOT / "include"), str(PROJECT_ROOT / "config"), inherited.get("PYTHONPATH")])
        ),
        "MODEL_STORE_URL": inherited.get("MODEL_STORE_URL") or f"file://{options.state_dir / 'models'}",
        "POWERSENSE_SCHEDULES": "off" if options.mode == "demo-once" else inherited.get("POWERSENSE_SCHEDULES", "on"),
        "POWERSENSE_PUBLIC_URL": inherited.get("POWERSENSE_PUBLIC_URL")
        or f"http://{LOOPBACK}:{options.airflow_port}{PAGE_PREFIX}/",
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        # Tasks that share two cores lose half of them to OpenBLAS's waiting threads.
        "OPENBLAS_NUM_THREADS": inherited.get("OPENBLAS_NUM_THREADS", "1"),
        "DO_NOT_TRACK": "1",
        "SCARF_ANALYTICS": "false",
    }
    if options.has_broker:
        # Security settings are meant for another broker; this one has none.
        secured = [name for name in inherited if name.startswith(("KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_"))]
        variables |= dict.fromkeys(secured, "")
        variables["KAFKA_BOOTSTRAP_SERVERS"] = f"{LOOPBACK}:{options.kafka_port}"
    if options.has_replay:
        # These lead to the real portal and its files: the demo reads neither, nor the files of other ingestions.
        variables |= {"API_URL": "", "HISTORY_DATA_URL": "", "FILE_SOURCE_FOLDERS": ""}
        variables |= {"FILE_INGESTIONS_FOLDER": str(declarations_folder(options.state_dir))}
        replay = f"http://{LOOPBACK}:{options.replay_port}"
        variables |= {
            "METEO_HOURLY_URL": f"{replay}/meteofrance/hourly",
            "SYNOP_URL": f"{replay}/meteofrance/synop",
            "WEATHER_FORECAST_URL": f"{replay}/open-meteo/v1/forecast",
            # The replay has no quota to spare.
            "METEO_REQUESTS_PER_MINUTE": "0",
        }
    return variables


def _airflow_core(options: StackOptions, secrets: Secrets, postgres: EmbeddedPostgres) -> dict[str, str]:
    home = _airflow_home(options)
    base_url = f"http://{LOOPBACK}:{options.airflow_port}"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # The demo lets its DAGs go one after another.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(options.mode == "demo"),
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{VIEWER}:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url("asyncpg"),
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(options.airflow_port),
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        # Cosmos's default is a folder that all users of the machine share.
        "AIRFLOW__COSMOS__CACHE_DIR": str(home / "cosmos"),
    }


def _dbt_variables(options: StackOptions, secrets: Secrets) -> dict[str, str]:
    """Return what ``dbt/profiles.yml`` reads on the command line."""
    return {
        "CLICKHOUSE_HOST": LOOPBACK,
        "CLICKHOUSE_PORT": str(options.clickhouse_http_port),
        "CLICKHOUSE_USER": "powersense_writer",
        "CLICKHOUSE_PASSWORD": secrets.clickhouse_writer_password,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _own_connections(
    options: StackOptions, declared: AirflowSettings, local: dict[str, dict[str, object]]
) -> dict[str, str]:
    """Return the declared connections that the environment brings itself, with a key: they win, but not over ours."""
    names = [f"AIRFLOW_CONN_{name.upper()}" for name in declared.connections if name not in local]
    return {name: options.environment[name] for name in names if options.environment.get(name)}


def _local_addresses(options: StackOptions, secrets: Secrets) -> dict[str, dict[str, object]]:
    """Return the fields of the declared connections that are others on this machine."""
    clickhouse = {"host": LOOPBACK, "port": options.clickhouse_http_port}
    database = options.environment.get("CLICKHOUSE_DATABASE") or "powersense"
    addresses: dict[str, dict[str, object]] = {
        "clickhouse_default": {
            **clickhouse,
            "password": secrets.clickhouse_writer_password,
            "schema": database,
        },
        "clickhouse_reader": {
            **clickhouse,
            "password": secrets.clickhouse_reader_password,
            "schema": database,
        },
    }
    addresses["clickhouse_loader"] = {
        **clickhouse,
        "password": secrets.clickhouse_loader_password,
        "schema": database,
    }
    if options.has_replay:
        replay = f"http://{LOOPBACK}:{options.replay_port}"
        addresses["odre_default"] = {"host": replay}
        addresses["meteo_france_default"] = {"host": f"{replay}/meteofrance", "password": REPLAY_API_KEY}
    return addresses
