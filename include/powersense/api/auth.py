"""Who may call what: reading and writing are two dependencies, given by Airflow or by API keys."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, get_args

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from powersense.api.problems import ProblemError
from powersense.errors import ConfigurationError

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
VARIABLE = "POWERSENSE_API_KEYS"
NEW_KEY_COMMAND = "python -m powersense.api new-key NAME --scope read|write"

_NAME = re.compile(r"^[A-Za-z0-9._\-]{1,64}$")
_HASH = re.compile(r"^[0-9a-f]{64}$")
# Airflow's right to start a DAG is the right to have its work done through the API.
_TRAINING_DAG = "train_models"
_LOADING_DAG = "load_files"
_OPERATING_DAG = "check_data_quality"
_PUSHING_DAG = "ingest_load"


@dataclass(frozen=True)
class Caller:
    """Who calls, by name."""

    name: str


@dataclass(frozen=True)
class Access:
    """The dependencies of protected routes; each returns the `Caller` or refuses.

    Attributes:
        read: of every route.
        write: beside it, of routes that change something.
        load: beside it, of routes that have files loaded.
        declare: beside it, of routes that change where files are loaded from, and with which connection.
        operate: beside it, of routes that acknowledge and silence alerts and label episodes.
        push: beside it, of routes that take measurements.
    """

    read: Callable[..., Any]
    write: Callable[..., Any]
    load: Callable[..., Any]
    declare: Callable[..., Any]
    operate: Callable[..., Any]
    push: Callable[..., Any]


@dataclass(frozen=True)
class ApiKey:
    """A configured key: its name, what it may do (`write` includes `read`), and the SHA-256 of the key itself."""

    name: str
    scope: Scope
    sha256: str


def airflow_access() -> Access:
    """Return the access of an app that Airflow's API server carries: its session or token.

    Reading wants a user; writing one who may trigger `train_models`, and loading files one who may trigger
    `load_files`: a viewer may not. Acknowledging, silencing and labelling want the right to trigger
    `check_data_quality`, pushing measurements that of `ingest_load`. Declaring an ingestion wants one who may change
    connections, since it sends the worker to an address with one of them.
    """
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import get_user, requires_access_connection, requires_access_dag

    def may_trigger(dag_id: str) -> Callable[..., Any]:
        allowed: Callable[..., Any] = requires_access_dag(
            method="POST", access_entity=DagAccessEntity.RUN, param_dag_id=dag_id
        )

        async def trigger(caller: Any = Depends(read), _: Any = Depends(allowed)) -> Any:
            return caller

        return trigger

    # Of the methods that change connections the only one for which Airflow does not read the body.
    may_connect = requires_access_connection(method="DELETE")

    async def read(user: Any = Depends(get_user)) -> Caller:
        return Caller(str(user.get_name()))

    async def declare(caller: Any = Depends(read), _: Any = Depends(may_connect)) -> Any:
        return caller

    return Access(
        read,
        write=may_trigger(_TRAINING_DAG),
        load=may_trigger(_LOADING_DAG),
        declare=declare,
        operate=may_trigger(_OPERATING_DAG),
        push=may_trigger(_PUSHING_DAG),
    )


def key_access(keys: Sequence[ApiKey]) -> Access:
    """Return the access of an app that runs alone: API keys, as `Authorization: Bearer …` or `X-API-Key`."""
    bearer = HTTPBearer(auto_error=False, description=f"An API key; made by `{NEW_KEY_COMMAND}`")
    header = APIKeyHeader(name="X-API-Key", auto_error=False)

    async def identify(
        credentials: HTTPAuthorizationCredentials | None = Depends(bearer), given: str | None = Depends(header)
    ) -> ApiKey:
        presented = credentials.credentials if credentials else given
        if not keys:
            raise _unauthorized(f"No API key is configured: run `{NEW_KEY_COMMAND}` and set {VARIABLE} as it says.")
        if not presented:
            raise _unauthorized("Give an API key: `Authorization: Bearer …` or `X-API-Key: …`.")
        found = _find(keys, presented)
        if found is None:
            raise _unauthorized(f"The API key is none of those in {VARIABLE}.")
        return found

    async def read(key: ApiKey = Depends(identify)) -> Caller:
        return Caller(key.name)

    async def write(key: ApiKey = Depends(identify)) -> Caller:
        if key.scope != "write":
            raise ProblemError(
                HTTPStatus.FORBIDDEN, f"The API key {key.name!r} has the scope {key.scope!r}; this needs 'write'."
            )
        return Caller(key.name)

    return Access(read, write, load=write, declare=write, operate=write, push=write)


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Read `POWERSENSE_API_KEYS`: `name:scope:sha256-hex`, separated by commas.

    Raises:
        ConfigurationError: an entry is not of that form, or a name stands twice; shows no more than the entry's name.
    """
    keys: dict[str, ApiKey] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, scope, sha256 = (*entry.split(":"), "", "")[:3]
        if entry.count(":") != 2 or not _NAME.match(name) or scope not in SCOPES or not _HASH.match(sha256):
            raise ConfigurationError(
                f"{VARIABLE}: the entry of {name[:64]!r} is not name:scope:sha256 with scope read or write and "
                f"64 hexadecimal digits; `{NEW_KEY_COMMAND}` prints one"
            )
        if name in keys:
            raise ConfigurationError(f"{VARIABLE}: the name {name!r} stands twice; give each key a name of its own")
        keys[name] = ApiKey(name, scope, sha256)  # type: ignore[arg-type] # checked against SCOPES
    return tuple(keys.values())


def new_key(name: str, scope: Scope) -> tuple[str, ApiKey]:
    """Make a key of 256 random bits; returns it, and what is configured of it.

    Raises:
        ConfigurationError: the name holds what an entry cannot.
    """
    if not _NAME.match(name):
        raise ConfigurationError(f"name={name!r}: give 1 to 64 letters, digits, dots, hyphens or underscores")
    key = f"ps_{secrets.token_urlsafe(32)}"
    return key, key_entry(name, scope, key)


def key_entry(name: str, scope: Scope, key: str) -> ApiKey:
    """Return what is configured of a key that was made elsewhere."""
    return ApiKey(name, scope, _digest(key))


def _find(keys: Sequence[ApiKey], presented: str) -> ApiKey | None:
    """Return the key that was presented; takes as long for one that is wrong."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def _digest(key: str) -> str:
    # The keys are random, so that a slow hash would protect nothing more.
    return hashlib.sha256(key.encode()).hexdigest()


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
