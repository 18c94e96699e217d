"""Files in S3, Azure Blob Storage and Google Cloud Storage, through obstore."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from powersense.errors import ConfigurationError, FileChangedError
from powersense.files.stored_file import StoredFile
from powersense.settings import Settings
from powersense.sources.object_stores.blocks import BLOCK_BYTES, BlockReader, read_range
from powersense.sources.object_stores.failures import answering
from powersense.sources.object_stores.interface import EngineSource, is_plain
from powersense.sources.object_stores.logins import StoreLogin, login_of
from powersense.sources.object_stores.pages import LISTING, PAGE_ROWS, page_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from powersense.files.declaration import Ingestion

_LONGEST_CONNECT_SECONDS = 10.0
# A whole answer, as in transport.py: a trickling one never trips the read time-out.
_ANSWER_TIMEOUT_FACTOR = 10
# No further attempt starts this long after the first one, so that a store that asks to slow down is left to Airflow's
# own retries, minutes later.
_LONGEST_RETRYING = timedelta(minutes=2)
_BUFFER_BYTES = 1 << 18


class RemoteStore:
    """Objects of one bucket or container.

    Args:
        store: obstore's.
        login: how it was opened.
    """

    block_bytes = BLOCK_BYTES

    def __init__(self, store: ObjectStore, login: StoreLogin) -> None:
        self._store = store
        self._login = login

    @property
    def base(self) -> str:
        """See FileStore."""
        return self._login.base

    def list_pages(self, prefix: str) -> Iterator[pa.Table]:
        """See FileStore."""
        if prefix and not prefix.endswith("/"):
            yield from self._single(prefix)
            return
        pages = self._listing(prefix, PAGE_ROWS)
        while True:
            with answering(f"{self.base}/{prefix}", access=self._login.access, is_listing=True):
                batch = next(pages, None)
            if batch is None:
                return
            page = _page(batch, prefix)
            if page.num_rows:
                yield page

    def stat(self, path: str) -> StoredFile:
        """See FileStore."""
        import obstore

        with self._answering(path):
            return _stored(obstore.head(self._store, path))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """See FileStore.

        Every block is asked for by the listed version and its answer's version compared, since some servers do not look
        at the condition: what was read is the listed content, whatever becomes of the file afterwards.
        """
        if not file.size:
            self._refuse_other(file)
        with BlockReader(self._store, file, answering=self._answering, block_bytes=self.block_bytes) as raw:
            yield cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES))

    def first_bytes(self, file: StoredFile, count: int) -> bytes:
        """See FileStore."""
        end = min(count, file.size)
        if not end:
            self._refuse_other(file)
            return b""
        with self._answering(file.path):
            return read_range(self._store, file, start=0, end=end)

    def engine_source(self, file: StoredFile) -> EngineSource | None:
        """See FileStore."""
        if not is_plain(file.path):
            return None
        makers = {"s3": _amazon_source, "abfs": _azure_source, "gs": _google_source}
        return makers[self._login.scheme](self._login, file.path)

    def _answering(self, path: str) -> Any:
        return answering(f"{self.base}/{path}", access=self._login.access)

    def _listing(self, prefix: str, rows: int) -> Iterator[Any]:
        import obstore

        return iter(obstore.list(self._store, prefix.rstrip("/") or None, chunk_size=rows, return_arrow=True))

    def _single(self, path: str) -> Iterator[pa.Table]:
        """Look one file up; a missing bucket is told from a missing file by listing a little."""
        try:
            found = self.stat(path)
        except FileChangedError:
            with answering(self.base, access=self._login.access, is_listing=True):
                next(islice(self._listing(path.rpartition("/")[0], 1), 1), None)
            return
        yield page_of([found])

    def _refuse_other(self, file: StoredFile) -> None:
        """Refuse a file that is not what was listed.

        Raises:
            FileChangedError: its version differs, or it is gone.
        """
        if self.stat(file.path).version != file.version:
            raise FileChangedError(f"{self.base}/{file.path} changed since it was listed; the next run loads it")


def open_remote_store(ingestion: Ingestion, *, settings: Settings) -> RemoteStore:
    """Open the bucket of an ingestion's URI; asks it nothing yet.

    Raises:
        ConfigurationError: the connection is not defined, is of another kind, or lacks a field.
    """
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore, S3Store

    login = login_of(ingestion)
    options: dict[str, Any] = {"client_options": _client_options(login, settings), "retry_config": _retrying(settings)}
    if login.scheme == "s3" and login.keys:
        options["credential_provider"] = _fixed_keys(login.keys)
    kinds: dict[str, Any] = {"s3": S3Store, "abfs": AzureStore, "gs": GCSStore}
    try:
        return RemoteStore(kinds[login.scheme](login.bucket, config=dict(login.config), **options), login)
    except (BaseError, OSError, ValueError):
        # obstore quotes what it cannot read, and that may be a key.
        raise ConfigurationError(
            f"{login.base}: the login cannot be read: a key is not as the store issued it, or its file is missing. "
            f"Correct {login.access}."
        ) from None


def _client_options(login: StoreLogin, settings: Settings) -> dict[str, Any]:
    seconds = settings.http_timeout_seconds
    options: dict[str, Any] = {
        "allow_http": login.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=min(_LONGEST_CONNECT_SECONDS, seconds)),
        "read_timeout": timedelta(seconds=seconds),
        "timeout": timedelta(seconds=seconds * _ANSWER_TIMEOUT_FACTOR),
        "user_agent": "PowerSense",
    }
    if login.certificates:
        options["root_certificate"] = login.certificates
    return options


def _retrying(settings: Settings) -> dict[str, Any]:
    return {
        "max_retries": settings.http_max_attempts - 1,
        "retry_timeout": _LONGEST_RETRYING,
        "backoff": {
            "init_backoff": timedelta(seconds=0.5),
            "max_backoff": timedelta(seconds=20),
            "base": 3,
        },
    }


def _fixed_keys(keys: tuple[str, ...]) -> Any:
    """Return a provider of these keys alone: obstore would mix a token of the environment with keys of its options."""
    key, secret, token = keys
    login = {"access_key_id": key, "secret_access_key": secret, "token": token or None, "expires_at": None}
    return lambda: login


def _page(batch: Any, prefix: str) -> pa.Table:
    """Return a batch of obstore's as a page, without the markers that some tools leave for folders."""
    table = pa.Table.from_batches([pa.record_batch(batch)])
    etag = pc.replace_substring(pc.coalesce(table["e_tag"], pa.scalar("")), '"', "")
    columns = [table["path"], table["size"], table["last_modified"].cast(pa.timestamp("us", "UTC")), etag]
    page = pa.Table.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, LISTING, strict=True)], schema=LISTING
    )
    return page.filter(pc.starts_with(page["path"], prefix)) if prefix else page


def _stored(meta: Any) -> StoredFile:
    return StoredFile(meta["path"], meta["size"], meta["last_modified"], (meta["e_tag"] or "").replace('"', ""))


def _amazon_source(login: StoreLogin, path: str) -> EngineSource | None:
    region = login.config["region"]
    root = f"{login.endpoint}/{login.bucket}" if login.endpoint else f"https://s3.{region}.amazonaws.com/{login.bucket}"
    address = {"_url": f"{root}/{quote(path)}"}
    if login.is_anonymous:
        return EngineSource("s3", "{_url:String}, NOSIGN", address)
    if not login.keys:
        return None  # the worker's own role says nothing about the server's
    key, secret, token = login.keys
    arguments = "{_url:String}, {_key:String}, {_secret:String}"
    parameters = {**address, "_key": key, "_secret": secret}
    if token:
        return EngineSource("s3", arguments + ", {_token:String}", {**parameters, "_token": token})
    return EngineSource("s3", arguments, parameters)


def _azure_source(login: StoreLogin, path: str) -> EngineSource | None:
    if not login.keys:
        return None
    account, key = login.keys
    arguments = "{_url:String}, {_container:String}, {_blob:String}, {_account:String}, {_key:String}"
    url = login.endpoint or f"https://{account}.blob.core.windows.net"
    return EngineSource(
        "azureBlobStorage",
        arguments,
        {"_url": url, "_container": login.bucket, "_blob": path, "_account": account, "_key": key},
    )


def _google_source(login: StoreLogin, path: str) -> EngineSource | None:
    if not login.keys:
        return None  # ClickHouse speaks to Google by HMAC keys only
    key, secret = login.keys
    url = f"{login.endpoint or 'https://storage.googleapis.com'}/{login.bucket}/{quote(path)}"
    return EngineSource(
        "gcs", "{_url:String}, {_key:String}, {_secret:String}", {"_url": url, "_key": key, "_secret": secret}
    )
