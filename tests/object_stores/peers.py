"""One place for files on each kind of store, as a test needs it: its URI, its connection, and how files get there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import obstore
from obstore.store import AzureStore, S3Store

from tests.object_stores.servers import AZURITE_ACCOUNT, AZURITE_KEY, Azurite, FakeGcs, Moto

# What moto takes for a login; recognisable, so that a test can look for it in messages.
S3_KEY = "the-access-key"
S3_SECRET = "the-secret-of-the-access-key"
HMAC_SECRET = "the-secret-of-the-hmac-key"
CONNECTION = "files_test"
_PLAIN_HTTP = {"allow_http": True}


class Peer(Protocol):
    """An empty bucket, container or folder."""

    kind: str
    connection: str

    def uri(self, pattern: str) -> str:
        """Return the URI of files that match a pattern below the peer's root."""

    def path(self, name: str) -> str:
        """Return a file's path as a listing gives it."""

    def put(self, name: str, content: bytes) -> None:
        """Store a file, or replace it."""

    def delete(self, name: str) -> None:
        """Remove a file."""

    def connection_json(self) -> str:
        """Return the Airflow connection that leads there; empty where none is needed."""


@dataclass
class FolderPeer:
    """A folder."""

    root: Path
    kind: str = "folder"
    connection: str = ""

    def uri(self, pattern: str) -> str:
        return f"file://{self.root}/{pattern}"

    def path(self, name: str) -> str:
        return f"{str(self.root)[1:]}/{name}"

    def put(self, name: str, content: bytes) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place, so that no reader sees half of it.
        part = self.root / ".part"
        part.write_bytes(content)
        part.rename(target)

    def delete(self, name: str) -> None:
        (self.root / name).unlink()

    def connection_json(self) -> str:
        return ""


class _ObstorePeer:
    """A bucket that obstore, too, may write to."""

    _store: S3Store | AzureStore

    def path(self, name: str) -> str:
        return name

    def put(self, name: str, content: bytes) -> None:
        obstore.put(self._store, name, content)

    def delete(self, name: str) -> None:
        obstore.delete(self._store, name)


@dataclass
class S3Peer(_ObstorePeer):
    """A bucket of moto's."""

    server: Moto
    bucket: str
    kind: str = "s3"
    connection: str = CONNECTION

    def __post_init__(self) -> None:
        self.server.make_bucket(self.bucket)
        self._store = S3Store(
            self.bucket,
            endpoint=self.server.url,
            region="us-east-1",
            access_key_id=S3_KEY,
            secret_access_key=S3_SECRET,
            client_options=_PLAIN_HTTP,
        )

    def uri(self, pattern: str) -> str:
        return f"s3://{self.bucket}/{pattern}"

    def connection_json(self) -> str:
        extra = {"endpoint_url": self.server.url, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": S3_KEY, "password": S3_SECRET, "extra": extra})


@dataclass
class AzurePeer(_ObstorePeer):
    """A container of Azurite's."""

    server: Azurite
    bucket: str
    kind: str = "azure"
    connection: str = CONNECTION

    def __post_init__(self) -> None:
        self.server.make_bucket(self.bucket)
        self._store = AzureStore(
            self.bucket,
            account_name=AZURITE_ACCOUNT,
            account_key=AZURITE_KEY,
            endpoint=self.server.account_url,
            client_options=_PLAIN_HTTP,
        )

    def uri(self, pattern: str) -> str:
        return f"abfs://{self.bucket}@{AZURITE_ACCOUNT}/{pattern}"

    def connection_json(self) -> str:
        fields = {"conn_type": "wasb", "host": self.server.account_url, "login": AZURITE_ACCOUNT}
        return json.dumps({**fields, "password": AZURITE_KEY})


@dataclass
class GcsPeer:
    """A bucket of fake-gcs-server's; the login is what ClickHouse, which needs one, is given."""

    server: FakeGcs
    bucket: str
    kind: str = "gcs"
    connection: str = CONNECTION

    def __post_init__(self) -> None:
        self.server.make_bucket(self.bucket)

    def uri(self, pattern: str) -> str:
        return f"gs://{self.bucket}/{pattern}"

    def path(self, name: str) -> str:
        return name

    def put(self, name: str, content: bytes) -> None:
        self.server.put(self.bucket, name, content)

    def delete(self, name: str) -> None:
        self.server.delete(self.bucket, name)

    def connection_json(self) -> str:
        fields = {"conn_type": "google_cloud_platform", "login": "an-hmac-key", "password": HMAC_SECRET}
        return json.dumps({**fields, "extra": {"endpoint": self.server.url}})
