"""What an Airflow connection says about an object store: its address and its login.

s3://bucket/…, connection type aws, s3 or generic:
    login and password are the access key and its secret (or the extras aws_access_key_id, aws_secret_access_key);
    extras endpoint_url, region_name, aws_session_token.
abfs://container@account/…, connection type wasb, adls, azure_data_lake or generic:
    login is the account, password its key; or the extra sas_token, connection_string or shared_access_key; or, for a
    service principal, the extra tenant_id with the client's id and secret as login and password. host is the address
    of another cloud or of an emulator.
gs://bucket/…, connection type google_cloud_platform, gcs or generic:
    extras keyfile_dict or key_path; endpoint of an emulator. login and password are an HMAC key and its secret, with
    which ClickHouse reads by itself.

For all: the extra verify names a file with a certificate authority to trust. The extra `anonymous: true`, like no
connection at all, sends no login (public buckets). A connection without a login takes what the machine gives: its
role, its environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from powersense.errors import ConfigurationError

if TYPE_CHECKING:
    from powersense.files.declaration import Ingestion

_TYPES = {
    "s3": ("aws", "s3", "generic"),
    "abfs": ("wasb", "adls", "azure_data_lake", "azure", "generic"),
    "gs": ("google_cloud_platform", "gcs", "generic"),
}
_ASSUMED = ("role_arn", "profile_name", "assume_role_kwargs")


@dataclass(frozen=True)
class StoreLogin:
    """One store's address and login.

    Attributes:
        scheme: `s3`, `abfs` or `gs`.
        bucket: or container.
        config: options of obstore's store, without the credentials of S3.
        keys: access key, secret and session token of S3; the HMAC key and secret of Google; account and key of Azure.
            Empty where there are none, or another kind of login is used.
        is_anonymous: whether requests carry no login at all.
        endpoint: address to talk to, without a closing slash; empty for the cloud's own.
        certificates: PEM of a certificate authority to trust besides the system's.
        access: the options that lead here, for messages.
    """

    scheme: str
    bucket: str
    config: Mapping[str, Any] = field(repr=False)
    keys: tuple[str, ...] = field(repr=False)
    is_anonymous: bool
    endpoint: str
    certificates: str
    access: str

    @property
    def base(self) -> str:
        """The root for people."""
        return f"{self.scheme}://{self.bucket}"


@dataclass(frozen=True)
class _Fields:
    """A connection's fields, the same for every kind."""

    name: str
    login: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def get(self, *names: str) -> str:
        """Return the first extra that is there, as text."""
        for name in names:
            value = self.extra.get(name, self.extra.get(f"extra__google_cloud_platform__{name}"))
            if value not in (None, ""):
                return value if isinstance(value, str) else json.dumps(value)
        return ""

    @property
    def is_anonymous(self) -> bool:
        return not self.name or str(self.extra.get("anonymous", "")).lower() in ("true", "1", "yes")

    @property
    def access(self) -> str:
        if not self.name:
            return "the ingestion's uri, or name an Airflow connection in its field 'connection'"
        return f"the Airflow connection {self.name!r}"


def login_of(ingestion: Ingestion) -> StoreLogin:
    """Return where an ingestion's bucket is and how to log in.

    Raises:
        ConfigurationError: the connection is not defined, is of another kind, or lacks a field.
    """
    parts = urlsplit(ingestion.uri)
    fields = _fields(ingestion.connection, parts.scheme)
    makers = {"s3": _amazon, "abfs": _azure, "gs": _google}
    return makers[parts.scheme](parts.netloc, fields)


def _fields(name: str, scheme: str) -> _Fields:
    """Read an Airflow connection.

    Raises:
        ConfigurationError: it is not defined, or its type leads to another kind of store.
    """
    if not name:
        return _Fields("")
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection: Any = BaseHook.get_connection(name)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"the Airflow connection {name!r} is not defined; set AIRFLOW_CONN_{name.upper()}, or add it in Airflow"
        ) from error
    if connection.conn_type not in _TYPES[scheme]:
        raise ConfigurationError(
            f"the Airflow connection {name!r} has the type {connection.conn_type!r}; {scheme}:// needs one of "
            f"{', '.join(_TYPES[scheme])}"
        )
    host = connection.host or ""
    if connection.port and host:
        host = f"{host}:{connection.port}"
    return _Fields(name, connection.login or "", connection.password or "", host, connection.extra_dejson)


def _amazon(bucket: str, fields: _Fields) -> StoreLogin:
    """Return how to reach an S3 bucket.

    Raises:
        ConfigurationError: half a key, or a role to assume.
    """
    assumed = [name for name in _ASSUMED if fields.extra.get(name)]
    if assumed:
        raise ConfigurationError(
            f"{fields.access} has the extra {assumed[0]!r}, which is not used here: give the workers that role, or put "
            "an access key and its secret into login and password"
        )
    key = fields.login or fields.get("aws_access_key_id")
    secret = fields.password or fields.get("aws_secret_access_key")
    if bool(key) != bool(secret):
        raise ConfigurationError(
            f"{fields.access} has half a login: put the access key into login, its secret into password"
        )
    endpoint = _address(fields.get("endpoint_url") or (fields.host if "://" in fields.host else ""), fields)
    config: dict[str, Any] = {"region": fields.get("region_name", "region") or "us-east-1"}
    if endpoint:
        config["endpoint"] = endpoint
    if fields.is_anonymous:
        config["skip_signature"] = True
    token = fields.get("aws_session_token", "session_token")
    keys = (key, secret, token) if key and not fields.is_anonymous else ()
    return StoreLogin("s3", bucket, config, keys, fields.is_anonymous, endpoint, _certificates(fields), fields.access)


def _azure(netloc: str, fields: _Fields) -> StoreLogin:
    """Return how to reach a container of Azure Blob Storage.

    Raises:
        ConfigurationError: no account, or two different ones.
    """
    container, _, place = netloc.partition("@")
    told = dict(part.split("=", 1) for part in fields.get("connection_string").split(";") if "=" in part)
    tenant = fields.get("tenant_id")
    account = place.partition(".")[0] or told.get("AccountName", "") or ("" if tenant else fields.login)
    if not account:
        raise ConfigurationError(
            f"uri 'abfs://{netloc}' names no storage account: write abfs://container@account/…, or put the account "
            f"into the login of {fields.access}"
        )
    given = fields.login if not tenant else ""
    if given and given != account:
        raise ConfigurationError(
            f"uri 'abfs://{netloc}' is of the account {account!r}, but {fields.access} logs in as {given!r}; make "
            "them agree"
        )
    host = fields.host if "://" in fields.host else (f"https://{fields.host}" if fields.host else "")
    if "." in place and not host:
        host = f"https://{account}.blob.{place.split('.', 2)[-1]}"
    endpoint = _address(fields.get("endpoint") or host or told.get("BlobEndpoint", ""), fields)
    config: dict[str, Any] = {"account_name": account}
    if endpoint:
        config["endpoint"] = endpoint
    key = fields.get("shared_access_key") or told.get("AccountKey", "") or ("" if tenant else fields.password)
    sas = fields.get("sas_token") or told.get("SharedAccessSignature", "")
    keys: tuple[str, ...] = ()
    if fields.is_anonymous:
        config["skip_signature"] = True
    elif tenant:
        config |= {"tenant_id": tenant, "client_id": fields.login, "client_secret": fields.password}
        config["credential_type"] = "client_secret"
    elif sas:
        config |= {"sas_key": sas.lstrip("?"), "credential_type": "sas_token"}
    elif key:
        config |= {"account_key": key, "credential_type": "access_key"}
        keys = (account, key)
    return StoreLogin(
        "abfs", container, config, keys, fields.is_anonymous, endpoint, _certificates(fields), fields.access
    )


def _google(bucket: str, fields: _Fields) -> StoreLogin:
    """Return how to reach a bucket of Google Cloud Storage."""
    config: dict[str, Any] = {}
    endpoint = _address(fields.get("endpoint", "endpoint_url"), fields)
    keyfile, path = fields.get("keyfile_dict"), fields.get("key_path")
    # An emulator knows no login of Google's.
    is_anonymous = fields.is_anonymous or bool(endpoint and not keyfile and not path)
    if endpoint:
        config["base_url"] = endpoint
    if is_anonymous:
        config["skip_signature"] = True
    elif keyfile:
        config["service_account_key"] = keyfile
    elif path:
        config["service_account"] = path
    keys = (fields.login, fields.password) if fields.login and fields.password else ()
    return StoreLogin("gs", bucket, config, keys, is_anonymous, endpoint, _certificates(fields), fields.access)


def _address(endpoint: str, fields: _Fields) -> str:
    """Return an endpoint without its closing slash.

    Raises:
        ConfigurationError: it is no http(s) address, or carries a login of its own.
    """
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
        raise ConfigurationError(
            f"{fields.access} has an endpoint that is no plain http:// or https:// address; correct it"
        )
    return endpoint.rstrip("/")


def _certificates(fields: _Fields) -> str:
    """Return the content of the file that the extra `verify` names.

    Raises:
        ConfigurationError: it asks not to verify at all, or the file cannot be read.
    """
    verify = fields.get("verify")
    if verify in ("", "true", "True"):
        return ""
    if verify in ("false", "False"):
        raise ConfigurationError(
            f"{fields.access} asks with verify=false to trust any server; write the file of your certificate authority"
        )
    try:
        with open(verify, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{fields.access}: the extra verify names {verify!r}, which is no readable PEM file"
        ) from error
