"""Files in S3, Azure Blob, Google Cloud Storage or a folder, through one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from powersense.settings import Settings, get_settings
from powersense.sources.file_patterns import pattern_of
from powersense.sources.object_stores.interface import EngineSource, FileStore

if TYPE_CHECKING:
    from powersense.files.declaration import Ingestion

__all__ = ["EngineSource", "FileStore", "open_store"]


def open_store(ingestion: Ingestion, *, settings: Settings | None = None) -> FileStore:
    """Open the store that an ingestion's URI names, with the login of its Airflow connection; asks it nothing yet.

    Args:
        ingestion: its `uri` and `connection` count.
        settings: time-outs and attempts; the process's by default.

    Raises:
        ConfigurationError: the connection is not defined, is of another kind, or lacks a field.
    """
    settings = settings or get_settings()
    parts = urlsplit(ingestion.uri)
    if parts.scheme == "file":
        from powersense.sources.object_stores.folder import FolderStore

        return FolderStore(pattern_of(ingestion.uri), settings=settings)
    from powersense.sources.object_stores.remote import open_remote_store

    return open_remote_store(ingestion, settings=settings)
