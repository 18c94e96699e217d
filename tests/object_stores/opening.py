"""Stores as an ingestion's URI and connection open them, what they list, and a file of several blocks."""

from __future__ import annotations

import os

from powersense.files.declaration import Ingestion
from powersense.settings import Settings
from powersense.sources.object_stores.opening import open_store
from powersense.sources.object_stores.remote import RemoteStore
from tests.object_stores.peers import Peer

TARGET = {"kind": "table", "table": "meters", "columns": [{"name": "a"}]}
# Three blocks and a bit, when a block is this small.
BLOCK = 1_000
CONTENT = os.urandom(3 * BLOCK + 17)


def ingestion(uri: str, connection: str = "") -> Ingestion:
    return Ingestion.model_validate(
        {"name": "meters", "uri": uri, "connection": connection, "format": "csv", "target": TARGET}
    )


def store_of(peer: Peer, pattern: str = "**", **settings):
    return open_store(ingestion(peer.uri(pattern), peer.connection), settings=Settings(**settings))


def listed(store, prefix: str) -> dict:
    return {row["path"]: row for page in store.list_pages(prefix) for row in page.to_pylist()}


def in_small_blocks(monkeypatch):
    """Blocks so small that CONTENT takes several; a fixture of the modules that want it."""
    monkeypatch.setattr(RemoteStore, "block_bytes", BLOCK)
