"""Stores that are not there or refuse the login: told by name, and without the secret."""

from __future__ import annotations

import json
import secrets
import traceback

import pytest

from powersense.errors import StoreAccessError
from powersense.sources.file_patterns import pattern_of
from powersense.sources.object_stores.opening import open_store
from tests.object_stores.faults import Answer, faulty_server
from tests.object_stores.opening import ingestion, listed, store_of
from tests.object_stores.peers import CONNECTION, S3_SECRET, AzurePeer, S3Peer
from tests.object_stores.servers import AZURITE_KEY


@pytest.mark.parametrize("pattern", ["*.csv", "a.csv"])
def test_a_missing_bucket_is_told_by_name(pattern, s3_server, azure_server, tmp_path, monkeypatch):
    s3, azure = S3Peer(s3_server, "test-there"), AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    monkeypatch.setenv("AIRFLOW_CONN_S3_TEST", s3.connection_json())
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_TEST", azure.connection_json())
    for uri, connection in (
        (f"s3://not-there/{pattern}", "s3_test"),
        (f"abfs://not-there@devstoreaccount1/{pattern}", "azure_test"),
    ):
        with pytest.raises(StoreAccessError, match=r"not-there.*: there is no such bucket or container \(404"):
            listed(open_store(ingestion(uri, connection)), pattern_of(uri).prefix)


def test_a_missing_folder_is_told_by_name(tmp_path):
    uri = f"file://{tmp_path}/not there/*.csv"
    with pytest.raises(StoreAccessError, match=r"folder '.*not there/' is not there; make or mount it"):
        listed(open_store(ingestion(uri)), pattern_of(uri).prefix)


def test_refused_s3_keys_are_told_with_the_connection(s3_server, monkeypatch):
    peer = S3Peer(s3_server, f"test-{secrets.token_hex(4)}")
    peer.put("a.csv", b"1")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json())
    store = store_of(peer)
    file = store.stat("a.csv")
    s3_server.check_logins(checked=True)
    try:
        refuse(store, file, match=r"the store refuses \(403.*Airflow connection 'files_test'", secret=S3_SECRET)
    finally:
        s3_server.check_logins(checked=False)


def test_refused_azure_keys_are_told_with_the_connection(azure_server, monkeypatch):
    peer = AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    peer.put("a.csv", b"1")
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json())
    file = store_of(peer).stat("a.csv")
    other = "AAAA" + AZURITE_KEY[4:]
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", peer.connection_json().replace(AZURITE_KEY, other))
    refuse(store_of(peer), file, match=r"the store refuses \(403.*Airflow connection 'files_test'", secret=other)


def test_a_refused_signed_address_is_not_quoted(azure_server, monkeypatch):
    peer = AzurePeer(azure_server, f"test-{secrets.token_hex(4)}")
    fields = {"conn_type": "wasb", "host": azure_server.account_url, "login": "devstoreaccount1"}
    token = "sv=2021-08-06&se=2030-01-01&sr=c&sp=rl&sig=dGhlLXNpZ25hdHVyZQ%3D%3D"
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields | {"extra": {"sas_token": token}}))
    peer.put("a.csv", b"1")
    refuse(store_of(peer), None, match="the store refuses", secret="dGhlLXNpZ25hdHVyZQ")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_google_login_is_told_with_the_connection(status, monkeypatch):
    body = b"<Error><Code>AccessDenied</Code><StringToSign>what-was-signed</StringToSign></Error>"
    with faulty_server(lambda asked: Answer(status, body)) as server:
        fields = {"conn_type": "google_cloud_platform", "extra": {"endpoint": server.url}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields))
        store = open_store(ingestion("gs://bucket/*.csv", CONNECTION))
        with pytest.raises(StoreAccessError, match=rf"refuses \({status} AccessDenied\).*'files_test'") as error:
            listed(store, "")
    assert "what-was-signed" not in "".join(traceback.format_exception(error.value))


def refuse(store, file, *, match: str, secret: str) -> None:
    """Assert that listing and reading are refused, and that nothing of it tells the secret."""
    for attempt in (lambda: listed(store, ""), *([lambda: store.first_bytes(file, 1)] if file else [])):
        with pytest.raises(StoreAccessError, match=match) as refusal:
            attempt()
        told = "".join(traceback.format_exception(refusal.value))
        assert secret not in told
        assert secret not in repr(store.engine_source(file)) if file else True
