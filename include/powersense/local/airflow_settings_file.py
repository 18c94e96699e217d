"""Reads ``airflow_settings.yaml``, Astro's file of connections, pools and variables, for the stack without Docker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from powersense.errors import ConfigurationError


@dataclass(frozen=True)
class Pool:
    """An Airflow pool as declared."""

    name: str
    slots: int
    description: str


@dataclass(frozen=True)
class AirflowSettings:
    """The declared connections (by id, in the shape of Airflow's JSON connections), pools and variables (by name)."""

    connections: Mapping[str, Mapping[str, Any]]
    pools: tuple[Pool, ...]
    variables: Mapping[str, str]


def read_airflow_settings(path: Path) -> AirflowSettings:
    """Read the file.

    Raises:
        ConfigurationError: it is absent, no YAML, or an entry lacks its name; names the file and the entry.
    """
    try:
        declared = yaml.safe_load(path.read_text())["airflow"]
        return AirflowSettings(
            connections={entry["conn_id"]: _connection(entry) for entry in declared.get("connections") or []},
            pools=tuple(
                Pool(entry["pool_name"], int(entry["pool_slot"]), entry.get("pool_description") or "")
                for entry in declared.get("pools") or []
            ),
            variables={
                entry["variable_name"]: str(entry["variable_value"]) for entry in declared.get("variables") or []
            },
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error!r}; see Astro's format of airflow_settings.yaml") from error


def _connection(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with Airflow's own names; empty fields are left out."""
    fields = ("type", "host", "port", "login", "password", "schema", "extra")
    values = {field: entry.get(f"conn_{field}") for field in fields}
    named = {"conn_type" if field == "type" else field: value for field, value in values.items() if value}
    return {"conn_type": entry["conn_type"], **named}


def connection_variables(
    connections: Mapping[str, Mapping[str, Any]], overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the ``AIRFLOW_CONN_<ID>`` variables of the connections, each with its overridden fields."""
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps({**connection, **overrides.get(name, {})})
        for name, connection in connections.items()
    }
